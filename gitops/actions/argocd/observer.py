"""One look of a watcher at one overlay: what is live there, and what is to be written of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from gitops.actions.argocd.cluster_actions import show_hold
from gitops.actions.argocd.commit_index import CommitIndex
from gitops.actions.argocd.observation import degraded_because, diagnose_worst, observe
from gitops.actions.argocd.tracking import TrackingApplication, read_feeds
from gitops.actions.argocd.verdicts import record_verdict
from gitops.actions.context.session import Session
from gitops.actions.releases.ledger import ledger_of
from gitops.core.argocd.diagnosis import Diagnosis
from gitops.core.argocd.health import Observation
from gitops.core.argocd.reports import WatchEvent
from gitops.core.argocd.stability import Following, follow
from gitops.core.environments.environment import Overlay
from gitops.core.ledger.verdicts import LatestVerdicts, is_news, judged
from gitops.core.releases.release import Release
from gitops.errors import Denied, GitopsError, NotFound, TryAgain
from gitops.ports import Cluster, Reading

IDLE = 30.0
"""Seconds between two looks when nothing wakes us."""

SOON = 1.2
"""Seconds until the second of two readings that make an answer."""

_AGAIN = 60.0  # seconds before a word that could not be written is tried again


class DegradedRelease(Struct, frozen=True):
    """A live release that the ledger calls degraded.

    Attributes:
        since: monotonic seconds of when this watcher saw it first.
    """

    overlay: Overlay
    release: Release
    why: str
    since: float


class ObserverState(Struct):
    """What a watcher remembers; handed on when the repository is opened anew.

    Attributes:
        following: overlay -> the release that is live, and what was seen of it.
        said: what was told of each overlay last.
        written: (overlay, commit, verdict) that needs no more looking after.
        failed: the same -> when writing it failed.
        degraded: overlay -> the release that the ledger calls degraded, why, and since when.
        settled: (overlay, commit) of which it is decided whether to go back.
    """

    following: dict[str, tuple[str, Following]] = {}
    said: dict[str, str] = {}
    written: set[tuple[str, str, str]] = set()
    failed: dict[tuple[str, str, str], float] = {}
    degraded: dict[str, DegradedRelease] = {}
    settled: set[tuple[str, str]] = set()

    def once(self, what: str, event: WatchEvent) -> Iterator[WatchEvent]:
        """Yield `event`, unless that is what was told of `what` last."""
        if self.said.get(what) != event.text:
            self.said[what] = event.text
            yield event


class Observer:
    """One look at one overlay.

    Attributes:
        due: seconds until it is worth looking at it again.
        is_behind: Argo CD knows a commit that was not read from Git yet.
    """

    def __init__(
        self, session: Session, placing: CommitIndex, overlay: Overlay, known: ObserverState
    ) -> None:
        self._session = session
        self._view = placing.view
        self._overlay = overlay
        self._known = known
        self._placing = placing
        self.due = IDLE
        self.is_behind = False

    def all(
        self, clusters: Sequence[Cluster], readings: dict[Cluster, Reading | GitopsError]
    ) -> Iterator[WatchEvent]:
        """Yield what is new."""
        good: list[tuple[Cluster, Reading]] = []
        for cluster in clusters:
            match readings[cluster]:
                case GitopsError() as error:
                    # Without all of its Applications nothing can be said of a release.
                    yield from self._tell(f"not known: {error.message}", is_trouble=True)
                    return
                case Reading() as reading:
                    good.append((cluster, reading))
        found = read_feeds(self._view, good)
        if not found.fed:
            yield from self._tell("no Application follows it", is_trouble=True)
            return
        self._show_hold(found.fed)
        release = self._live(found.fed)
        if release is None:
            yield from self._tell("its Applications are not at one release of the branch")
            return
        yield from self._judge(found.fed, release)

    def _live(self, fed: Sequence[TrackingApplication]) -> Release | None:
        """Return the release that all Applications are at, None when they are not at one."""
        releases = []
        for one in fed:
            commit = one.feed.application.revision(one.feed.source.index)
            releases.append(self._placing.release_at(commit) if commit is not None else None)
            self.is_behind = self.is_behind or (commit is not None and releases[-1] is None)
        first = releases[0]
        if first is None or not first.images:
            return None
        same = all(one is not None and one.images == first.images for one in releases)
        return first if same else None

    def _judge(self, fed: Sequence[TrackingApplication], release: Release) -> Iterator[WatchEvent]:
        label = self._overlay.label
        observations = [observe(one, release, self._placing) for one in fed]
        commit, before = self._known.following.get(label, ("", Following()))
        if commit != release.commit:
            before = Following()
        soak = self._overlay.environment.soak_time.total_seconds()
        at = self._session.clock.monotonic()
        now = follow(before, observations, at=at, soak=soak)
        self._known.following[label] = (release.commit, now)
        worst = now.worst
        if worst is not None:
            who = f"{worst.ref.name}: " if len(observations) > 1 else ""
            yield from self._tell(f"{release.commit[:7]} {who}{worst.text}")
        if commit != release.commit or (worst is not None and worst.state == "healthy"):
            self._known.degraded.pop(label, None)
        match now.answer:
            case "stable":
                yield from self._write(fed, release, "stable", now, soak)
            case "degraded":
                yield from self._write(fed, release, "degraded", now, soak)
            case "healthy":
                left = max(soak, 5.0) + 1.0 - now.steady
                self._hurry(release, "stable", min(max(left, SOON), IDLE))
            case None if worst is not None and worst.state == "healthy":
                self._hurry(release, "stable", SOON)
            case None if now.bad is not None:
                self._hurry(release, "degraded", SOON)

    def _note_degraded(self, release: Release, why: str) -> None:
        """Remember what could be rolled back: what the ledger calls degraded."""
        at = self._session.clock.monotonic()
        self._known.degraded[self._overlay.label] = DegradedRelease(self._overlay, release, why, at)

    def _hurry(self, release: Release, verdict: str, pause: float) -> None:
        """Look again sooner, when there is something left to be written."""
        if (self._overlay.label, release.commit, verdict) not in self._known.written:
            self.due = pause

    def _write(
        self,
        fed: Sequence[TrackingApplication],
        release: Release,
        verdict: Literal["stable", "degraded"],
        now: Following,
        soak: float,
    ) -> Iterator[WatchEvent]:
        key = (self._overlay.label, release.commit, verdict)
        at = self._session.clock.monotonic()
        if key in self._known.written or at - self._known.failed.get(key, -_AGAIN) < _AGAIN:
            return
        ledger = ledger_of(self._view)
        if not is_news(ledger.entries, release.commit, verdict):
            self._known.written.add(key)
            said = judged(ledger.entries).get(release.commit, LatestVerdicts()).health
            # Not what was stable once, nor what a person spoke for.
            if verdict == "degraded" and said is not None and said.verdict == verdict:
                self._note_degraded(release, said.reason or "")
            return
        worst = now.worst
        reason = None
        if verdict == "degraded" and worst is not None:
            reason = degraded_because(_diagnose(fed, worst), worst.text)
        try:
            record_verdict(
                self._view,
                release,
                verdict,
                now.observations,
                reason=reason,
                soak=soak,
            )
        except (Denied, NotFound, TryAgain) as error:
            self._known.failed[key] = at
            text = f"{verdict} could not be written to the ledger: {error.message}"
            yield WatchEvent(self._overlay, text, release.commit, is_trouble=True)
            return
        self._known.written.add(key)
        if verdict == "degraded":
            self._note_degraded(release, reason or "")
        text = f"{verdict}{': ' + reason if reason else ''}"
        yield WatchEvent(self._overlay, text, release.commit, verdict=verdict)

    def _show_hold(self, fed: Sequence[TrackingApplication]) -> None:
        """Holds made where no cluster could be reached are shown now; rights may be missing."""
        hold, silent = self._view.hold, set[Cluster]()
        for one in fed:
            key = f"notice of {one.cluster.name}"
            if key in self._known.said or one.cluster in silent:
                continue
            try:
                show_hold(one, self._overlay, hold)
            except Denied:
                self._known.said[key] = "not allowed"
            except GitopsError:
                silent.add(one.cluster)

    def _tell(self, text: str, *, is_trouble: bool = False) -> Iterator[WatchEvent]:
        event = WatchEvent(self._overlay, text, is_trouble=is_trouble)
        return self._known.once(self._overlay.label, event)


def _diagnose(fed: Sequence[TrackingApplication], worst: Observation) -> tuple[Diagnosis, ...]:
    try:
        return diagnose_worst(fed, worst)
    except GitopsError:
        return ()  # it only explains
