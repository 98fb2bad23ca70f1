"""`gitops watch`: look at all environments again and again, and write what became of releases.

What is judged is the release that is *live*, not the newest one: whatever Argo CD is at. Nothing
is kept but in memory: how long a release has been Healthy is told by the cluster's own times, and
what was written by the ledger, so a watcher that is killed loses nothing, and two write one word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitops.actions.argocd.commit_index import CommitIndex
from gitops.actions.argocd.observer import IDLE, SOON, Observer, ObserverState
from gitops.actions.argocd.recovery import recover_all
from gitops.actions.context.overlays import find_environment, overlays_of
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.actions.rollback import rollback
from gitops.core.argocd.reports import WatchEvent
from gitops.core.environments.environment import Environment, Overlay
from gitops.errors import Denied, GitopsError, TryAgain
from gitops.ports import Cluster, Reading

WITHIN = 15.0
"""Seconds that one question to a cluster may take."""

_GIT = 20.0  # seconds between two readings of Git, unless Argo CD seems to be ahead of it
_BEHIND = 3.0
_ALL = "Git"  # what is told of no overlay; no environment has a capital letter
_REST = 0.5  # after a wake-up, so that a burst of events is one look


def watch(
    session: Session,
    environments: Sequence[str],
    known: ObserverState,
    *,
    once: bool = False,
    goes_back: bool = False,
    longest: float = 3600.0,
) -> Iterator[WatchEvent]:
    """Yield what changed, for `longest` seconds; with `once` after one look at everything.

    With `goes_back` releases that are Degraded are rolled back where `onAlert: rollback` says so.

    One look is really two readings a second apart where something is to be written. What fails
    (Git, a cluster, the ledger) is an event, and is tried again.

    Raises NotFound and ConfigError only for what is wrong from the start.
    """
    clock = session.clock
    end = clock.monotonic() + longest
    round_ = _Round(session, environments, known, watches=not once)
    while True:
        try:
            yield from round_.look()
            if goes_back:
                yield from recover_all(session, known, round_.watched, rollback)
            if known.said.pop(_ALL, None) is not None:
                yield WatchEvent(None, "works again")
            pause = round_.pause
        except (TryAgain, Denied) as error:
            if once:
                raise
            yield from known.once(_ALL, WatchEvent(None, error.message, is_trouble=True))
            pause = IDLE
        if once and pause > SOON:
            return
        left = end - clock.monotonic()
        if not once and left <= 0:
            return
        bell = session.clusters.bell
        if bell.wait(pause if once else min(pause, left)) and not once:
            bell.wait(_REST)


class _Round:
    """Looks at all environments, again and again.

    Attributes:
        pause: seconds until the next look is worth something, when nothing wakes us.
        watched: how many overlays were looked at.
    """

    def __init__(
        self, session: Session, names: Sequence[str], known: ObserverState, *, watches: bool
    ) -> None:
        self._session = session
        self._names = names
        self._known = known
        self._watches = watches
        self._tip = open_tip(session)
        self._read_at = session.clock.monotonic()
        self._behind = False
        self._placings: dict[str, CommitIndex] = {}
        self._watching: set[Cluster] = set()
        self.pause = IDLE
        self.watched = 0
        _rows(self._tip, names)  # says no at once to names that do not exist

    def look(self) -> Iterator[WatchEvent]:
        """Look at everything once, and yield what is new."""
        now = self._session.clock.monotonic()
        if now - self._read_at >= (_BEHIND if self._behind else _GIT):
            self._tip = open_tip(self._session)
            self._read_at = now
        self._behind = False
        readings: dict[Cluster, Reading | GitopsError] = {}
        self.pause = IDLE
        self.watched = 0
        for row in _rows(self._tip, self._names):
            clusters = self._session.clusters.of(self._tip.config, row, within=WITHIN)
            for cluster in clusters:
                if cluster not in readings:
                    readings[cluster] = self._read(cluster)
            for overlay in overlays_of(self._tip.of(row), row):
                look = Observer(self._session, self._placing(overlay), overlay, self._known)
                yield from look.all(clusters, readings)
                self.watched += 1
                self.pause = min(self.pause, look.due)
                self._behind = self._behind or look.is_behind
        if self._behind:
            self.pause = min(self.pause, _BEHIND)

    def _placing(self, overlay: Overlay) -> CommitIndex:
        """Git is asked once about each commit, as long as the branch stays where it is."""
        view = view_of(self._session, self._tip, overlay)
        placing = self._placings.get(overlay.label)
        if placing is None or placing.head.commit != view.home.commit:
            placing = CommitIndex(view, follows=False)
            self._placings[overlay.label] = placing
        return placing

    def _read(self, cluster: Cluster) -> Reading | GitopsError:
        try:
            reading = cluster.applications()
        except GitopsError as error:
            return error
        if self._watches and cluster not in self._watching:
            self._watching.add(cluster)
            cluster.watch((), self._session.clusters.bell.ring)
        return reading


def _rows(tip: Tip, names: Sequence[str]) -> list[Environment]:
    """Return the environments that run in a cluster: the named ones, or all that have one."""
    if names:
        return [find_environment(tip.config, name) for name in dict.fromkeys(names)]
    rows = [row for row in tip.config.environments if row.change != "work-tree"]
    return [row for row in rows if tip.config.clusters_of(row)]
