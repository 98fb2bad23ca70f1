"""`gitops rollback`: restore an earlier release as a new commit, with a hold in the same commit.

The rule of which release is `core/releases/rollback.py`. Here it is fed with the history, asked
once, and what it chose is carried through lost races: whatever landed meanwhile, *that* release
is restored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.argocd.cluster_actions import ClusterActions, Underway
from gitops.actions.context.named import find_overlay
from gitops.actions.context.overlays import OverlayFile
from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Session, Tip, require_words
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.proposals.find import (
    ProposalLookup,
    find_proposal,
    proposal_branch,
    told_commits,
)
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.rollback_plan import RollbackRequest, assemble_rollback, landed_since
from gitops.actions.releases.rollback_target import (
    choose_release,
    judge_bad,
    preview_lines,
    rollback_command,
)
from gitops.actions.write.write import write
from gitops.core.environments.environment import Overlay
from gitops.core.kustomization import edit_images, missing_image
from gitops.core.kustomization.image import ImageChange
from gitops.core.releases.rollback import undo_edits
from gitops.core.releases.selection import Choice, describe
from gitops.core.report import Proposal, WriteReport
from gitops.core.text.plain import timestamp
from gitops.errors import Denied, ManifestError, NotFound, Protected, Refused

__all__ = ["Preview", "RollbackRequest", "rollback"]


class Preview(Struct, frozen=True):
    """What a rollback will do, for the person who is asked."""

    label: str
    changes: tuple[tuple[str, ImageChange], ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def rollback(
    session: Session,
    request: RollbackRequest,
    *,
    confirm: Callable[[Preview], bool] | None = None,
    guard: Callable[[OverlayView, Choice], None] | None = None,
) -> WriteReport:
    """Restore an earlier release of one environment and hold it.

    `confirm` is asked once, before anything is written; None means yes. `guard` is asked each time
    that it is planned, and ends the call by what it raises.
    Raises Refused when there is nothing to go back to or the answer was no, NotFound for an
    unknown environment, image or release, and what `write` raises.
    """
    require_words(request.override, "--override")
    require_words(request.reason, "--reason")
    call = _Call(session, request, confirm, guard)
    try:
        report = write(session, call.plan, lenient=True).report
    except Denied as error:
        if call.dropped is None:
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
    if report.outcome == "committed":
        return call.tell(report)
    from gitops.actions.pull_requests.publish import publish

    return publish(session, report)


class _Call(Struct):
    """One call of `rollback`: what it chose and was told at first holds for all of its tries.

    Attributes:
        chosen: the release to restore; None before.
        asked: the person was asked.
        dropped: the proposal that goes with the rollback, with the view that it was seen in.
        with_it: what others wrote in that proposal, for the note.
        keeps_branch: the server does not let the branch of that proposal go.
        steering: what is done in the cluster; None before, and for a checkout.
        looked: Rollouts were looked at, and stopped where that was wanted.
        planned_on: the newest commit of the overlay when it was planned first.
    """

    session: Session
    request: RollbackRequest
    confirm: Callable[[Preview], bool] | None
    guard: Callable[[OverlayView, Choice], None] | None
    chosen: Choice | None = None
    asked: bool = False
    dropped: tuple[OverlayView, Proposal] | None = None
    with_it: str = ""
    keeps_branch: bool = False
    steering: ClusterActions | None = None
    looked: bool = False
    planned_on: str | None = None

    def plan(self, tip: Tip) -> Plan:
        """Return what the rollback wants, seen from `tip`."""
        session, request = self.session, self.request
        overlay = find_overlay(tip, request.environment, request.app)
        view = view_of(session, tip, overlay)
        file = view.target
        _known_images(file, request)
        if (done := _taken_back(view, file, request)) is not None:
            return done
        if self.chosen is None:
            if overlay.environment.change != "work-tree":
                self.steering = ClusterActions(session, tip, [overlay])
            self.chosen = _choose(view, file, request)
        choice = self.chosen
        if self.guard is not None:
            self.guard(view, choice)
        restored = choice.release
        if restored is None:
            return self._runs(view, choice.notes)
        present = file.read_images()
        requests = tuple(entry for entry in choice.requests if entry.image in present)
        edit = edit_images(file.content, file.path, requests)
        since, self.planned_on = landed_since(view, restored, self.planned_on)
        if not edit.changes:
            return self._runs(view, (f"{describe(restored)} is what already runs", *since))
        made = assemble_rollback(view, edit, requests, choice, restored, request)
        ending = self._drop(view) if made.commits else ()
        ending = () if self.keeps_branch else ending
        made = replace(
            made,
            ending=ending,
            passed_over=choice.left_out,
            warnings=choice.warnings + edit.warnings + made.warnings,
            notes=(
                *choice.notes,
                *since,
                *made.notes,
                *(f"drops the proposal {one.branch}{_of(one)}{self.with_it}" for one in ending),
            ),
        )
        underway = self._underway(overlay, edit.changes)
        coming = tuple(f"aborts {one.resource} first: {one.rollout.describe()}" for one in underway)
        if session.dry_run:
            return replace(made, notes=made.notes + coming)
        changes = tuple((overlay.label, change) for change in edit.changes)
        self._ask(Preview(overlay.label, changes, made.notes + coming, made.warnings))
        if self.steering is not None:
            self.steering.abort(underway, [change.after for change in edit.changes])
        return made

    def _runs(self, view: OverlayView, notes: tuple[str, ...]) -> Plan:
        """Return the plan where what is restored runs already: no commit, also not for a hold."""
        return Plan(
            action="rollback",
            notes=notes,
            warnings=self.chosen.warnings if self.chosen is not None else (),
            hint=f"`gitops hold {view.overlay.typed} --reason TEXT` keeps it as it is",
            reached=(view.overlay,) if self.steering is not None else (),
        )

    def _ask(self, preview: Preview) -> None:
        """Ask the person once. Raises Refused when the answer is no."""
        if self.confirm is None or self.asked:
            return
        self.asked = True
        if not self.confirm(preview):
            raise Refused("nothing was rolled back", hint="--yes does not ask")

    def _underway(self, overlay: Overlay, changes: Sequence[ImageChange]) -> tuple[Underway, ...]:
        """Return the Rollouts to be stopped; looked for once, before the first try."""
        first, self.looked = not self.looked, True
        if self.steering is None or not first or not self.request.abort:
            return ()
        return self.steering.underway(overlay, changes)

    def steer(self, report: WriteReport) -> WriteReport:
        """Let Argo CD look at the commit now, and show the hold."""
        if self.steering is None:
            return report
        if report.outcome == "committed":
            self.steering.refresh()
            self.steering.show_holds()
        return self.steering.told(report)

    def _drop(self, view: OverlayView) -> tuple[Proposal, ...]:
        """Return the proposal that the rollback ends, also one that has landed and was left."""
        self.dropped = None
        overlay = view.overlay
        if overlay.environment.change != "pull-request":
            return ()
        branch, base = proposal_branch(overlay), view.branch
        try:
            found = find_proposal(view)
        except (ManifestError, NotFound):
            # Whoever may push that branch cannot stop a rollback with what it holds.
            found = ProposalLookup(self.session.repository.snapshot(branch).commit, None)
        head, present = found.head, found.present
        if head is None:
            return ()
        ended = Proposal(overlay, branch, head, state="closed", base=base)
        if present is not None:
            ended = present.report(overlay, state="closed")
        others = present.others if present is not None else found.commits
        self.with_it = f", and with it {told_commits(others)}" if others else ""
        self.dropped = (view, ended)
        return (ended,)

    def tell(self, report: WriteReport) -> WriteReport:
        """Close the pull request of the dropped proposal, with the reason."""
        if self.dropped is None or self.chosen is None or self.chosen.release is None:
            return report
        from gitops.actions.pull_requests.publish import end_pull_request
        from gitops.core.proposals.comments import render_rolled_back

        view, ended = self.dropped
        kept = f"{ended.branch} could not be deleted: its server says no"
        comment = render_rolled_back(
            ended.overlay,
            self.session.identity().name,
            restores=self.chosen.release.commit,
            commit=report.commit,
            reason=self.request.reason,
        )
        pull, doubts = end_pull_request(view, ended.commit or "", comment)
        if pull is not None:
            ended = replace(ended, number=pull.number, url=pull.url)
        elif self.keeps_branch:
            ended = replace(ended, state="open")
        warnings = report.warnings + ((kept,) if self.keeps_branch else ()) + doubts
        return replace(report, proposals=(ended,), warnings=warnings)


def _of(proposal: Proposal) -> str:
    by = f", by {proposal.by}" if proposal.by is not None else ""
    return f" ({(proposal.commit or '')[:7]}{by})"


def _explained(error: Denied, request: RollbackRequest) -> Denied:
    """Say who may, where the server keeps the branch; the way back never changes by itself."""
    if isinstance(error, Protected):
        error.hint = (
            "an account that the server lets push there may run the same command; or say "
            f"`rollback: pull-request` for {request.environment} in gitops.yaml, and it is proposed"
        )
    return error


def _known_images(file: OverlayFile, request: RollbackRequest) -> None:
    present = file.read_images()
    for image in request.images:
        if image not in present:
            raise missing_image(image, present, file.path, can_add=False)


def _taken_back(view: OverlayView, file: OverlayFile, request: RollbackRequest) -> Plan | None:
    """Ask what became of the release that is called bad; None: it runs, so it is taken back.

    Raises Refused, with what a rollback would do now, when something newer runs.
    """
    if request.bad is None:
        return None
    current, only = file.read_images(), frozenset(request.images) or None
    bad = judge_bad(view, current, request.bad, only=only)
    if bad.taken_by is not None:
        by = bad.taken_by
        when = timestamp(by.time) if by.time is not None else "unknown"
        verb = "by hand" if by.action is None else f"by {by.author.name}"
        note = f"{describe(bad.release)} was taken back already, {verb}, {when}: {describe(by)}"
        return Plan(action="rollback", notes=(note,), reached=(view.overlay,))
    if bad.newer is None:
        return None
    raise Refused(
        f"{view.label} does not run {describe(bad.release)} any more: "
        f"{describe(bad.newer)} is newer",
        hint=f"`{rollback_command(view.overlay)} --bad {bad.newer.commit[:7]}` takes that back",
        reasons=preview_lines(view, current, only=only),
    )


def _choose(view: OverlayView, file: OverlayFile, request: RollbackRequest) -> Choice:
    """Ask the rule, with as much of the history as it needs."""
    current = file.read_images()
    only = frozenset(request.images) or None
    if view.row.change == "work-tree" and request.to is None:
        return undo_edits(releases_of(view), current, only=only)
    return choose_release(view, current, only=only, to=request.to, override=request.override)
