"""`gitops undo`: take back the newest rollback, of all overlays that are named, as a new commit.

The images become what they were before it, and so does the hold. What landed since stays: then
there is nothing to undo, and it is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from gitops.actions.argocd.cluster_actions import ClusterActions
from gitops.actions.context.holds import readable_hold, standing_hold_path
from gitops.actions.context.named import Named, overlays_named
from gitops.actions.context.plan import Draft, Plan
from gitops.actions.context.session import Session, Tip, require_commit, require_words
from gitops.actions.context.targets import Target
from gitops.actions.context.together import Told, refusal_of_all
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.images.look import Look
from gitops.actions.proposals.draft import propose
from gitops.actions.proposals.wanted import DraftedProposals, ProposalRequest
from gitops.actions.pull_requests.announce import with_fresh_texts
from gitops.actions.releases.history import file_around, gather_releases, releases_of
from gitops.actions.releases.rollback_target import rollback_command
from gitops.actions.rollback import Preview
from gitops.actions.write.write import write
from gitops.core.environments.environment import Overlay
from gitops.core.git.message import ChangeLine, CommitMessage, told_labels
from gitops.core.kustomization import Edit
from gitops.core.kustomization.image import ImageChange
from gitops.core.releases.release import Release
from gitops.core.releases.selection import describe
from gitops.core.releases.undo import Undo, choose_undo
from gitops.core.report import OverlayChange, WriteReport
from gitops.errors import GitopsError, Refused, UsageError


class UndoRequest(Struct, frozen=True):
    """What `gitops undo` was asked for.

    Attributes:
        rollback: commit of the rollback that is meant (hex, at least 7 digits); None: the newest.
    """

    named: Named
    rollback: str | None = None
    reason: str | None = None


class _HoldBefore(Struct, frozen=True):
    """What becomes of the hold.

    Attributes:
        files: path -> content to write, None to delete; empty: it stays as it is.
        note: what a person should know.
    """

    files: dict[str, bytes | None]
    note: str


class _Undoing(Struct, frozen=True):
    """What is undone in one overlay."""

    view: OverlayView
    found: Undo
    rollback: Release
    edit: Edit
    hold: _HoldBefore

    @property
    def files(self) -> dict[str, bytes | None]:
        """All that is written, by path."""
        return {**self.edit.files, **self.hold.files}

    @property
    def lines(self) -> list[ChangeLine]:
        """Its changes as the body of a message tells them."""
        return [ChangeLine(self.view.label, change) for change in self.edit.changes]


def undo(
    session: Session,
    request: UndoRequest,
    *,
    confirm: Callable[[Preview], bool] | None = None,
) -> WriteReport:
    """Take back the newest rollback of the overlays that are named.

    Of several it is one call of `rollback` that is taken back, the newest of them.

    `confirm` is asked once, before anything is written; None means yes.
    Raises Refused when there is no rollback, something landed since, or the answer was no; NotFound
    for an unknown environment; UsageError in a checkout; and what `write` raises.
    """
    require_words(request.reason, "--reason")
    if request.rollback is not None:
        require_commit(request.rollback, "--rollback")
    call = _Call(session, request, confirm)
    report = write(session, call.plan, lenient=True).report
    if session.dry_run or not call.views:
        return report
    if any(one.state == "open" for one in report.proposals):
        from gitops.actions.pull_requests.publish import publish

        report = publish(session, report)
    return _tell(session, call.views, report) if report.outcome == "committed" else report


class _Call(Struct):
    """One call: the rollbacks that were chosen at first are undone by all tries.

    Attributes:
        chosen: label of the overlay -> commit of the rollback.
        views: of the overlays where something is undone, as of the newest try.
    """

    session: Session
    request: UndoRequest
    confirm: Callable[[Preview], bool] | None
    chosen: dict[str, str] = field(default_factory=dict)
    views: list[OverlayView] = field(default_factory=list)
    look: Look | None = None  # what registries have been asked; it bars nothing

    def plan(self, tip: Tip) -> Plan:
        """Return what the undo wants, seen from `tip`."""
        overlays = overlays_named(tip, self.request.named)
        views = [view_of(self.session, tip, overlay) for overlay in overlays]
        for view in views:
            _refuse_checkout(view)
        told = Told(several=len(views) > 1)
        meant = self._meant(views, told)
        self.views = [view for view, _ in meant]
        found: list[_Undoing] = []
        against: list[tuple[str, GitopsError]] = []
        for view, rollback in meant:
            try:
                undone = _choose(view, rollback)
            except Refused as error:
                if not told.several:
                    raise
                against.append((view.label, error))
                continue
            if undone.rollback is None or undone.before is None:
                told.notes(view.label, _undone(undone))
            else:
                found.append(_undoing(view, undone, undone.rollback, undone.before, told))
        if against:
            raise refusal_of_all("undone", against)
        if not found:
            return Plan(action="undo", notes=told.all_notes(), reached=tuple(overlays))
        first = not self.chosen
        self.chosen = {one.view.label: one.rollback.commit for one in found}
        made = _assemble(found, self.request.reason)
        self.look = self.look or Look(self.session)
        seen = self.look.restored([Target(one.view, one.found.requests) for one in found])
        warnings = (*told.all_warnings(), *seen)
        made = replace(made, notes=(*told.all_notes(), *made.notes), warnings=warnings)
        if first:
            self._ask(found, told, warnings)
        return made

    def _ask(self, found: Sequence[_Undoing], told: Told, warnings: tuple[str, ...]) -> None:
        """Ask the person. Raises Refused when the answer is no."""
        if self.confirm is None or self.session.dry_run:
            return
        changes = tuple((one.view.label, change) for one in found for change in one.edit.changes)
        label = told_labels([one.view.label for one in found])
        if not self.confirm(Preview(label, changes, told.all_notes(), warnings)):
            raise Refused("nothing was undone", hint="--yes does not ask")

    def _meant(
        self, views: Sequence[OverlayView], told: Told
    ) -> list[tuple[OverlayView, str | None]]:
        """Return the overlays where something is undone, each with the rollback that is meant.

        Of several overlays that is the rollback of one call, the newest that any of them runs: an
        older one of another overlay stays. Raises Refused when none of them runs one.
        """
        if self.chosen:
            kept = (view for view in views if view.label in self.chosen)
            return [(view, self.chosen[view.label]) for view in kept]
        if len(views) == 1:
            return [(views[0], self.request.rollback)]
        gather_releases(views)
        newest = {view: next(releases_of(view), None) for view in views}
        wanted = self.request.rollback or ""
        runs = [
            (release, view)
            for view, release in newest.items()
            if release is not None
            and release.action == "rollback"
            and release.commit.startswith(wanted)
        ]
        if not runs:
            return self._none_runs(newest)
        meant, where = _newest(runs)
        found: list[tuple[OverlayView, str | None]] = []
        for view, release in newest.items():
            if release is not None and _same_call(release, meant):
                found.append((view, release.commit))
            elif view.label in meant.labels and view.branch == where.branch:
                found.append((view, meant.commit))  # which says what came since
            else:
                told.notes(view.label, ("no part of that rollback: it stays",))
        return found

    def _none_runs(
        self, newest: Mapping[OverlayView, Release | None]
    ) -> list[tuple[OverlayView, str | None]]:
        """Return those whose newest release is an undo: each says so. Raises Refused."""
        undone = [
            (view, self.request.rollback)
            for view, release in newest.items()
            if release is not None and release.action == "undo"
        ]
        if undone:
            return undone
        raise Refused(
            "none of these runs a rollback that could be undone",
            hint=f"`gitops history {next(iter(newest)).overlay.typed}` shows the releases of one",
            reasons=tuple(
                f"{view.label} runs {describe(release)}"
                for view, release in newest.items()
                if release is not None
            ),
        )


def _newest(runs: Sequence[tuple[Release, OverlayView]]) -> tuple[Release, OverlayView]:
    """Return the newest of some rollbacks: by what was made on which; by time on other branches."""
    newest, where = runs[0]
    for one, view in {one.commit: (one, view) for one, view in runs}.values():
        if one.commit == newest.commit:
            continue
        if view.branch == where.branch:
            evidence = view.session.evidence
            is_newer = evidence.contains(view.home.commit, one.commit, newest.commit)
        else:
            is_newer = _seconds(one) > _seconds(newest)
        if is_newer:
            newest, where = one, view
    return newest, where


def _seconds(release: Release) -> float:
    return release.time.timestamp() if release.time is not None else 0.0


def _same_call(release: Release, other: Release) -> bool:
    """Say whether two overlays run what one call of `rollback` made, maybe on two branches."""
    if release.commit == other.commit:
        return True
    return (
        release.action == other.action
        and release.intent is not None
        and release.intent == other.intent
    )


def _refuse_checkout(view: OverlayView) -> None:
    if view.row.change == "work-tree":
        raise UsageError(
            f"{view.label} is edited in a checkout, and nothing is committed there",
            hint="`git checkout -- FILE` takes an edit back",
        )


def _choose(view: OverlayView, rollback: str | None) -> Undo:
    def ask(read: Sequence[Release], complete: bool) -> Undo:
        return choose_undo(
            read, rollback=rollback, complete=complete, command=rollback_command(view.overlay)
        )

    return releases_of(view).until_sure(ask)


def _undoing(
    view: OverlayView, found: Undo, rollback: Release, before: Release, told: Told
) -> _Undoing:
    edit = view.edit(found.requests)
    hold = _hold_before(view, rollback)
    notes = (
        f"undoes {describe(rollback)}",
        f"restores {describe(before)}, which ran before it",
        hold.note,
    )
    told.notes(view.label, notes)
    told.warnings(view.label, edit.warnings)
    return _Undoing(view, found, rollback, edit, hold)


def _undone(found: Undo) -> tuple[str, ...]:
    if found.undone is None:
        return ()
    rollback, by = found.undone
    return (f"{describe(rollback)} was undone already, by {by.author.name}: {describe(by)}",)


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


def _assemble(found: Sequence[_Undoing], reason: str | None) -> Plan:
    """Return the plan that undoes `found`: a commit for each branch, and proposals where rollbacks
    are proposed.
    """
    going = [one for one in found if one.view.row.rollback == "commit"]
    proposing = [one for one in found if one.view.row.rollback != "commit"]
    commits: dict[str, Draft] = {}
    for branch in dict.fromkeys(one.view.branch for one in going):
        mine = [one for one in going if one.view.branch == branch]
        commits[branch] = Draft(
            {path: content for one in mine for path, content in one.files.items()},
            _message(mine, [line for one in mine for line in one.lines], reason),
            before={path: one.view.home.read(path) for one in mine for path in one.files},
        )
    proposed = _propose(proposing, reason)
    waiting = {label for one in proposed.waiting for label in one.labels}
    return Plan(
        action="undo",
        commits=commits,
        proposals=proposed.drafts,
        waiting=proposed.waiting,
        ending=proposed.ending,
        changes=tuple(
            OverlayChange(one.view.overlay, one.view.file.path, change, one.view.branch)
            for one in found
            if one.view.label not in waiting
            for change in one.edit.changes
        ),
        notes=proposed.notes,
        reached=tuple(one.view.overlay for one in going),
    )


def _propose(found: Sequence[_Undoing], reason: str | None) -> DraftedProposals:
    if not found:
        return DraftedProposals()
    by_overlay = {one.view.overlay: one for one in found}

    def message(changed: Sequence[tuple[Overlay, Sequence[ImageChange]]]) -> str:
        lines = [ChangeLine(one.label, change) for one, changes in changed for change in changes]
        return _message([by_overlay[overlay] for overlay, _ in changed], lines, reason)

    wanted = [
        ProposalRequest(
            one.view, one.found.requests, extra=tuple(one.hold.files.items()), undo=True
        )
        for one in found
    ]
    return propose(wanted, render=message)


def _message(found: Sequence[_Undoing], lines: Sequence[ChangeLine], reason: str | None) -> str:
    return CommitMessage(
        action="undo",
        environments=[one.view.label for one in found],
        changes=lines,
        intent=found[0].view.session.intent,
        reason=reason,
        undoes={one.view.label: one.rollback.commit for one in found},
    ).render()


def _tell(session: Session, views: Sequence[OverlayView], report: WriteReport) -> WriteReport:
    """Bring the texts of pull requests up to date, and let Argo CD look at the commit now."""
    overlays = [view.overlay for view in views]
    report = with_fresh_texts(session, report, overlays)
    steering = ClusterActions(session, views[0].tip, overlays)
    steering.refresh()
    steering.show_holds()
    return steering.told(report)
