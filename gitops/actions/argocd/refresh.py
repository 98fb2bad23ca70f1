"""Having Argo CD look at Git now, for Applications that have not seen a release."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gitops.core.argocd.application import REFRESH, ApplicationRef
from gitops.core.environments.environment import Config, Environment
from gitops.errors import GitopsError
from gitops.ports import Clusters

REFRESH_AGAIN: Final = 3.0
"""Seconds until the second time: a refresh that lands while another one is processed is lost."""


def refresh_applications(
    clusters: Clusters,
    config: Config,
    row: Environment,
    refs: Iterable[ApplicationRef],
    *,
    within: float,
) -> dict[ApplicationRef, GitopsError]:
    """Ask it for some Applications of an environment; return those that could not be asked for.

    One that was asked for and not dealt with yet is left alone. `within`: seconds that one call to
    a cluster may take. Raises UsageError, NotFound as `Clusters.at_hand` does.
    """
    at_hand = {one.name: one for one in clusters.at_hand(config, row, within=within)}
    failed: dict[ApplicationRef, GitopsError] = {}
    for ref in refs:
        cluster = at_hand.get(ref.cluster)
        if cluster is None:
            continue
        try:
            if any(
                REFRESH not in found.annotations for found in cluster.application(ref).applications
            ):
                cluster.annotate(ref, {REFRESH: "normal"})
        except GitopsError as error:
            failed[ref] = error
    return failed
