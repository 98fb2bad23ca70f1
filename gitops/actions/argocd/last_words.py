"""Why an overlay is not well, in the words of its workloads, pods and containers."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from gitops.core.argocd.application import ApplicationRef
from gitops.core.argocd.diagnosis import Diagnosis, diagnose
from gitops.core.environments.environment import Config, Environment
from gitops.errors import GitopsError
from gitops.ports import Clusters

_MOST = 12  # things that are told of one Application


class LastWords(Struct, frozen=True):
    """What is not well with the resources and pods of one Application.

    Attributes:
        more: how many things are left out.
        unread: why some of it could not be read, None when all was.
    """

    ref: ApplicationRef
    diagnoses: tuple[Diagnosis, ...] = ()
    more: int = 0
    unread: str | None = None


def read_last_words(
    clusters: Clusters,
    config: Config,
    row: Environment,
    refs: Iterable[ApplicationRef],
    *,
    within: float,
) -> tuple[LastWords, ...]:
    """Read them for some Applications of an environment, as `wait` does when it fails.

    `within`: seconds that one call to a cluster may take. Raises nothing for what cannot be read.
    """
    try:
        at_hand = {one.name: one for one in clusters.at_hand(config, row, within=within)}
    except GitopsError as error:
        return tuple(LastWords(ref, unread=error.message) for ref in refs)
    found: list[LastWords] = []
    for ref in refs:
        if ref.cluster not in at_hand:
            continue
        cluster = at_hand[ref.cluster]
        try:
            for application in cluster.application(ref).applications:
                workloads = cluster.workloads(application)
                told = diagnose(workloads)
                more = max(len(told) - _MOST, 0)
                found.append(LastWords(ref, told[:_MOST], more, workloads.unread))
        except GitopsError as error:
            found.append(LastWords(ref, unread=error.message))
    return tuple(found)
