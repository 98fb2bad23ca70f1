"""What a rollback or a hold does in the cluster beside Git: stop a canary, refresh, show the hold.

All of it is a courtesy. Git decides, and none of this may fail a write, hold it up for long, or
say anything where no cluster is set up. The Applications are read in the background while Git is
read, so that a bad canary can be stopped before the commit is made.

A notice that stays though its hold is gone says what is not so. Its end is waited for, and whoever
lifted the hold is told where it may still stand, and what takes it away (decision 51).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.argocd.at_hand import clusters_at_hand
from gitops.actions.argocd.tracking import Readings, TrackingApplication, TrackingResult, read_feeds
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.core.argocd.application import NOTICE, NOTICE_SEVERITY, REFRESH, Resource
from gitops.core.argocd.rollout import Rollout, read_rollout
from gitops.core.environments.environment import Overlay
from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageChange, ImageValue, split_reference
from gitops.core.report import WriteReport
from gitops.core.text.plain import one_line
from gitops.errors import GitopsError, TryAgain
from gitops.ports import Cluster, Reading

WITHIN = 2.5
"""Seconds that one question to a cluster may take, and that anybody waits for all of them."""

PATIENCE = 10.0
"""Seconds that anybody waits for a notice to go: one that stays says what is not so.

Loading the Kubernetes client alone takes seconds on a busy machine, and counts.
"""

_PAUSE = 0.5  # seconds before a cluster that did not take a change is asked again
_OURS = "gitops: held"
_NOT_DONE = "nothing is done there: "
_LONGEST_NOTICE = 500  # Argo CD cuts there
_LEAST_WORDS = 100  # of a notice, before what lifts it


class Underway(Struct, frozen=True):
    """A Rollout in the middle of an update."""

    fed: TrackingApplication
    resource: Resource
    rollout: Rollout


class ClusterActions:
    """The Applications of some overlays, and what is done to them; never raises.

    Attributes:
        notes, warnings: for the report; () where no cluster is set up.
    """

    def __init__(self, session: Session, tip: Tip, overlays: Sequence[Overlay]) -> None:
        self._session = session
        self._tip = tip
        self._overlays = tuple(overlays)
        self._found: dict[Overlay, TrackingResult] | None = None
        self._unread: dict[Overlay, list[str]] = {}  # why somebody who matters was not read
        self.notes: list[str] = []
        self.warnings: list[str] = []
        rows = [overlay.environment for overlay in self._overlays]
        self._readings = Readings(session, clusters_at_hand(session, tip, rows, within=WITHIN))
        for problem in self._readings.unusable.values():
            self._warn(f"nothing is done in the cluster: {problem}")

    def underway(self, overlay: Overlay, changes: Sequence[ImageChange]) -> tuple[Underway, ...]:
        """Return the Rollouts in the middle of an update of an image that `changes` take back."""
        names = {change.before.name or change.image for change in changes}
        found: list[Underway] = []
        for fed in self._fed(overlay):
            application = fed.feed.application
            rollouts = {one.name: one for one in application.resources if one.kind == "Rollout"}
            if not rollouts:
                continue
            workloads = fed.cluster.workloads(application)
            if workloads.unread is not None:
                self._warn(
                    f"{application.ref.name}: a Rollout is not looked at: {workloads.unread}"
                )
            for told in workloads.objects:
                rollout = read_rollout(told, workloads.replica_sets)
                if told.get("kind") != "Rollout" or not rollout.is_underway:
                    continue
                if names & {split_reference(image)[0] for image in rollout.images}:
                    found.append(Underway(fed, rollouts[rollout.name], rollout))
        return tuple(found)

    def abort(self, found: Sequence[Underway], restored: Sequence[ImageValue]) -> None:
        """Stop Rollouts; one that cannot be stopped does not stop the rollback."""
        for one in found:
            try:
                one.fed.cluster.abort(one.fed.feed.application, one.resource)
            except GitopsError as error:
                self.warnings.append(f"{one.resource} was not aborted: {error.message}")
                continue
            self._session.say(f"aborted {one.resource}: its stable version gets the traffic")
            self.notes.append(f"aborted {one.resource}, which was {one.rollout.describe()}")
            tags = {(value.tag, value.digest) for value in restored}
            stable = [split_reference(image) for image in one.rollout.stable_images]
            if stable and not any(
                (tag, None) in tags or any(digest and digest == want for _, want in tags)
                for _, tag, digest in stable
            ):
                images = ", ".join(one.rollout.stable_images)
                self.notes.append(f"until Argo CD has synced, {images} serves")

    def refresh(self) -> None:
        """Ask Argo CD to look at Git now."""
        for overlay in self._overlays:
            for fed in self._fed(overlay):
                try:
                    fed.cluster.annotate(fed.feed.application.ref, {REFRESH: "normal"})
                except GitopsError as error:
                    self._warn(
                        f"{fed.feed.application.ref.name} was not refreshed: {error.message}"
                    )

    def show_holds(self) -> None:
        """Let each Application say who holds it and why, or take that away."""
        if not any(self._readings.clusters.values()):
            return
        try:
            tip = open_tip(self._session)
            holds = {one: view_of(self._session, tip, one).hold for one in self._overlays}
        except GitopsError as error:
            self._warn(f"the hold is not shown in Argo CD: {error.message}")
            return
        goes = [overlay for overlay, hold in holds.items() if hold is None]
        begun = self._session.clock.monotonic()
        end = begun + (PATIENCE if goes else WITHIN)
        self._look_again(begun + WITHIN)
        before = list(self.warnings)
        if any(self._are_late(overlay) for overlay in goes):
            self._session.say("waiting for Argo CD, which may still say that there is a hold")
            self.warnings = before  # what is said in the end counts
            self._look_again(end)
        for overlay, hold in holds.items():
            for fed in self._fed(overlay):
                try:
                    self._show(fed, overlay, hold, end)
                except GitopsError as error:
                    self._stays(overlay, hold, f"{fed.feed.application.ref.name}: {error.message}")
        for overlay in goes:
            for problem in self._unread.get(overlay, ()):
                self._stays(overlay, None, problem)

    def _show(
        self, fed: TrackingApplication, overlay: Overlay, hold: Hold | None, end: float
    ) -> None:
        """Show the hold, or take a notice away; that is tried until `end`."""
        clock = self._session.clock
        while True:
            try:
                changed = show_hold(fed, overlay, hold)
            except TryAgain:
                if hold is not None or clock.monotonic() + _PAUSE >= end:
                    raise
                clock.pause(_PAUSE, _PAUSE)
                continue
            if changed and hold is None:
                self.notes.append(
                    f"{fed.feed.application.ref.name} does not say any more that it is held"
                )
            return

    def _stays(self, overlay: Overlay, hold: Hold | None, why: str) -> None:
        """Say that Argo CD shows what is not so, and what mends it."""
        if hold is not None:
            self._warn(f"the hold is not shown in Argo CD: {why}; `gitops watch` shows it")
            return
        if _NOT_DONE + why in self.warnings:
            self.warnings.remove(_NOT_DONE + why)
        text = f"Argo CD may still say that {overlay.label} is held: {why}; "
        resume = f"gitops resume {overlay.typed}"
        text += f"`{resume}` again takes the notice away, and so does `gitops watch`"
        if text not in self.warnings:
            self.warnings.append(text)

    def _look_again(self, end: float) -> None:
        """Wait until `end` for clusters that were late: what they say counts now."""
        self._readings.wait_until(end)
        if self._unread:
            self._found = None
            self._unread.clear()

    def _are_late(self, overlay: Overlay) -> bool:
        """Say whether a cluster of an overlay has been waited for, and may still answer."""
        self._fed(overlay)
        clusters = self._readings.clusters.get(overlay.environment.name, ())
        return any(self._readings.was_late(cluster) for cluster in clusters)

    def told(self, report: WriteReport) -> WriteReport:
        """Return `report` with what there is to say."""
        return replace(
            report,
            notes=report.notes + tuple(self.notes),
            warnings=report.warnings + tuple(self.warnings),
        )

    def _fed(self, overlay: Overlay) -> tuple[TrackingApplication, ...]:
        if self._found is None:
            self._found = {}
            for one in self._overlays:
                clusters = self._readings.clusters.get(one.environment.name)
                if clusters is None:
                    continue
                readings = [
                    (cluster, reading)
                    for cluster in clusters
                    if (reading := self._reading(cluster, one)) is not None
                ]
                try:
                    view = view_of(self._session, self._tip, one)
                    self._found[one] = read_feeds(view, readings)
                except GitopsError as error:
                    self._warn(f"{one.label}: its Applications are not known: {error.message}")
        found = self._found.get(overlay)
        return found.fed if found is not None else ()

    def _reading(self, cluster: Cluster, overlay: Overlay) -> Reading | None:
        """Return what was read in time, None when nothing was."""
        try:
            return self._readings.of(cluster)
        except GitopsError as error:
            # Who refuses a connection and was never named has no notice of ours.
            if self._readings.are_named or self._readings.was_late(cluster):
                self._unread.setdefault(overlay, []).append(error.message)
            self._warn(_NOT_DONE + error.message)
            return None

    def _warn(self, text: str) -> None:
        """Say it where somebody set a cluster up on purpose."""
        if self._readings.are_named and text not in self.warnings:
            self.warnings.append(text)


def show_hold(fed: TrackingApplication, overlay: Overlay, hold: Hold | None) -> bool:
    """Set, change or remove the notice of one Application; True when something was patched.

    A notice that somebody else wrote stays. Raises what `Cluster.annotate` raises.
    """
    application = fed.feed.application
    present = application.annotations.get(NOTICE)
    wanted = notice_of(overlay, hold) if hold is not None else None
    if present == wanted or (present is not None and not present.startswith(_OURS)):
        return False
    severity = "warning" if wanted is not None else None
    fed.cluster.annotate(application.ref, {NOTICE: wanted, NOTICE_SEVERITY: severity})
    return True


def notice_of(overlay: Overlay, hold: Hold) -> str:
    """Return what an Application says of a hold: plain text of at most 500 characters."""
    since = f" since {hold.since:%Y-%m-%d %H:%M} UTC" if hold.since is not None else ""
    at = f" at {hold.release[:7]}" if hold.release is not None else ""
    text = f"{_OURS}{at} by {hold.by}{since}: {hold.reason}"
    end = f" (gitops resume {overlay.typed} lifts it)"
    shown = one_line(text, max(_LONGEST_NOTICE - len(end), _LEAST_WORDS)) + end
    return one_line(shown, _LONGEST_NOTICE)
