"""`gitops rollback`: restore earlier releases as a new commit, with the holds in the same commit.

The rule of which release is `core/releases/rollback.py`. Here it is fed with the history of each
overlay, asked once, and what it chose is carried through lost races: whatever landed meanwhile,
*that* release is restored. Of several overlays all go back, or none does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from gitops.actions.argocd.cluster_actions import ClusterActions, Underway
from gitops.actions.context.holds import paths_that_hold
from gitops.actions.context.named import overlays_named
from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Session, Tip, require_words
from gitops.actions.context.targets import Target
from gitops.actions.context.together import Told, refusal_of_all
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.images.look import Look
from gitops.actions.pull_requests.dropped import DroppedProposal, dropped_by, tell_dropped
from gitops.actions.releases.history import gather_releases, has_one_release, releases_of
from gitops.actions.releases.rollback_plan import (
    Restoration,
    RollbackRequest,
    assemble_rollback,
    check_schema,
    landed_since,
    told_risks,
)
from gitops.actions.releases.rollback_target import (
    choose_release,
    judge_bad,
    preview_lines,
    rollback_command,
)
from gitops.actions.write.write import write
from gitops.core.git.message import told_labels
from gitops.core.kustomization import missing_image
from gitops.core.kustomization.image import ImageChange
from gitops.core.releases.bots import maker_of
from gitops.core.releases.rollback import undo_edits
from gitops.core.releases.selection import Choice, describe
from gitops.core.report import WriteReport
from gitops.core.text.counting import counted
from gitops.core.text.plain import timestamp
from gitops.errors import (
    Denied,
    GitopsError,
    ManifestError,
    NotFound,
    Protected,
    Refused,
    UsageError,
)

__all__ = ["Preview", "RollbackRequest", "rollback"]


class Preview(Struct, frozen=True):
    """What a rollback will do, for the person who is asked."""

    label: str
    changes: tuple[tuple[str, ImageChange], ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


class _Stays(Struct, frozen=True):
    """An overlay where nothing is to be done, and why."""

    view: OverlayView
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    hint: str | None = None


def rollback(
    session: Session,
    request: RollbackRequest,
    *,
    confirm: Callable[[Preview], bool] | None = None,
    guard: Callable[[OverlayView, Choice], None] | None = None,
) -> WriteReport:
    """Restore an earlier release of every overlay that is named, and hold it: one commit.

    `confirm` is asked once, before anything is written; None means yes. `guard` is asked each time
    that it is planned, and ends the call by what it raises.
    Raises Refused, with all reasons, when there is nothing to go back to or the answer was no,
    NotFound for an unknown environment, image or release, and what `write` raises.
    """
    require_words(request.override, "--override")
    require_words(request.reason, "--reason")
    call = _Call(session, request, confirm, guard)
    try:
        report = write(session, call.plan, lenient=True).report
    except Denied as error:
        if not call.dropped:
            raise _explained(error, request) from error
        # Going back must not fail because a server keeps the branch of a proposal.
        call.keeps_branch = True
        try:
            report = write(session, call.plan, lenient=True).report
        except Denied as again:
            raise _explained(again, request) from again
    if session.dry_run:
        return report
    report = call.steer(report)
    if any(one.state == "open" for one in report.proposals):
        from gitops.actions.pull_requests.publish import publish

        report = publish(session, report)
    return call.tell(report) if report.outcome == "committed" else report


class _Call(Struct):
    """One call of `rollback`: what it chose and was told at first holds for all of its tries.

    Attributes:
        chosen: label of each overlay -> the release to restore: its row may change meanwhile.
        asked: the person was asked.
        dropped: the proposals that go with the rollback.
        keeps_branch: the server does not let their branches go.
        steering: what is done in the cluster; None before, and for checkouts.
        looked: Rollouts were looked at, and stopped where that was wanted.
        planned_on: label -> the newest commit of the overlay when it was planned first.
        views: of the overlays that are meant, as of the tip that is planned on.
        look: what registries have been asked; None before.
    """

    session: Session
    request: RollbackRequest
    confirm: Callable[[Preview], bool] | None
    guard: Callable[[OverlayView, Choice], None] | None
    chosen: dict[str, Choice] = field(default_factory=dict)
    asked: bool = False
    dropped: list[DroppedProposal] = field(default_factory=list)
    keeps_branch: bool = False
    steering: ClusterActions | None = None
    looked: bool = False
    planned_on: dict[str, str | None] = field(default_factory=dict)
    views: list[OverlayView] = field(default_factory=list)
    look: Look | None = None

    def plan(self, tip: Tip) -> Plan:
        """Return what the rollback wants, seen from `tip`."""
        views = self.views = self._views(tip)
        told = Told(several=len(views) > 1)
        found: list[Restoration] = []
        stay: list[_Stays] = []
        failed: list[tuple[OverlayView, GitopsError]] = []
        for view in counted(self.session.count, "looking for what to restore", views):
            try:
                one = self._one(view, told)
            except (Refused, NotFound, ManifestError, UsageError) as error:
                if not told.several:
                    raise
                failed.append((view, error))
                continue
            if isinstance(one, Restoration):
                found.append(one)
            else:
                stay.append(one)
        self._sort_out(found, stay, failed)
        for each in stay:
            told.notes(each.view.label, each.notes)
        if not found:
            return self._runs(stay, told)
        return self._made(found, told)

    def _views(self, tip: Tip) -> list[OverlayView]:
        """Return the overlays that are named and, of several, have one of the images."""
        overlays = overlays_named(tip, self.request.named)
        views = [view_of(self.session, tip, overlay) for overlay in overlays]
        images = self.request.images
        if len(views) > 1 and images:
            pins = {view: view.target_images for view in views}
            every = dict.fromkeys(image for pinned in pins.values() for image in pinned)
            for image in images:
                if image not in every:
                    where = self.request.named.text
                    raise missing_image(image, every, where, can_add=False)
            views = [view for view in views if not pins[view].keys().isdisjoint(images)]
        if len(views) > 1:
            gather_releases(views)
        return views

    def _one(self, view: OverlayView, told: Told) -> Restoration | _Stays:
        """Return what is put back in one overlay, or why nothing is."""
        request, current = self.request, view.target_images
        only = [image for image in request.images if image in current]
        if not told.several:
            only = list(request.images)
            _known_images(view, request)
        if (done := _taken_back(view, request, only)) is not None:
            return done
        if view.label not in self.chosen:
            self._look_at_clusters()
            self.chosen[view.label] = _choose(view, request, only)
        choice = self.chosen[view.label]
        if self.guard is not None:
            self.guard(view, choice)
        hint = None
        if not any(view.home.read(path) for path in paths_that_hold(view.overlay)):
            hint = f"`gitops hold {view.overlay.typed} --reason TEXT` keeps it as it is"
        if (restored := choice.release) is None:
            return _Stays(view, choice.notes, choice.warnings, hint)
        edit = view.edit(requests := tuple(one for one in choice.requests if one.image in current))
        planned_on = self.planned_on.get(view.label)
        since, self.planned_on[view.label] = landed_since(view, restored, planned_on)
        if not edit.changes:
            notes = (f"{describe(restored)} is what already runs", *since)
            return _Stays(view, notes, choice.warnings, hint)
        over = check_schema(view, restored, edit.changes, request)
        told.notes(view.label, (*choice.notes, *since))
        told.warnings(view.label, (*choice.warnings, *edit.warnings, *told_risks(over)))
        return Restoration(view, requests, edit, choice, restored, over)

    def _look_at_clusters(self) -> None:
        """Begin to read the Applications, once, while Git is read: a canary may be under way."""
        if self.steering is None and not self.chosen:
            fed = [view.overlay for view in self.views if view.row.change != "work-tree"]
            if fed:
                self.steering = ClusterActions(self.session, self.views[0].tip, fed)

    def _sort_out(
        self,
        found: Sequence[Restoration],
        stay: list[_Stays],
        failed: list[tuple[OverlayView, GitopsError]],
    ) -> None:
        """Say what becomes of the overlays that cannot go back: they stay, or nothing is done.

        One that a bad release never reached has nothing to take back, and one that had a single
        release nothing to go back to. Raises Refused or NotFound with all reasons.
        """
        against = []
        is_plain = self.request.to is None and self.request.bad is None
        for view, error in failed:
            is_other = self.request.bad is not None and isinstance(error, NotFound)
            if is_other and (found or stay):
                stay.append(_Stays(view, ("that release is none of its own: it stays",)))
            elif found and is_plain and has_one_release(view):
                stay.append(_Stays(view, ("it has had one release only, and stays",)))
            else:
                against.append((view.label, error))
        if against:
            rest = [one.label for one in found]
            command = f"`gitops rollback {' '.join(rest)}` rolls back the others" if rest else None
            raise refusal_of_all("rolled back", against, hint=command)

    def _made(self, found: Sequence[Restoration], told: Told) -> Plan:
        session = self.session
        made = assemble_rollback(found, self.request)
        going = set(made.reached) if made.commits else set()
        self.dropped, stays = dropped_by(one.view for one in found if one.view.overlay in going)
        going_with = [] if self.keeps_branch else self.dropped
        seen = self._look_at_registries(found)
        made = replace(
            made,
            ending=(*made.ending, *(one.proposal for one in going_with)),
            passed_over=tuple(
                replace(entry, overlay=one.label if told.several else None)
                for one in found
                for entry in one.choice.left_out
            ),
            warnings=(*told.all_warnings(), *made.warnings, *stays, *seen),
            notes=(*told.all_notes(), *made.notes, *map(str, going_with)),
        )
        underway = self._underway(found)
        coming = tuple(f"aborts {one.resource} first: {one.rollout.describe()}" for one in underway)
        if session.dry_run:
            return replace(made, notes=made.notes + coming)
        label = told_labels([one.label for one in found])
        changes = tuple((one.label, change) for one in found for change in one.edit.changes)
        self._ask(Preview(label, changes, made.notes + coming, made.warnings))
        if self.steering is not None:
            after = [change.after for one in found for change in one.edit.changes]
            self.steering.abort(underway, after)
        return made

    def _look_at_registries(self, found: Sequence[Restoration]) -> tuple[str, ...]:
        """Return what a person should know of the images; it bars only a way back unasked."""
        self.look = self.look or Look(self.session)
        targets = [Target(one.view, one.requests) for one in found]
        return self.look.restored(targets, unasked=self.guard is not None)

    def _runs(self, stay: Sequence[_Stays], told: Told) -> Plan:
        """Return the plan where what is restored runs already: no commit, also not for a hold."""
        for one in stay:
            told.warnings(one.view.label, one.warnings)
        return Plan(
            action="rollback",
            notes=told.all_notes(),
            warnings=told.all_warnings(),
            hint=stay[0].hint if len(stay) == 1 else None,
            reached=tuple(one.view.overlay for one in stay if one.view.row.change != "work-tree"),
        )

    def _ask(self, preview: Preview) -> None:
        """Ask the person once. Raises Refused when the answer is no."""
        if self.confirm is None or self.asked:
            return
        self.asked = True
        if not self.confirm(preview):
            raise Refused("nothing was rolled back", hint="--yes does not ask")

    def _underway(self, found: Sequence[Restoration]) -> tuple[Underway, ...]:
        """Return the Rollouts to be stopped; looked for once, before the first try."""
        first, self.looked = not self.looked, True
        if self.steering is None or not first or not self.request.abort:
            return ()
        looks = (self.steering.underway(one.view.overlay, one.edit.changes) for one in found)
        return tuple(underway for each in looks for underway in each)

    def steer(self, report: WriteReport) -> WriteReport:
        """Let Argo CD look at the commit now, and show the hold."""
        if self.steering is None:
            return report
        if report.outcome == "committed":
            self.steering.refresh()
            self.steering.show_holds()
        return self.steering.told(report)

    def tell(self, report: WriteReport) -> WriteReport:
        """Close the pull requests of the dropped proposals, with the reason."""
        if not self.dropped:
            return report
        restored = {
            label: choice.release.commit
            for label, choice in self.chosen.items()
            if choice.release is not None
        }
        return tell_dropped(
            self.session,
            report,
            self.dropped,
            restored,
            reason=self.request.reason,
            keeps_branch=self.keeps_branch,
        )


def _explained(error: Denied, request: RollbackRequest) -> Denied:
    """Say who may, where the server keeps the branch; the way back never changes by itself."""
    if isinstance(error, Protected):
        error.hint = (
            "an account that the server lets push there may run the same command; or say "
            f"`rollback: pull-request` for {request.named.text} in gitops.yaml, and it is proposed"
        )
    return error


def _known_images(view: OverlayView, request: RollbackRequest) -> None:
    present = view.target_images
    for image in request.images:
        if image not in present:
            raise missing_image(image, present, view.target.path, can_add=False)


def _taken_back(
    view: OverlayView, request: RollbackRequest, images: Sequence[str]
) -> _Stays | None:
    """Ask what became of the release that is called bad; None: it runs, so it is taken back.

    Raises Refused, with what a rollback would do now, when something newer runs.
    """
    if request.bad is None:
        return None
    current, only = view.target_images, frozenset(images) or None
    bad = judge_bad(view, current, request.bad, only=only)
    if (by := bad.taken_by) is not None:
        when = timestamp(by.time) if by.time is not None else "unknown"
        verb = maker_of(by) if by.action is None else f"by {by.author.name}"
        taken = f"{describe(bad.release)} was taken back already, {verb}, {when}: {describe(by)}"
        return _Stays(view, (taken,))
    if bad.newer is None:
        return None
    raise Refused(
        f"{view.label} does not run {describe(bad.release)} any more: "
        f"{describe(bad.newer)} is newer",
        hint=f"`{rollback_command(view.overlay)} --bad {bad.newer.commit[:7]}` takes that back",
        reasons=preview_lines(view, current, only=only),
    )


def _choose(view: OverlayView, request: RollbackRequest, images: Sequence[str]) -> Choice:
    """Ask the rule, with as much of the history as it needs."""
    current = view.target_images
    only = frozenset(images) or None
    if view.row.change == "work-tree" and request.to is None:
        return undo_edits(releases_of(view), current, only=only)
    return choose_release(view, current, only=only, to=request.to, override=request.override)
