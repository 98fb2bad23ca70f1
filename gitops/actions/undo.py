"""`gitops undo`: take back the newest rollback, as a new commit.

The images become what they were before it, and so does the hold. What landed since stays: then
there is nothing to undo, and it is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.argocd.cluster_actions import ClusterActions
from gitops.actions.context.holds import readable_hold, standing_hold_path
from gitops.actions.context.named import find_overlay
from gitops.actions.context.plan import Draft, Plan
from gitops.actions.context.session import Session, Tip, require_commit, require_words
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.proposals.draft import ProposalRequest, propose
from gitops.actions.releases.history import file_around, releases_of
from gitops.actions.releases.rollback_target import rollback_command
from gitops.actions.rollback import Preview
from gitops.actions.write.write import write
from gitops.core.environments.environment import Overlay, asks_for_approval
from gitops.core.git.message import ChangeLine, CommitMessage
from gitops.core.kustomization import edit_images
from gitops.core.kustomization.image import ImageChange
from gitops.core.releases.release import Release
from gitops.core.releases.selection import describe
from gitops.core.releases.undo import Undo, choose_undo
from gitops.core.report import OverlayChange, WriteReport
from gitops.errors import Refused, UsageError


class UndoRequest(Struct, frozen=True):
    """What `gitops undo` was asked for.

    Attributes:
        rollback: commit of the rollback that is meant (hex, at least 7 digits); None: the newest.
        app: which app's overlay, where each has its own.
    """

    environment: str
    rollback: str | None = None
    reason: str | None = None
    app: str | None = None


class _HoldBefore(Struct, frozen=True):
    """What becomes of the hold.

    Attributes:
        files: path -> content to write, None to delete; empty: it stays as it is.
        note: what a person should know.
    """

    files: dict[str, bytes | None]
    note: str


def undo(
    session: Session,
    request: UndoRequest,
    *,
    confirm: Callable[[Preview], bool] | None = None,
) -> WriteReport:
    """Take back the newest rollback of one environment.

    `confirm` is asked once, before anything is written; None means yes.
    Raises Refused when there is no rollback, something landed since, or the answer was no; NotFound
    for an unknown environment; UsageError in a checkout; and what `write` raises.
    """
    require_words(request.reason, "--reason")
    if request.rollback is not None:
        require_commit(request.rollback, "--rollback")
    call = _Call(session, request, confirm)
    report = write(session, call.plan, lenient=True).report
    if session.dry_run or call.view is None:
        return report
    if report.outcome == "proposed":
        from gitops.actions.pull_requests.publish import publish

        return publish(session, report)
    return _tell(session, call.view, report) if report.outcome == "committed" else report


class _Call(Struct):
    """One call: the rollback that was chosen at first is the one that is undone by all tries."""

    session: Session
    request: UndoRequest
    confirm: Callable[[Preview], bool] | None
    rollback: str | None = None
    view: OverlayView | None = None

    def plan(self, tip: Tip) -> Plan:
        """Return what the undo wants, seen from `tip`."""
        overlay = find_overlay(tip, self.request.environment, self.request.app)
        view = self.view = view_of(self.session, tip, overlay)
        if view.row.change == "work-tree":
            raise UsageError(
                f"{view.label} is edited in a checkout, and nothing is committed there",
                hint="`git checkout -- FILE` takes an edit back",
            )
        found = _choose(view, self.rollback or self.request.rollback)
        if found.rollback is None or found.before is None:
            return _undone(view, found)
        edit = edit_images(view.file.content, view.file.path, found.requests)
        hold = _hold_before(view, found.rollback)
        notes = (
            f"undoes {describe(found.rollback)}",
            f"restores {describe(found.before)}, which ran before it",
            hold.note,
        )
        if self.rollback is None and self.confirm is not None and not self.session.dry_run:
            changes = tuple((view.label, change) for change in edit.changes)
            if not self.confirm(Preview(view.label, changes, notes, edit.warnings)):
                raise Refused("nothing was undone", hint="--yes does not ask")
        self.rollback = found.rollback.commit
        files = {view.file.path: edit.after, **hold.files}
        made = _assemble(view, found, edit.changes, files, self.request.reason)
        return replace(made, notes=(*notes, *made.notes), warnings=edit.warnings)


def _choose(view: OverlayView, rollback: str | None) -> Undo:
    def ask(read: Sequence[Release], complete: bool) -> Undo:
        return choose_undo(
            read, rollback=rollback, complete=complete, command=rollback_command(view.overlay)
        )

    return releases_of(view).until_sure(ask)


def _undone(view: OverlayView, found: Undo) -> Plan:
    notes: tuple[str, ...] = ()
    if found.undone is not None:
        rollback, by = found.undone
        notes = (f"{describe(rollback)} was undone already, by {by.author.name}: {describe(by)}",)
    return Plan(action="undo", notes=notes, reached=(view.overlay,))


def _hold_before(view: OverlayView, rollback: Release) -> _HoldBefore:
    """Return the hold as it was before `rollback`, where nobody changed it since."""
    path = standing_hold_path(view.home, view.overlay)
    present = view.home.read(path)
    before, wrote = file_around(view, path, rollback)
    if wrote == before and present is not None:
        held = readable_hold(present, path)
        return _HoldBefore(
            {}, f"the hold of {held.by} stays ({held.reason}): it has another reason"
        )
    if present is None:
        since = "was resumed since, and stays so" if wrote is not None else "is not held"
        return _HoldBefore({}, f"{view.label} {since}")
    if present != wrote:
        held = readable_hold(present, path)
        return _HoldBefore({}, f"the hold of {held.by} stays ({held.reason}): it is newer")
    if before is None:
        return _HoldBefore({path: None}, f"lifts the hold: {view.label} was not held before")
    held = readable_hold(before, path)
    return _HoldBefore({path: before}, f"{view.label} stays held, by {held.by}: {held.reason}")


def _assemble(
    view: OverlayView,
    found: Undo,
    changes: Sequence[ImageChange],
    files: dict[str, bytes | None],
    reason: str | None,
) -> Plan:
    """Return the plan that writes `files`: a commit, or a proposal where rollbacks are proposed."""
    path, branch = view.file.path, view.branch

    def render(overlay: Overlay, changes: Sequence[ImageChange]) -> str:
        return CommitMessage(
            action="undo",
            environments=[overlay.label],
            changes=[ChangeLine(overlay.label, change) for change in changes],
            intent=view.session.intent,
            reason=reason,
            undoes=found.rollback.commit if found.rollback is not None else None,
        ).render()

    reported = tuple(OverlayChange(view.overlay, path, change, branch) for change in changes)
    if view.row.rollback == "pull-request":
        extra = tuple((one, content) for one, content in files.items() if one != path)
        proposed = propose(
            [ProposalRequest(view, found.requests, extra=extra, undo=True)], render=render
        )
        return Plan(
            action="undo",
            proposals=proposed.drafts,
            waiting=proposed.waiting,
            changes=reported if proposed.drafts else (),
            notes=proposed.notes,
        )
    before = {one: view.home.read(one) for one in files}
    draft = Draft(files, render(view.overlay, changes), before=before)
    return Plan(action="undo", commits={branch: draft}, changes=reported, reached=(view.overlay,))


def _tell(session: Session, view: OverlayView, report: WriteReport) -> WriteReport:
    """Bring the texts of pull requests up to date, and let Argo CD look at the commit now."""
    if asks_for_approval(view.row):
        from gitops.actions.pull_requests.publish import refresh

        report = replace(report, warnings=report.warnings + refresh(session, [view.overlay]))
    if session.clusters is None:
        return report
    steering = ClusterActions(session, view.tip, [view.overlay])
    steering.refresh()
    steering.show_holds()
    return steering.told(report)
