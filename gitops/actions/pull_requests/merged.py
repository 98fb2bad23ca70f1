"""What is told of a pull request that is to be merged, or was; and what is tidied up after that."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.context.view import view_of
from gitops.actions.proposals.find import ProposalLookup
from gitops.actions.pull_requests.decide import Approving, Decided
from gitops.actions.pull_requests.landing import holds_brought
from gitops.actions.write.report import who_writes
from gitops.core.environments.environment import Overlay
from gitops.core.policy.reasons import record_overrides
from gitops.core.report import (
    Committed,
    FileDiff,
    Outcome,
    OverlayChange,
    Proposal,
    WriteReport,
    audit_of,
)
from gitops.errors import GitopsError, NotFound
from gitops.ports import PullRequest, RefUpdate


class ReadyProposal(Struct, frozen=True):
    """A proposal that policy and the forge's rules let in, and the message of its merge.

    `hands_over`: the forge is to merge it by itself, once it is ready; `handed_over`: it was told.
    """

    sides: Sequence[Decided]
    pull: PullRequest
    message: str
    override: str | None = None
    hands_over: bool = False
    handed_over: str | None = None

    @property
    def decided(self) -> Decided:
        """The first overlay that it is about."""
        return self.sides[0]


def merged_by_hand(
    session: Session, approving: Approving, overlay: Overlay, found: ProposalLookup
) -> WriteReport | None:
    """Return the report when the very head was merged already; its branch goes as after a merge."""
    pull, asked = found.pull, approving.request.head
    if pull is None or (pull.state, pull.head) != ("merged", found.head):
        return None
    if asked is not None and not pull.head.startswith(asked.lower()):
        return None
    commit = f" as {pull.merged_as[:7]}" if pull.merged_as is not None else ""
    warnings = () if session.dry_run else _delete_branch(session, pull.branch, pull.head)
    merged = Proposal(
        overlay, pull.branch, pull.head, "merged", number=pull.number, url=pull.url, base=pull.base
    )
    return WriteReport(
        action="approve",
        outcome="unchanged",
        branch=pull.base,
        repository=session.repository.describe(),
        proposals=(merged,),
        warnings=tuple(warnings),
        notes=(f"{overlay.label}: #{pull.number} was merged already{commit}",),
    )


def left_to(session: Session, ready: ReadyProposal, how: str, tries: int) -> WriteReport:
    """Return the report of a pull request that the forge merges by itself."""
    report = report_of(session, ready, "proposed", None, tries)
    (proposal,) = report.proposals
    name = ready.decided.view.overlay.typed
    return replace(
        report,
        proposals=(replace(proposal, waits_for=(how,)),),
        notes=(*report.notes, f"left to {how}: the forge merges it when it is ready"),
        hint=f"`gitops status {name}` tells how far it is; a hold that is set now does not stop it",
    )


def finish(session: Session, ready: ReadyProposal, commit: str, tries: int) -> WriteReport:
    """Tidy up after the merge; nothing here undoes it, so trouble becomes a warning."""
    warnings = _delete_branch(session, ready.pull.branch, ready.decided.present.commit)
    warnings += _look_again(session, ready)
    return report_of(session, ready, "committed", commit, tries, warnings)


def _delete_branch(session: Session, branch: str, head: str) -> list[str]:
    try:
        if session.repository.snapshot(branch).commit != head:
            return [f"{branch} moved meanwhile: what it wants now is a proposal of its own"]
        lost = session.repository.push([RefUpdate(f"refs/heads/{branch}", head, None)])
    except NotFound:
        return []  # the forge deletes merged branches itself
    except GitopsError as error:
        return [f"{branch} was merged but not deleted: {error.message}"]
    return [] if lost is None else [f"{branch} was merged but not deleted: {lost.words}"]


def _look_again(session: Session, ready: ReadyProposal) -> list[str]:
    """A forge merges text: say so when the outcome is not what was approved."""
    told: list[str] = []
    try:
        tip = open_tip(session)
        for one in ready.sides:
            view = view_of(session, tip, one.view.overlay)
            file, present = view.file, view.images
            told += [
                f"{file.path} does not have what was approved for {change.image}: look at it"
                for change in one.edit.changes
                if present.get(change.image) != change.after
            ]
    except GitopsError as error:
        return [*told, f"what landed could not be looked at: {error.message}"]
    return told


def report_of(
    session: Session,
    ready: ReadyProposal,
    outcome: Outcome,
    commit: str | None,
    tries: int = 0,
    warnings: list[str] | None = None,
) -> WriteReport:
    sides, present = ready.sides, ready.decided.present
    base = present.base
    state = "merged" if commit is not None else "open"
    proposal: Proposal = present.report(ready.decided.view.overlay, state, pull=ready.pull)
    holds = holds_brought(sides)
    own = [
        audit_of(text, one.view.label, who_writes(session))
        for one in sides
        for text in record_overrides(ready.override, one.passed)
    ]
    return WriteReport(
        action="approve",
        outcome=outcome,
        branch=base,
        repository=session.repository.describe(),
        commit=commit,
        commits=(Committed(base, commit),) if commit is not None else (),
        attempts=tries,
        changes=tuple(
            OverlayChange(one.view.overlay, one.edit.path, change, base)
            for one in sides
            for change in one.edit.changes
        ),
        proposals=(proposal,),
        warnings=(
            *(f"{one.edit.path}: {text}" for one in sides for text in one.edit.warnings),
            *dict.fromkeys(text for one in sides for text in one.warnings),
            *(warnings or ()),
        ),
        notes=(
            f"#{ready.pull.number} at {present.commit[:7]} by {present.author.name}",
            *dict.fromkeys(note for one in sides for note in one.notes if note not in one.warnings),
        ),
        diffs=tuple(
            FileDiff(path, one.edit.originals[path], after, base)
            for one in sides
            for path, after in one.edit.files.items()
        ),
        hold=holds[0].hold if holds else None,
        holds=holds,
        audit=(*(entry for one in sides for entry in one.audit), *own),
    )
