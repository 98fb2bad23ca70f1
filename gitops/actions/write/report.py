"""What a write did, or would do, as the report that faces print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from msgspec.structs import replace

from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Session, Tip
from gitops.actions.write.push import Update
from gitops.core.git.message import trailers
from gitops.core.report import (
    AuditEntry,
    Committed,
    FileDiff,
    Outcome,
    Proposal,
    WriteReport,
    audit_of,
)
from gitops.errors import NotFound

_ORDER: tuple[Outcome, ...] = ("committed", "proposed", "edited", "closed", "unchanged", "planned")

ReportItem = TypeVar("ReportItem")


def report_of(
    session: Session,
    tip: Tip,
    plan: Plan,
    pushes: int,
    *,
    planned: bool = False,
    updates: tuple[Update, ...] = (),
) -> WriteReport:
    """Return what was done for `plan`: `updates` landed, after `pushes`; `planned`: a dry run."""
    proposals = tuple(
        Proposal(
            entry.proposal.overlay,
            entry.proposal.branch,
            entry.commit,
            base=entry.proposal.base,
            replaced=entry.proposal.replaced,
            overlays=tuple(one.label for one in entry.proposal.overlays),
        )
        for entry in updates
        if entry.proposal is not None
    )
    ended = plan.ending if not planned else tuple(replace(one, state="open") for one in plan.ending)
    commits = tuple(
        Committed(entry.branch, entry.commit)
        for entry in updates
        if entry.commit is not None and entry.proposal is None
    )
    first = [*(one.commit for one in commits), *(one.commit for one in proposals)]
    return WriteReport(
        action=plan.action,
        outcome=_outcome(plan, planned=planned, updates=updates),
        branch=_branch(tip, plan),
        repository=session.repository.describe(),
        commit=next(iter(first), None),
        commits=commits,
        attempts=pushes,
        changes=plan.changes,
        skipped=plan.skipped,
        proposals=plan.waiting + proposals + ended,
        warnings=plan.warnings,
        notes=plan.notes,
        diffs=tuple(_diffs(plan)),
        hold=plan.hold,
        holds=plan.holds,
        hint=plan.hint,
        reached=plan.reached,
        passed_over=plan.passed_over,
        audit=_audit(session, plan),
    )


def _audit(session: Session, plan: Plan) -> tuple[AuditEntry, ...]:
    """Return what passed policy: overrides that the commits record, rollbacks past approvals."""
    drafts = [*plan.commits.values(), *(one.draft for one in plan.proposals)]
    found = list(plan.audit)
    told = {(one.reason, one.passed) for one in found}
    for draft in drafts:
        if "Gitops-Override" not in draft.message:
            continue
        said = trailers(draft.message)
        labels = said.get("Gitops-Environment", ())
        label = labels[0] if len(labels) == 1 else None
        for text in said.get("Gitops-Override", ()):
            entry = audit_of(text, label, who_writes(session))
            found += [entry] if (entry.reason, entry.passed) not in told else []
    if plan.action == "rollback" and plan.commits:
        past = [
            change.overlay.label
            for change in plan.changes
            if change.overlay is not None and change.overlay.environment.change == "pull-request"
        ]
        why = "a rollback needs no approval here (rollback: commit)"
        by = who_writes(session) if past else ""
        found += [AuditEntry("bypass", label, by, None, why) for label in dict.fromkeys(past)]
    return tuple(dict.fromkeys(found))


def who_writes(session: Session) -> str:
    """Return who answers for the call; a plan needs nobody to be known."""
    try:
        return session.identity().name
    except NotFound:
        return "somebody"


def _outcome(plan: Plan, *, planned: bool, updates: tuple[Update, ...]) -> Outcome:
    """Return the word for all that was done: the first one of `_ORDER` that fits."""
    if planned:
        return "unchanged" if plan.is_empty else "planned"
    if any(entry.commit is not None and entry.proposal is None for entry in updates):
        return "committed"
    if any(entry.proposal is not None for entry in updates):
        return "proposed"
    if plan.edits:
        return "edited"
    return "closed" if updates else "unchanged"


def _branch(tip: Tip, plan: Plan) -> str:
    """Return the branch that a report names first: where it commits, else where it would."""
    bases = [draft.base for draft in plan.proposals]
    bases += [one.base for one in (*plan.waiting, *plan.ending) if one.base is not None]
    return next(iter([*plan.commits, *bases]), tip.snapshot.branch)


def _diffs(plan: Plan) -> Iterator[FileDiff]:
    drafts = [(branch, draft) for branch, draft in plan.commits.items()]
    drafts += [(proposal.branch, proposal.draft) for proposal in plan.proposals]
    for branch, draft in drafts:
        for path, new in draft.files.items():
            yield FileDiff(path, draft.before.get(path), new, branch)
    for path, new in plan.edits.items():
        yield FileDiff(path, plan.before.get(path), new)


def joined(
    reports: Sequence[WriteReport], *, ended: tuple[Proposal, ...], warnings: Sequence[str]
) -> WriteReport:
    """Return the report of one call that was written in parts; `ended` are proposals that ended."""
    first = min(reports, key=lambda report: _ORDER.index(report.outcome))
    return replace(
        first,
        attempts=sum(report.attempts for report in reports),
        commits=_all(report.commits for report in reports),
        changes=_all(report.changes for report in reports),
        skipped=_all(report.skipped for report in reports),
        proposals=_all(report.proposals for report in reports) + ended,
        warnings=(*_all(report.warnings for report in reports), *warnings),
        notes=_all(report.notes for report in reports),
        audit=_all(report.audit for report in reports),
        holds=_all(report.holds for report in reports),
        diffs=_all(report.diffs for report in reports),
    )


def _all(parts: Iterable[tuple[ReportItem, ...]]) -> tuple[ReportItem, ...]:
    """Each item once, in order: what is told of the whole call stands in every part."""
    return tuple(dict.fromkeys(item for part in parts for item in part))
