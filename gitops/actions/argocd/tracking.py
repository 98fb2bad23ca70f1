"""Which Applications feed an overlay, and what they say now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.argocd.at_hand import ClustersAtHand
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView
from gitops.actions.manifests.files import SnapshotFiles
from gitops.core.argocd.application import Application
from gitops.core.argocd.tracking import TrackedPath, TrackingMatch, asks_for_default, find_feeds
from gitops.core.environments.environment import Environment, Overlay, match_branch
from gitops.core.kustomization.graph import walk
from gitops.errors import GitopsError, ManifestError, NotFound, TimedOut
from gitops.ports import Cluster, Reading, Snapshot

if TYPE_CHECKING:
    from concurrent.futures import Future

_LEAST_WAIT = 0.05  # seconds, for what has come and only has to be picked up


class TrackingApplication(Struct, frozen=True):
    """One Application that feeds an overlay, and the reading that told it."""

    cluster: Cluster
    feed: TrackingMatch
    reading: Reading


class TrackingResult(Struct, frozen=True):
    """What was found for one overlay.

    Attributes:
        pinned, warnings: as in `core.argocd.tracking.TrackingMatches`.
    """

    fed: tuple[TrackingApplication, ...] = ()
    pinned: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Readings:
    """The Applications of all clusters of some environments, read in the background from the start.

    Attributes:
        clusters, unusable, are_named: as in `ClustersAtHand`.
    """

    def __init__(self, session: Session, there: ClustersAtHand) -> None:
        """Begin to read."""
        self._clock = session.clock
        self._end = there.end
        self._futures: dict[Cluster, Future[Reading]] = {}
        self._late: set[Cluster] = set()
        self.clusters = there.clusters
        self.unusable = there.unusable
        self.are_named = there.are_named
        asked = dict.fromkeys(one for found in self.clusters.values() for one in found)
        if not asked:
            return
        from concurrent.futures import ThreadPoolExecutor  # only where there is somebody to ask

        pool = ThreadPoolExecutor(max_workers=len(asked), thread_name_prefix="gitops-read")
        self._futures = {cluster: pool.submit(cluster.applications) for cluster in asked}
        pool.shutdown(wait=False)

    def wait_until(self, end: float) -> None:
        """Wait longer: until `end` on the clock of the session, also for those that were late."""
        self._end = max(self._end, end)
        self._late.clear()

    def was_late(self, cluster: Cluster) -> bool:
        """Say whether a cluster has not answered yet, which may mean that it only takes long."""
        return cluster in self._late

    def of(self, cluster: Cluster) -> Reading:
        """Return what one of the clusters said.

        Raises TimedOut when it said nothing in time, and what `Cluster.applications` raises.
        """
        from concurrent.futures import TimeoutError as NotYet

        # One that was late is not waited for again: there may be hundreds of overlays.
        least = 0.0 if cluster in self._late else _LEAST_WAIT
        left = max(self._end - self._clock.monotonic(), least)
        try:
            return self._futures[cluster].result(timeout=left)
        except NotYet:
            self._late.add(cluster)
            raise TimedOut(f"{cluster.name} did not answer in time") from None


def read_feeds(view: OverlayView, readings: Sequence[tuple[Cluster, Reading]]) -> TrackingResult:
    """Return the Applications in `readings` that follow the overlay as the tip has it."""
    session, home = view.session, view.home
    clusters = session.clusters
    place = TrackedPath(
        repositories=clusters.repositories,
        branch=home.branch,
        default=_is_default(session, view.tip, view.row),
        directory=view.overlay.directory,
    )
    includes = _includes(home, view.overlay)
    fed: list[TrackingApplication] = []
    pinned: list[str] = []
    warnings: list[str] = []
    for cluster, reading in readings:
        if place.default is None and asks_for_default(reading.applications, place):
            default = session.repository.snapshot().branch
            place = replace(place, default=default == home.branch)
        found = find_feeds(reading.applications, place, includes=includes)
        fed += [TrackingApplication(cluster, feed, reading) for feed in found.feeds]
        pinned += found.pinned
        warnings += found.warnings
    return TrackingResult(tuple(fed), tuple(pinned), tuple(warnings))


def read_again(view: OverlayView, fed: TrackingApplication) -> TrackingApplication | None:
    """Read one Application again; None when it is gone, or does not feed the overlay any more."""
    reading = fed.cluster.application(fed.feed.application.ref)
    found = read_feeds(view, [(fed.cluster, reading)])
    return next(iter(found.fed), None)


def no_application(view: OverlayView, found: TrackingResult) -> GitopsError:
    """Return the error for an overlay that no Application follows."""
    where = ", ".join(view.session.clusters.repositories)
    return NotFound(
        f"no Application follows {view.overlay.directory} on {view.branch} of {where}",
        hint="docs/how-to/set-up-applications.md shows one; GITOPS_ARGOCD_REPO says what Argo CD "
        "calls this repository, where that differs",
        reasons=found.pinned,
    )


def rollouts_of(application: Application) -> bool:
    """Say whether a Rollout is among the resources of an Application."""
    return any(one.kind == "Rollout" for one in application.resources)


def _is_default(session: Session, tip: Tip, environment: Environment) -> bool | None:
    """Is the overlay's branch the remote's default one? None: nobody asked yet."""
    if environment.branch is None and session.branch is None and tip.config.branch is None:
        return True
    return None


def _includes(home: Snapshot, overlay: Overlay) -> Callable[[str], bool]:
    """Return a function that says whether a directory's kustomization brings in the overlay, or
    `builds:` names it."""
    builds, directory = overlay.environment.builds, overlay.directory
    if builds:
        return lambda path: match_branch(builds, path) is not None
    answers: dict[str, bool] = {}
    files = SnapshotFiles(home)

    def includes(path: str) -> bool:
        if path not in answers:
            answers[path] = False
            with suppress(ManifestError):
                answers[path] = walk(files, path).leads_to(directory)
        return answers[path]

    return includes
