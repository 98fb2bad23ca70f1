"""Reading what the Applications of one overlay say of a release, again and again."""

from __future__ import annotations

from datetime import datetime

from gitops.actions.argocd.commit_index import CommitIndex
from gitops.actions.argocd.observation import diagnose_worst, observe
from gitops.actions.argocd.refresh import REFRESH_AGAIN
from gitops.actions.argocd.tracking import (
    TrackingApplication,
    TrackingResult,
    no_application,
    read_again,
    read_feeds,
)
from gitops.actions.context.view import OverlayView
from gitops.core.argocd.application import REFRESH, ApplicationRef
from gitops.core.argocd.diagnosis import Diagnosis
from gitops.core.argocd.health import Observation
from gitops.core.releases.release import Release
from gitops.errors import Denied, TryAgain

WITHIN = 10.0
"""Seconds that one question to a cluster may take."""

_LIST_AGAIN = 60.0


class ReleaseReading:
    """Reads the Applications of an overlay, and has Argo CD look at Git.

    Attributes:
        index: where commits stand in Git.
        notes: what happened on the way.
        warnings: what was found beside the Applications.
    """

    def __init__(self, view: OverlayView) -> None:
        session = self._session = view.session
        self._clusters = session.clusters.of(view.tip.config, view.row, within=WITHIN)
        self._found = TrackingResult()
        self._now: list[TrackingApplication] = []
        self._listed: float | None = None
        self._asked: dict[ApplicationRef, tuple[float, datetime]] = {}
        self._may_ask = True
        self.index = CommitIndex(view)
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def begin(self) -> None:
        """Find the Applications and watch them.

        Raises NotFound when there is none, and what the clusters raise.
        """
        self._list()
        if not self._found.fed:
            raise no_application(self.index.view, self._found)
        bell = self._session.clusters.bell
        for cluster in self._clusters:
            refs = [one.feed.application.ref for one in self._found.fed if one.cluster is cluster]
            if refs:
                cluster.watch(refs, bell.ring)

    def refresh(self) -> None:
        """Ask Argo CD to look at Git now."""
        for fed in self._found.fed:
            self._refresh(fed)

    def forget_refresh(self) -> None:
        """Ask anew from here on: it is about another release."""
        self._asked.clear()

    def observe(self, release: Release) -> list[Observation]:
        """Read once more. Raises what the clusters raise."""
        now = self._session.clock.monotonic()
        if self._listed is None or now - self._listed >= _LIST_AGAIN:
            self._list()
        fed = [read_again(self.index.view, one) for one in self._found.fed]
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
        return observations

    def diagnose(self, worst: Observation) -> tuple[Diagnosis, ...]:
        """Return what is not well there. Raises what `Cluster.workloads` raises."""
        return diagnose_worst(self._now, worst)

    def _list(self) -> None:
        self._listed = self._session.clock.monotonic()
        readings = [(cluster, cluster.applications()) for cluster in self._clusters]
        self._found = read_feeds(self.index.view, readings)
        self.warnings = [
            *self._found.warnings,
            *(f"not waited for: {text}" for text in self._found.pinned),
        ]

    def _judge(self, fed: TrackingApplication, release: Release) -> Observation:
        newest = self.index.newest()
        _, asked = self._asked.get(fed.feed.application.ref, (0.0, None))
        is_newest = newest is None or newest.images == release.images
        return observe(fed, release, self.index, is_newest=is_newest, asked=asked)

    def _refresh_again(self, fed: TrackingApplication) -> None:
        """Ask once more when the last time was a while ago and is dealt with."""
        application = fed.feed.application
        asked = self._asked.get(application.ref)
        now = self._session.clock.monotonic()
        if REFRESH in application.annotations:
            return
        if asked is None or now - asked[0] >= REFRESH_AGAIN:
            self._refresh(fed)

    def _refresh(self, fed: TrackingApplication) -> None:
        if not self._may_ask:
            return
        ref = fed.feed.application.ref
        try:
            fed.cluster.annotate(ref, {REFRESH: "normal"})
        except Denied as error:
            self._may_ask = False
            self.notes.append(
                f"Argo CD looks by itself, every few minutes, since it may not be asked: "
                f"{error.message}"
            )
        except TryAgain:
            return  # the next reading tells whether it matters
        else:
            # The first time stays: whole seconds cannot tell a look just before from one after.
            _, first = self._asked.get(ref, (0.0, fed.reading.time))
            self._asked[ref] = (self._session.clock.monotonic(), first)
