"""What the clusters say, read while Git is read; what cannot be reached is a word, no error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from gitops.actions.argocd.at_hand import ClustersAtHand
from gitops.actions.argocd.commit_index import CommitIndex
from gitops.actions.argocd.observation import observe
from gitops.actions.argocd.tracking import Readings, TrackingApplication, read_feeds, rollouts_of
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.core.argocd.health import drift
from gitops.core.argocd.reports import Live, LiveApplication
from gitops.core.environments.environment import Overlay
from gitops.core.releases.release import Release
from gitops.errors import GitopsError
from gitops.ports import Cluster, Reading


class LiveView:
    """The clusters of some environments, asked in the background from the start."""

    def __init__(self, session: Session, tip: Tip, there: ClustersAtHand) -> None:
        self._session = session
        self._tip = tip
        self._readings = Readings(session, there)

    def of(self, overlay: Overlay, newest: Release | None) -> Live | None:
        """Return what is known of an overlay; None where no cluster is set up for it."""
        name = overlay.environment.name
        if name in self._readings.unusable:
            return Live(problem=self._readings.unusable[name])
        clusters = self._readings.clusters.get(name, ())
        if not clusters or newest is None:
            return None
        view = view_of(self._session, self._tip, overlay)
        readings: list[tuple[Cluster, Reading | GitopsError]] = []
        for cluster in clusters:
            try:
                readings.append((cluster, self._readings.of(cluster)))
            except GitopsError as error:
                readings.append((cluster, error))
        placing = CommitIndex(view, follows=False)
        return live_of(placing, newest, readings, are_named=self._readings.are_named)


def live_of(
    placing: CommitIndex,
    newest: Release,
    readings: Sequence[tuple[Cluster, Reading | GitopsError]],
    *,
    are_named: bool,
) -> Live | None:
    """Return what is known of an overlay by readings of all its clusters.

    Args:
        newest: its newest release, which states are seen from.
        are_named: somebody said which clusters are meant. None comes back where nobody did and no
            Application follows the overlay: some cluster of the caller's.
    """
    good = [(cluster, one) for cluster, one in readings if isinstance(one, Reading)]
    problems = [one.message for _, one in readings if isinstance(one, GitopsError)]
    found = read_feeds(placing.view, good)
    if not found.fed:
        if not are_named:
            return None
        problems += [] if problems else found.pinned or ("no Application follows it",)
    problems += [reading.silent for _, reading in good if reading.silent is not None]
    return Live(
        tuple(_show(fed, placing, newest) for fed in found.fed), "; ".join(problems) or None
    )


def _show(fed: TrackingApplication, placing: CommitIndex, newest: Release) -> LiveApplication:
    application = fed.feed.application
    seen = observe(fed, newest, placing, asked=newest.time)
    there = placing.release_at(seen.revision) if seen.revision is not None else None
    return LiveApplication(
        ref=application.ref,
        state=seen.state,
        text=seen.text,
        sync=seen.sync,
        health=seen.health,
        revision=seen.revision,
        release=there.commit if there is not None else None,
        since=application.health_since,
        drift=drift(application, there.images) if there is not None and there.images else (),
        rollouts=tuple(_describe(fed)),
    )


def _describe(fed: TrackingApplication) -> Iterator[str]:
    """Yield where each Rollout stands; what cannot be read is left out."""
    if not rollouts_of(fed.feed.application):
        return
    with suppress(GitopsError):
        for rollout in fed.cluster.rollouts(fed.feed.application):
            yield f"Rollout {rollout.name}: {rollout.describe()}"
            window = rollout.describe_window()
            if window is not None:
                yield f"Rollout {rollout.name}: {window}"
