"""Plan on the newest tip, push, and plan again when the race was lost.

A push moves a branch from exactly the commit that was read, so the server's own check is the
compare-and-swap. What is retried is the *intent*: the plan is made anew on the new tip, never
merged as text. After an answer that got lost, the `Gitops-Id` on the branch tells whether it
landed. Waits follow docs/explanation/races.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from gitops.actions.session import Session, Tip, open_tip
from gitops.core.environment import Overlay
from gitops.core.hold import Hold
from gitops.core.report import (
    FileDiff,
    Outcome,
    OverlayChange,
    Proposal,
    Skipped,
    WriteReport,
)
from gitops.errors import Conflict, TimedOut, TryAgain, Unavailable, UsageError
from gitops.ports import Lost, NewCommit, RefUpdate

_STEP = 0.3  # seconds that the longest pause grows with each lost push
_LONGEST = 3.0


@dataclass(frozen=True, slots=True)
class Draft:
    """One commit to be: files (None deletes), the message, and a commit that it merges."""

    files: Mapping[str, bytes | None]
    message: str
    merges: str | None = None


@dataclass(frozen=True, slots=True)
class ProposalDraft:
    """A proposal branch to be: made anew on the tip, in place of `replaces` (None: it is new)."""

    overlay: Overlay
    branch: str
    draft: Draft
    replaces: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one intent wants, seen from one tip. Without drafts and edits nothing is to be done.

    Attributes:
        commit: what goes to the branch itself.
        edits: path -> content for the caller's checkout.
        waiting: proposals that already say what was asked for.
        ending: proposals whose branch goes, each from exactly its `commit`; `state` says why.
        before: path -> present content of every file named above, for the preview.
    """

    action: str
    commit: Draft | None = None
    proposals: tuple[ProposalDraft, ...] = ()
    edits: Mapping[str, bytes] = field(default_factory=dict)
    waiting: tuple[Proposal, ...] = ()
    ending: tuple[Proposal, ...] = ()
    before: Mapping[str, bytes | None] = field(default_factory=dict)
    changes: tuple[OverlayChange, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hold: Hold | None = None
    hint: str | None = None


def write(session: Session, plan: Callable[[Tip], Plan]) -> WriteReport:
    """Carry out `plan` on the newest tip, again on the next one when a push loses.

    Raises Conflict when the budget is spent on lost races, Unavailable or TimedOut when it is
    spent on a server that does not answer, and whatever `plan` and the ports raise.
    """
    deadline = session.clock.monotonic() + session.budget
    tries = pushes = 0
    unsure: _Sent | None = None  # a push whose answer was lost: it may land even later
    sent: _Sent | None = None
    while True:
        tries += 1
        try:
            tip = open_tip(session)
            if unsure is not None and (report := _landed(session, unsure, pushes)) is not None:
                return report
            wanted = plan(tip)
            if session.dry_run or _is_empty(wanted):
                return _report(session, tip, wanted, pushes, planned=session.dry_run)
            sent = _Sent(tip, wanted, _updates(session, tip, wanted))
            lost = None
            if sent.updates:
                pushes += 1
                lost = session.repository.push([entry.update for entry in sent.updates])
            if lost is None:
                return _finish(session, sent, pushes)
            sent = None
            pause(session, deadline, tries, moved_on(session, tip.snapshot.branch, pushes, lost))
        except (Unavailable, TimedOut) as error:
            unsure, sent = unsure or sent, None
            session.say(f"{error.message}; trying again")
            pause(session, deadline, tries, error)


@dataclass(frozen=True, slots=True)
class _Update:
    update: RefUpdate
    commit: str | None  # None: the branch goes
    proposal: ProposalDraft | None


@dataclass(frozen=True, slots=True)
class _Sent:
    tip: Tip
    plan: Plan
    updates: tuple[_Update, ...]


def _is_empty(plan: Plan) -> bool:
    return not (plan.commit or plan.proposals or plan.edits or plan.ending)


def _updates(session: Session, tip: Tip, plan: Plan) -> tuple[_Update, ...]:
    now = session.clock.now()
    updates: list[_Update] = []
    if plan.commit is not None:
        merged = (plan.commit.merges,) if plan.commit.merges is not None else ()
        parents = (tip.snapshot.commit, *merged)
        new = session.repository.create(
            NewCommit(parents, plan.commit.files, plan.commit.message, now)
        )
        ref = RefUpdate(f"refs/heads/{tip.snapshot.branch}", tip.snapshot.commit, new)
        updates.append(_Update(ref, new, None))
    for proposal in plan.proposals:
        draft = proposal.draft
        new = session.repository.create(
            NewCommit((tip.snapshot.commit,), draft.files, draft.message, now)
        )
        ref = RefUpdate(f"refs/heads/{proposal.branch}", proposal.replaces, new)
        updates.append(_Update(ref, new, proposal))
    for ended in plan.ending:
        ref = RefUpdate(f"refs/heads/{ended.branch}", ended.commit, None)
        updates.append(_Update(ref, None, None))
    return tuple(updates)


def _landed(session: Session, sent: _Sent, pushes: int) -> WriteReport | None:
    """Look for an intent whose answer was lost; the push was atomic, so one branch tells."""
    if not sent.updates:
        return None
    first = sent.updates[0]
    if first.commit is None:
        return None  # only branches that go: the next plan sees whether they are gone
    branch = first.update.ref.removeprefix("refs/heads/")
    found = session.repository.find_intent(branch, session.intent, sent.tip.snapshot.commit)
    if found is None:
        return None
    updates = (replace(first, commit=found), *sent.updates[1:])
    return _finish(session, replace(sent, updates=updates), pushes)


def _finish(session: Session, sent: _Sent, pushes: int) -> WriteReport:
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
    updates: tuple[_Update, ...] = (),
) -> WriteReport:
    proposals = tuple(
        Proposal(entry.proposal.overlay, entry.proposal.branch, entry.commit)
        for entry in updates
        if entry.proposal is not None
    )
    ended = plan.ending if not planned else tuple(replace(one, state="open") for one in plan.ending)
    committed = next((entry.commit for entry in updates if entry.proposal is None), None)
    outcome: Outcome = "unchanged"
    if planned and not _is_empty(plan):
        outcome = "planned"
    elif committed is not None:
        outcome = "committed"
    elif proposals:
        outcome, committed = "proposed", proposals[0].commit
    elif plan.edits and not planned:
        outcome = "edited"
    elif updates:
        outcome = "closed"
    written = dict(plan.commit.files) if plan.commit is not None else {}
    for proposal in plan.proposals:
        written |= proposal.draft.files
    written |= plan.edits
    return WriteReport(
        action=plan.action,
        outcome=outcome,
        branch=tip.snapshot.branch,
        repository=session.repository.describe(),
        commit=committed,
        attempts=pushes,
        changes=plan.changes,
        skipped=plan.skipped,
        proposals=plan.waiting + proposals + ended,
        warnings=plan.warnings,
        notes=plan.notes,
        diffs=tuple(FileDiff(path, plan.before.get(path), new) for path, new in written.items()),
        hold=plan.hold,
        hint=plan.hint,
    )


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
