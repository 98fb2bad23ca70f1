"""One observation of a release, as `wait`, `watch` and `status` make it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from gitops.actions.argocd.commit_index import CommitIndex
from gitops.actions.argocd.tracking import TrackingApplication
from gitops.core.argocd.diagnosis import Diagnosis, diagnose
from gitops.core.argocd.health import ExpectedRelease, Observation, judge
from gitops.core.releases.release import Release


def observe(
    fed: TrackingApplication,
    release: Release,
    index: CommitIndex,
    *,
    is_newest: bool = True,
    asked: datetime | None = None,
) -> Observation:
    """Return what one Application says of a release.

    Args:
        is_newest: nothing that came after it asks for other images.
        asked: when Argo CD was asked to look at Git, on the cluster's clock.
    """
    return judge(
        fed.feed,
        ExpectedRelease(release.commit, release.time, release.images or {}, newest=is_newest),
        lambda commit: index.place(commit, release),
        now=fed.reading.time,
        asked=asked,
    )


def diagnose_worst(
    fed: Iterable[TrackingApplication], worst: Observation | None
) -> tuple[Diagnosis, ...]:
    """Return what is not well with the resources and pods of the Application that is worst off.

    Raises what `Cluster.workloads` raises.
    """
    for one in fed:
        if worst is not None and one.feed.application.ref == worst.ref:
            return diagnose(one.cluster.workloads(one.feed.application))
    return ()


def degraded_because(diagnoses: Iterable[Diagnosis], otherwise: str) -> str:
    """Return the reason that is written to the ledger beside `degraded`."""
    return "; ".join(map(str, tuple(diagnoses)[:3])) or otherwise
