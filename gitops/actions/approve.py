"""`gitops approve`: let a proposal in, by the forge where there is one, else by Git alone.

What is approved is one head of the branch `gitops/ENV`, the one that was shown. Policy is asked
again as of now. Without a forge the images that it wants are put into the overlay as the tip has
it, so that nothing but what was shown gets in. The approval is a line of the ledger; when enough of
them count, landing and deleting the branch is one push.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.plan import Draft, Plan
from gitops.actions.context.policy_branch import check_policy, open_tip
from gitops.actions.context.session import Session, Tip, require_words
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.policy.judge import Override
from gitops.actions.proposals.find import OpenProposal
from gitops.actions.pull_requests.decide import ApprovalPreview, ApproveRequest, Approving, Decided
from gitops.actions.pull_requests.landing import first_of_each, holds_brought, landing_message
from gitops.actions.pull_requests.review import signers_of
from gitops.actions.releases.ledger import Appended, append_records, ledger_of
from gitops.actions.write.write import write
from gitops.core.ledger import LEDGER_BRANCH
from gitops.core.ledger.records import LedgerEntry, Record, approvals
from gitops.core.proposals.approval import is_author, makers
from gitops.core.report import Committed, OverlayChange, WriteReport
from gitops.errors import Refused
from gitops.ports import NoForge

__all__ = ["ApprovalPreview", "ApproveRequest", "approve"]


def approve(
    session: Session,
    request: ApproveRequest,
    *,
    confirm: Callable[[ApprovalPreview], bool] | None = None,
) -> WriteReport:
    """Merge an open proposal into the branch of its environment, and delete its own.

    `confirm` shows the changes and asks; None does not ask. The proposal's head is fixed by
    `request.head`, else by the first look: one that moves later is not merged.

    Raises NotFound without an open proposal, Refused (policy, an author who approves, rules of the
    forge, a head that moved), and what `write` and `ports.Forge` raise.
    """
    require_words(request.override, "--override")
    approving = Approving(session, request, confirm, Override(request.override))
    tip = open_tip(session)
    if not request.update:
        return _approve(session, tip, approving)
    from gitops.actions.pull_requests.update import bring_up_to_date

    updated = bring_up_to_date(approving, tip)
    if updated is None:
        return _approve(session, tip, approving)
    return updated if session.dry_run else _after_update(session, approving, updated)


def _approve(session: Session, tip: Tip, approving: Approving) -> WriteReport:
    forge = session.forge(tip.config)
    if not isinstance(forge, NoForge):
        if approving.request.reviews:
            from gitops.actions.pull_requests.own_review import approve_by_review

            return approve_by_review(session, forge, approving, tip)
        from gitops.actions.pull_requests.merge import merge_pull_requests

        return merge_pull_requests(session, forge, approving, tip)
    report = _approve_in_git(session, tip, approving)
    return report if forge.hint is None else replace(report, hint=report.hint or forge.hint)


def _after_update(session: Session, approving: Approving, updated: WriteReport) -> WriteReport:
    """Go on with the new head; what it waits for now is told, and no error: it was updated."""
    from gitops.actions.pull_requests.publish import refresh

    overlays = [one.overlay for one in updated.proposals]
    warnings = (*updated.warnings, *refresh(session, overlays))
    try:
        report = _approve(session, open_tip(session), approving)
    except Refused as error:
        waits = tuple(replace(one, waits_for=error.reasons) for one in updated.proposals)
        notes = (*updated.notes, error.message)
        return replace(updated, notes=notes, hint=error.hint, warnings=warnings, proposals=waits)
    return replace(
        report, notes=(*updated.notes, *report.notes), warnings=(*warnings, *report.warnings)
    )


def _approve_in_git(session: Session, tip: Tip, approving: Approving) -> WriteReport:
    recorded: list[Appended] | None = None

    def plan(tip: Tip) -> Plan:
        decided = approving.decide(approving.look(tip))
        for one in decided:
            _check_approver(one.view, one.present)
        approving.ask(decided)
        by = [session.identity().text]
        if recorded is not None:
            given = [_given(one.view, one.present) for one in decided]
            waiting = [
                (one, missing)
                for one, some in zip(decided, given, strict=True)
                if (missing := one.view.row.approvals.required - len(some)) > 0
            ]
            if waiting:
                return _waiting(waiting)
            # With signers they are who approved; else names stand in the ledger, and one is known.
            signed = decided[0].view.tip.config.signers is not None
            who = dict.fromkeys(entry.who for some in given for entry in some)
            by = list(who) if signed and who else by
        return _assemble(decided, approving.request, by)

    if session.dry_run:
        return write(session, plan, tip=tip).report
    # Once before the approval is recorded, so that none is that changes nothing.
    planned = plan(tip)
    check_policy(session, tip, planned.targets)
    if approving.confirm is not None:
        tip = open_tip(session)  # somebody took the time to read
    if not isinstance(planned.result, _Agreed):
        raise AssertionError("nothing was recorded yet, so nothing is missing")
    recorded = []
    for one in planned.result.decided:
        recorded.append(_record(view_of(session, tip, one.view.overlay), one.present))
        tip.forget(LEDGER_BRANCH)
    report = write(session, plan, tip=tip).report
    if report.outcome != "unchanged":
        return report
    commits = [one.commit for one in recorded if one.commit is not None]
    if not commits:
        return replace(report, branch=LEDGER_BRANCH)
    return replace(
        report,
        outcome="committed",
        branch=LEDGER_BRANCH,
        commit=commits[-1],
        commits=(Committed(LEDGER_BRANCH, commits[-1]),),
    )


class _Agreed(Struct, frozen=True):
    """The proposals that a plan lands."""

    decided: Sequence[Decided]


def _check_approver(view: OverlayView, present: OpenProposal, signer: str | None = None) -> None:
    """Refuse whoever made some of the proposal, by any name and by the key that signs.

    `signer` is who signed the approval, None before anybody knows.
    """
    if view.row.approvals.self:
        return
    approver = view.session.identity()
    if is_author(approver, present.authors):
        who = approver.text
    elif signer is not None and signer.lower() in _makers(view, present):
        who = f"{signer}, whose key signs as {approver.name}"
    else:
        return
    names = ", ".join(author.name for author in present.authors)
    raise Refused(
        f"{view.label}: {who} is an author of this proposal",
        hint=f"somebody else must approve it; its authors: {names}",
    )


def _makers(view: OverlayView, present: OpenProposal) -> frozenset[str]:
    return makers(present.commits, signers_of(view, present))


def _record(view: OverlayView, present: OpenProposal) -> Appended:
    """Write the approval of the head to the ledger; nothing when it stands there already.

    Raises Refused, before anything is written, when the key that signs it is an author's.
    """
    session, tip, head = view.session, view.tip, present.commit
    name = session.identity().name
    listed = tip.snapshot.read(tip.config.signers) if tip.config.signers is not None else None

    def vet(commit: str) -> None:
        if listed is not None:
            signer = session.evidence.signed_by([commit], listed).get(commit)
            _check_approver(view, present, signer)

    entries = ledger_of(view).entries
    _refuse_another(view, present, entries)
    known = approvals(entries, head)
    void = _makers(view, present) if listed is not None else frozenset[str]()
    if any(entry.record.by == name and entry.who.lower() not in void for entry in known):
        return Appended(None, 0, ())
    record = Record(
        commit=head,
        verdict="approved",
        time=session.clock.now(),
        by=name,
        intent=session.intent,
    )
    subject = f"{view.label}: approved {head[:7]}"
    return append_records(view, [record], action="approve", subject=subject, vet=vet)


def _refuse_another(
    view: OverlayView, present: OpenProposal, entries: Sequence[LedgerEntry]
) -> None:
    """Refuse to let in another proposal than the one that this very call has approved before.

    Whoever died after that line was asked again, and the proposal was made anew meanwhile.
    """
    for entry in entries:
        record = entry.record
        before = record.verdict == "approved" and record.intent == view.session.intent
        if before and record.commit != present.commit:
            raise Refused(
                f"{view.label}: {record.commit[:7]} was approved, and {present.branch} is at "
                f"{present.commit[:7]} by now",
                hint="look at it, and approve it with a new call",
            )


def _given(view: OverlayView, present: OpenProposal) -> list[LedgerEntry]:
    """Return the approvals of the head that count; those of authors where they may."""
    rule = view.row.approvals
    names = _makers(view, present)
    known = approvals(ledger_of(view).entries, present.commit)
    return [entry for entry in known if rule.self or entry.who.lower() not in names]


def _waiting(waiting: Sequence[tuple[Decided, int]]) -> Plan:
    """Return the plan where some still want approvals: none lands before all may."""
    notes = []
    for one, missing in waiting:
        required = one.view.row.approvals.required
        count = f"{required - missing} of {required} approvals of {one.present.commit[:7]} count"
        notes.append(
            f"{count} so far" if len(waiting) == 1 else f"{one.view.label}: {count} so far"
        )
    return Plan(
        action="approve",
        waiting=tuple(one.present.report(one.view.overlay) for one, _ in waiting),
        notes=tuple(notes),
        hint="where gitops.yaml names signers, only approvals count that a listed key signed",
    )


def _assemble(decided: Sequence[Decided], request: ApproveRequest, by: Sequence[str]) -> Plan:
    """Return the plan that lands proposals: one commit for each branch that they go to."""
    holds = holds_brought(decided)
    commits: dict[str, Draft] = {}
    for branch in dict.fromkeys(one.view.branch for one in decided):
        commits[branch] = _draft([one for one in decided if one.view.branch == branch], request, by)
    return Plan(
        action="approve",
        commits=commits,
        ending=tuple(
            one.present.report(one.view.overlay, state="merged") for one in first_of_each(decided)
        ),
        changes=tuple(
            OverlayChange(one.view.overlay, one.edit.path, change, one.view.branch)
            for one in decided
            for change in one.edit.changes
        ),
        warnings=tuple(
            text
            for one in decided
            for text in (
                *(f"{one.edit.path}: {warning}" for warning in one.edit.warnings),
                *one.warnings,
            )
        ),
        notes=tuple(
            note
            for one in decided
            for note in (
                f"{one.present.branch} at {one.present.commit[:7]} by {one.present.author.name}",
                *(text for text in one.notes if text not in one.warnings),
            )
        ),
        hold=holds[0].hold if holds else None,
        holds=holds,
        judged=True,
        audit=tuple(entry for one in decided for entry in one.audit),
        result=_Agreed(decided),
    )


def _draft(decided: Sequence[Decided], request: ApproveRequest, by: Sequence[str]) -> Draft:
    files: dict[str, bytes | None] = {}
    before: dict[str, bytes | None] = {}
    for one in decided:
        files |= one.edit.files
        before |= one.edit.originals
        if one.hold is not None:
            files[one.hold.path] = one.hold.content
            before[one.hold.path] = one.view.home.read(one.hold.path)
    return Draft(
        files,
        landing_message(decided, request.override, by),
        merges=tuple(dict.fromkeys(one.present.commit for one in decided)),
        before=before,
    )
