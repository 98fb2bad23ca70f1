"""Plan on the newest tip, push, and plan again when the race was lost.

A push moves a branch from exactly the commit that was read, so the server's own check is the
compare-and-swap. What is retried is the *intent*: the plan is made anew on the new tip, never
merged as text. After an answer that got lost, the `Gitops-Id` on the branch tells whether it
landed. Waits follow docs/explanation/races.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from gitops.actions.plan import Plan
from gitops.actions.sending import Sent, Update, prepare
from gitops.actions.session import Session, Tip, open_tip
from gitops.core.report import Committed, FileDiff, Outcome, Proposal, WriteReport
from gitops.errors import Conflict, TimedOut, TryAgain, Unavailable, UsageError
from gitops.ports import Lost

_STEP = 0.3  # seconds that the longest pause grows with each lost push
_LONGEST = 3.0


def write(session: Session, plan: Callable[[Tip], Plan]) -> WriteReport:
    """Carry out `plan` on the newest tip, again on the next one when a push loses.

    Raises Conflict when the budget is spent on lost races, Unavailable or TimedOut when it is
    spent on a server that does not answer, and whatever `plan` and the ports raise.
    """
    deadline = session.clock.monotonic() + session.budget
    tries = pushes = 0
    unsure: Sent | None = None  # a push whose answer was lost: it may land even later
    sent: Sent | None = None
    while True:
        tries += 1
        try:
            tip = open_tip(session)
            if unsure is not None and (report := _landed(session, unsure, pushes)) is not None:
                return report
            wanted = plan(tip)
            if session.dry_run or wanted.is_empty:
                return _report(session, tip, wanted, pushes, planned=session.dry_run)
            sent = prepare(session, tip, wanted)
            lost = None
            if sent.updates:
                pushes += 1
                lost = session.repository.push([entry.update for entry in sent.updates])
            if lost is None:
                return _finish(session, sent, pushes)
            moved = ", ".join(entry.branch for entry in sent.updates)
            sent = None
            pause(session, deadline, tries, moved_on(session, moved, pushes, lost))
        except (Unavailable, TimedOut) as error:
            unsure, sent = unsure or sent, None
            session.say(f"{error.message}; trying again")
            pause(session, deadline, tries, error)


def _landed(session: Session, sent: Sent, pushes: int) -> WriteReport | None:
    """Look for an intent whose answer was lost; the push was atomic, so one branch tells."""
    if not sent.updates:
        return None
    first = sent.updates[0]
    if first.base is None:
        return None  # only branches that go: the next plan sees whether they are gone
    found = session.repository.find_intent(first.branch, session.intent, first.base)
    if found is None:
        return None
    updates = (replace(first, commit=found), *sent.updates[1:])
    return _finish(session, replace(sent, updates=updates), pushes)


def _finish(session: Session, sent: Sent, pushes: int) -> WriteReport:
    if sent.plan.edits:
        if session.work_tree is None:
            raise UsageError("an environment with `change: work-tree` needs a checkout")
        for path, content in sent.plan.edits.items():
            session.work_tree.replace(path, content)
    return _report(session, sent.tip, sent.plan, pushes, updates=sent.updates)


def _report(
    session: Session,
    tip: Tip,
    plan: Plan,
    pushes: int,
    *,
    planned: bool = False,
    updates: tuple[Update, ...] = (),
) -> WriteReport:
    proposals = tuple(
        Proposal(
            entry.proposal.overlay, entry.proposal.branch, entry.commit, base=entry.proposal.base
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
    outcome: Outcome = "unchanged"
    commit: str | None = None
    if planned and not plan.is_empty:
        outcome = "planned"
    elif commits:
        outcome, commit = "committed", commits[0].commit
    elif proposals:
        outcome, commit = "proposed", proposals[0].commit
    elif plan.edits and not planned:
        outcome = "edited"
    elif updates:
        outcome = "closed"
    return WriteReport(
        action=plan.action,
        outcome=outcome,
        branch=_branch(tip, plan),
        repository=session.repository.describe(),
        commit=commit,
        commits=commits,
        attempts=pushes,
        changes=plan.changes,
        skipped=plan.skipped,
        proposals=plan.waiting + proposals + ended,
        warnings=plan.warnings,
        notes=plan.notes,
        diffs=tuple(_diffs(plan)),
        hold=plan.hold,
        hint=plan.hint,
    )


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


def moved_on(session: Session, branch: str, pushes: int, lost: Lost) -> Conflict:
    """Return the error of a write that only lost races."""
    return Conflict(
        f"{branch} of {session.repository.describe()} kept moving: "
        f"{pushes} pushes lost in {session.budget:.0f} s ({lost.words})",
        hint="nothing was written; run the same command again, or give it more time with "
        "--push-timeout",
    )


def pause(session: Session, deadline: float, tries: int, error: TryAgain) -> None:
    """Pause before the next try, or raise `error` when the budget is spent."""
    left = deadline - session.clock.monotonic()
    if left <= 0:
        raise error
    session.clock.pause(min(_STEP * tries, _LONGEST, left))
