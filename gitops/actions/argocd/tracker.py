"""One overlay that is waited for: its release, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from gitops.actions.argocd.observation import degraded_because
from gitops.actions.argocd.reading import ReleaseReading
from gitops.actions.argocd.verdicts import record_verdict
from gitops.actions.context.view import OverlayView
from gitops.core.argocd.diagnosis import Diagnosis
from gitops.core.argocd.health import Observation, describe_leftovers
from gitops.core.argocd.progress import WaitEnding, WaitProgress, WaitTerms
from gitops.core.argocd.reports import WaitReport
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import Release
from gitops.errors import Denied, GitopsError, NotFound, TryAgain

_LOOK_CLOSER = 5.0


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
    """Follows one release of one overlay, reading by reading, until `report` is there.

    Args:
        asked: what `--for` waits for, while there is no release yet.
        own: images that the release was made for: a newer one that pins them is as good.

    Attributes:
        progress: what the readings so far amount to.
        diagnoses: what is not well with its resources and pods, where that can be read.
        report: set when there is nothing more to wait for.
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
        self._session = view.session
        self._reading = ReleaseReading(view)
        self._wanted = asked
        self._own = own or {}
        self._closer: float | None = None
        self.overlay = view.overlay
        self.release = release
        self.progress = WaitProgress(terms)
        self.diagnoses: tuple[Diagnosis, ...] = ()
        self.report: WaitReport | None = None

    def begin(self) -> None:
        """Find the Applications, watch them, and ask Argo CD to look at Git.

        Raises NotFound when there is none, and what the clusters raise.
        """
        self._reading.begin()
        if self.release is not None:
            self._reading.refresh()

    def step(self) -> None:
        """Read once more, and conclude what can be concluded.

        Raises Denied and NotFound; what may pass (Unavailable, TimedOut) is told by `progress`.
        """
        now = self._session.clock.monotonic()
        unreadable = None
        try:
            if self.release is None:
                self._look_for_release()
            if self.release is not None:
                observations = self._reading.observe(self.release)
                at = self._session.clock.monotonic()
                self.progress = self.progress.read(observations, at=at)
                self._look_closer(now)
        except TryAgain as error:
            unreadable = error.message
        self.progress = self.progress.tick(now, unreadable=unreadable)
        ending = self.progress.ending
        if ending is not None and not (ending.verdict == "superseded" and self._goes_on()):
            self._finish(ending)

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What the Applications said last."""
        return self.progress.following.observations

    def _look_for_release(self) -> None:
        """For `--for`: does the branch ask for it by now?"""
        index = self._reading.index
        newest = index.newest()
        if newest is None or self._wanted is None or not self._wanted.fits(newest):
            index.renew()
            newest = index.newest()
        if newest is not None and self._wanted is not None and self._wanted.fits(newest):
            note = f"{self.overlay.label} asks for it since {newest.commit[:7]}"
            self._reading.notes.append(note)
            self.release = newest
            self._reading.refresh()

    def _look_closer(self, now: float) -> None:
        """Ask what is wrong with resources and pods, now and then, while it is not well."""
        worst = self.progress.following.worst
        if worst is None or worst.state not in ("progressing", "degraded", "suspended"):
            if worst is not None and worst.state == "healthy":
                self.diagnoses = ()
            return
        if self._closer is None:
            self._closer = now
        if now - self._closer < _LOOK_CLOSER and self.progress.following.answer is None:
            return
        self._closer = now
        try:
            self.diagnoses = self._reading.diagnose(worst)
        except GitopsError:
            return  # it only explains

    def _goes_on(self) -> bool:
        """Follow the newer release, where that is wanted or as good."""
        newest = self._reading.index.newest()
        has_own = newest is not None and self._has_own(newest)
        is_wanted = self.progress.terms.follow or has_own
        if newest is None or newest == self.release or not is_wanted:
            return False
        old = self.release.commit[:7] if self.release is not None else ""
        same = f" has the same {', '.join(self._own)} and" if has_own else ""
        note = f"{old} was superseded by {newest.commit[:7]}, which{same} is followed"
        self._reading.notes.append(note)
        self._session.say(note)
        self.release = newest
        self.progress = self.progress.anew()
        self.diagnoses = ()
        self._reading.forget_refresh()
        return True

    def _has_own(self, release: Release) -> bool:
        """Does it pin what the write asked for, whatever else it pins?"""
        images = release.images or {}
        return bool(self._own) and all(
            images.get(image) == value for image, value in self._own.items()
        )

    def _finish(self, ending: WaitEnding) -> None:
        worst = self.progress.following.worst
        missing = str(self._wanted) if self.release is None else None
        message = self.progress.describe(ending.verdict, missing)
        recorded = None
        warnings = self._reading.warnings
        warnings += [
            f"{one.ref.name} is {describe_leftovers(one.leftovers)}"
            for one in self.observations
            if one.leftovers
        ]
        if ending.record is not None and self.progress.terms.record and self.release is not None:
            recorded = self._record(self.release, ending.record, message)
        self.report = WaitReport(
            overlay=self.overlay,
            release=self.release,
            verdict=ending.verdict,
            message=message,
            observations=self.observations,
            diagnoses=self.diagnoses,
            since=worst.since if worst is not None else None,
            recorded=recorded,
            notes=tuple(self._reading.notes),
            warnings=tuple(warnings),
        )

    def _record(
        self, release: Release, verdict: Literal["stable", "degraded"], message: str
    ) -> Literal["stable", "degraded"] | None:
        """Write it down; that it could not be written changes nothing about what was seen."""
        reason = degraded_because(self.diagnoses, message) if verdict == "degraded" else None
        try:
            stands = record_verdict(
                self._reading.index.view,
                release,
                verdict,
                self.observations,
                reason=reason,
                soak=self.progress.terms.soak,
            )
        except (Denied, NotFound, TryAgain) as error:
            text = f"{verdict} could not be written to the ledger: {error.message}"
            self._reading.warnings.append(text)
            return None
        return verdict if stands else None
