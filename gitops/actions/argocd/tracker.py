"""One overlay that is waited for: its release, its Applications, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from gitops.actions.argocd.commit_index import CommitIndex
from gitops.actions.argocd.tracking import (
    TrackingApplication,
    TrackingResult,
    need_clusters,
    no_application,
    read_again,
    read_feeds,
)
from gitops.actions.argocd.verdicts import record_verdict
from gitops.actions.context.view import OverlayView
from gitops.core.argocd.application import REFRESH, ApplicationRef
from gitops.core.argocd.diagnosis import Diagnosis, find_troubles
from gitops.core.argocd.health import ExpectedRelease, Observation, RevisionPosition, judge
from gitops.core.argocd.reports import WaitReport, WaitVerdict
from gitops.core.argocd.stability import Following, follow
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.history import Release
from gitops.errors import Denied, GitopsError, NotFound, TryAgain

WITHIN = 10.0
"""Seconds that one question to a cluster may take."""

_REFRESH_AGAIN = 3.0  # a refresh that lands while another one is processed is lost
_LOOK_CLOSER = 5.0
_LIST_AGAIN = 60.0


class WaitTerms(Struct, frozen=True):
    """On what terms something is waited for.

    Attributes:
        soak, timeout: seconds.
        follow: go on with a newer release when one comes.
        record: write the verdict to the ledger.
    """

    soak: float
    timeout: float
    follow: bool = False
    record: bool = True


class AwaitedImage(Struct, frozen=True):
    """What `--for` waits for: an image with this tag (of this name, where it is given)."""

    tag: str
    image: str | None = None

    def fits(self, release: Release) -> bool:
        """Does the release pin it?"""
        return any(
            value.tag == self.tag and self.image in (None, image)
            for image, value in (release.images or {}).items()
        )

    def __str__(self) -> str:
        return f"{self.image}:{self.tag}" if self.image is not None else self.tag


class ReleaseTracker:
    """Follows one release of one overlay, reading by reading.

    Args:
        asked: what `--for` waits for, while there is no release yet.
        own: images that the release was made for: a newer one that pins them is as good.

    Attributes:
        report: set when there is nothing more to wait for.
        trouble: why the last reading failed, None when it did not.
    """

    def __init__(
        self,
        view: OverlayView,
        release: Release | None,
        terms: WaitTerms,
        *,
        asked: AwaitedImage | None = None,
        own: Mapping[str, ImageValue] | None = None,
    ) -> None:
        session = self._session = view.session
        self._placing = CommitIndex(view)
        self._clusters = need_clusters(session).of(view.tip.config, view.row, within=WITHIN)
        self._terms = terms
        self._wanted = asked
        self._own = own or {}
        self._found = TrackingResult()
        self._now: list[TrackingApplication] = []
        self._listed: float | None = None
        self._asked: dict[ApplicationRef, tuple[float, datetime]] = {}
        self._may_ask = True
        self._spent = 0.0
        self._before: float | None = None
        self._closer: float | None = None
        self._notes: list[str] = []
        self._warnings: list[str] = []
        self.overlay = view.overlay
        self.release = release
        self.following = Following()
        self.troubles: tuple[Diagnosis, ...] = ()
        self.trouble: str | None = None
        self.report: WaitReport | None = None

    def begin(self) -> None:
        """Find the Applications, watch them, and ask Argo CD to look at Git.

        Raises NotFound when there is none, and what the clusters raise.
        """
        self._list()
        if not self._found.fed:
            raise no_application(self._placing.view, self._found)
        clusters = need_clusters(self._session)
        for cluster in self._clusters:
            refs = [one.feed.application.ref for one in self._found.fed if one.cluster is cluster]
            if refs:
                cluster.watch(refs, clusters.bell.ring)
        if self.release is not None:
            for fed in self._found.fed:
                self._refresh(fed)

    def step(self) -> None:
        """Read once more, and conclude what can be concluded.

        Raises Denied and NotFound; what may pass (Unavailable, TimedOut) becomes `trouble`.
        """
        now = self._session.clock.monotonic()
        try:
            if self.release is None:
                self._look_for_release()
            if self.release is not None:
                self._read(self.release)
                self._look_closer(now)
            self.trouble = None
        except TryAgain as error:
            self.trouble = error.message
        worst = self.following.worst
        if self._before is not None and (
            self.trouble is not None or worst is None or worst.state != "healthy"
        ):
            self._spent += now - self._before
        self._before = now
        self._conclude()

    @property
    def due(self) -> float:
        """Seconds until the next reading is worth something, when nothing wakes us."""
        if self.trouble is not None:
            return 2.0
        worst = self.following.worst
        if self.following.bad is not None:
            return 1.05
        if worst is not None and worst.state == "healthy":
            left = max(self._terms.soak, 5.0) + 1.0 - self.following.steady
            if not self.following.answered or (not self._terms.record and self._terms.soak == 0):
                return 1.05
            return min(max(left, 0.2), 5.0)
        return min(3.0, max(self._terms.timeout - self._spent, 0.1))

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What the Applications said last."""
        return self.following.observations

    def _look_for_release(self) -> None:
        """For `--for`: does the branch ask for it by now?"""
        newest = self._placing.newest()
        if newest is None or self._wanted is None or not self._wanted.fits(newest):
            self._placing.renew()
            newest = self._placing.newest()
        if newest is not None and self._wanted is not None and self._wanted.fits(newest):
            self._notes.append(f"{self.overlay.label} asks for it since {newest.commit[:7]}")
            self.release = newest
            for fed in self._found.fed:
                self._refresh(fed)

    def _list(self) -> None:
        self._listed = self._session.clock.monotonic()
        readings = [(cluster, cluster.applications()) for cluster in self._clusters]
        self._found = read_feeds(self._placing.view, readings)
        self._warnings = [
            *self._found.warnings,
            *(f"not waited for: {text}" for text in self._found.pinned),
        ]

    def _read(self, release: Release) -> None:
        now = self._session.clock.monotonic()
        if self._listed is None or now - self._listed >= _LIST_AGAIN:
            self._list()
        view = self._placing.view
        fed = [read_again(view, one) for one in self._found.fed]
        if any(one is None for one in fed) or not fed:
            self._list()  # one is gone, or was made anew by an ApplicationSet
            fed = list(self._found.fed)
        self._now = [one for one in fed if one is not None]
        observations: list[Observation] = []
        for one in self._now:
            observation = self._judge(one, release)
            observations.append(observation)
            if observation.state in ("unseen", "unknown"):
                self._refresh_again(one)
        at = self._session.clock.monotonic()
        self.following = follow(self.following, observations, at=at, soak=self._terms.soak)

    def _judge(self, fed: TrackingApplication, release: Release) -> Observation:
        newest = self._placing.newest()
        asked = self._asked.get(fed.feed.application.ref)
        return judge(
            fed.feed,
            ExpectedRelease(
                release.commit,
                release.time,
                release.images or {},
                newest=newest is None or newest.images == release.images,
            ),
            self._placer(release),
            now=fed.reading.time,
            asked=asked[1] if asked is not None else None,
        )

    def _placer(self, release: Release) -> Callable[[str], RevisionPosition]:
        return lambda commit: self._placing.place(commit, release)

    def _refresh_again(self, fed: TrackingApplication) -> None:
        """Ask once more when the last time was a while ago and is dealt with."""
        application = fed.feed.application
        asked = self._asked.get(application.ref)
        now = self._session.clock.monotonic()
        if REFRESH in application.annotations:
            return
        if asked is None or now - asked[0] >= _REFRESH_AGAIN:
            self._refresh(fed)

    def _refresh(self, fed: TrackingApplication) -> None:
        if not self._may_ask:
            return
        ref = fed.feed.application.ref
        try:
            fed.cluster.annotate(ref, {REFRESH: "normal"})
        except Denied as error:
            self._may_ask = False
            self._notes.append(
                f"Argo CD looks by itself, every few minutes, since it may not be asked: "
                f"{error.message}"
            )
        except TryAgain:
            return  # the next reading tells whether it matters
        else:
            # The first time stays: whole seconds cannot tell a look just before from one after.
            _, first = self._asked.get(ref, (0.0, fed.reading.time))
            self._asked[ref] = (self._session.clock.monotonic(), first)

    def _look_closer(self, now: float) -> None:
        """Ask what is wrong with resources and pods, now and then, while it is not well."""
        worst = self.following.worst
        if worst is None or worst.state not in ("progressing", "degraded", "suspended"):
            self.troubles = () if worst is not None and worst.state == "healthy" else self.troubles
            return
        if self._closer is None:
            self._closer = now
        if now - self._closer < _LOOK_CLOSER and self.following.answer is None:
            return
        self._closer = now
        self.troubles = self._find_troubles(worst)

    def _find_troubles(self, worst: Observation) -> tuple[Diagnosis, ...]:
        for fed in self._now:
            if fed.feed.application.ref == worst.ref:
                try:
                    return find_troubles(fed.cluster.workloads(fed.feed.application))
                except GitopsError:
                    return self.troubles  # it only explains
        return ()

    def _conclude(self) -> None:
        answer = self.following.answer
        worst = self.following.worst
        terms = self._terms
        match answer:
            case "stable":
                self._finish("stable" if terms.soak > 0 else "healthy", record="stable")
            case "healthy" if not terms.record and terms.soak == 0:
                self._finish("healthy")
            case "degraded":
                self._finish("degraded", record="degraded")
            case "failed" | "unrendered":
                self._finish(answer)
            case _ if worst is not None and worst.state == "superseded" and self.trouble is None:
                self._superseded()
            case _ if worst is not None and worst.state == "frozen":
                self._finish("frozen")
            case _ if self._spent >= terms.timeout:
                self._time_is_over()

    def _superseded(self) -> None:
        newest = self._placing.newest()
        has_own = newest is not None and self._has_own(newest)
        if newest is None or newest == self.release or not (self._terms.follow or has_own):
            self._finish("superseded")
            return
        old = self.release.commit[:7] if self.release is not None else ""
        same = f" has the same {', '.join(self._own)} and" if has_own else ""
        self._notes.append(f"{old} was superseded by {newest.commit[:7]}, which{same} is followed")
        self._session.say(self._notes[-1])
        self.release = newest
        self.following = Following()
        self.troubles = ()
        self._asked.clear()

    def _has_own(self, release: Release) -> bool:
        """Does it pin what the write asked for, whatever else it pins?"""
        images = release.images or {}
        return bool(self._own) and all(
            images.get(image) == value for image, value in self._own.items()
        )

    def _time_is_over(self) -> None:
        worst = self.following.worst
        if worst is None:
            self._finish("unseen")
        elif worst.state == "healthy":
            self._finish("progressing" if not self.following.answered else "healthy")
        else:
            self._finish(worst.state)

    def _finish(
        self, verdict: WaitVerdict, *, record: Literal["stable", "degraded"] | None = None
    ) -> None:
        worst = self.following.worst
        recorded = None
        if record is not None and self._terms.record and self.release is not None:
            recorded = self._record(self.release, record)
        self.report = WaitReport(
            overlay=self.overlay,
            release=self.release,
            verdict=verdict,
            message=self._message(verdict),
            observations=self.following.observations,
            troubles=self.troubles,
            since=worst.since if worst is not None else None,
            recorded=recorded,
            notes=tuple(self._notes),
            warnings=tuple(self._warnings),
        )

    def _message(self, verdict: WaitVerdict) -> str:
        worst = self.following.worst
        over = verdict not in ("healthy", "stable", "degraded", "failed", "unrendered")
        over = over and verdict not in ("superseded", "frozen")
        late = f" after {self._terms.timeout:.0f} s" if over else ""
        if self.trouble is not None:
            return f"not known{late}: {self.trouble}"
        if self.release is None:
            return f"Git does not ask for {self._wanted}{late}"
        if worst is None:
            return f"nothing was seen of it{late}"
        if verdict == "stable":
            return f"Healthy for {self.following.steady:.0f} s"
        who = f"{worst.ref.name}: " if len(self.following.observations) > 1 else ""
        return f"{who}{worst.text}{late and f' ({late.strip()})'}"

    def _record(
        self, release: Release, verdict: Literal["stable", "degraded"]
    ) -> Literal["stable", "degraded"] | None:
        """Write it down; that it could not be written changes nothing about what was seen."""
        reason = None
        if verdict == "degraded":
            reason = "; ".join(map(str, self.troubles[:3])) or self._message("degraded")
        try:
            stands = record_verdict(
                self._placing.view,
                release,
                verdict,
                self.following.observations,
                reason=reason,
                soak=self._terms.soak,
            )
        except (Denied, NotFound, TryAgain) as error:
            self._warnings.append(f"{verdict} could not be written to the ledger: {error.message}")
            return None
        return verdict if stands else None
