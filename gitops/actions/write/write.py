"""Plan on the newest tip, push, and plan again when the race was lost.

A push moves a branch from exactly the commit that was read, so the server's own check is the
compare-and-swap. What is retried is the *intent*: the plan is made anew on the new tip, never
merged as text. After an answer that got lost, the `Gitops-Id` on the branch tells whether it
landed. Waits follow docs/explanation/races.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.holds import refuse_orphaned
from gitops.actions.context.plan import NoOtherTry, Plan
from gitops.actions.context.policy_branch import check_policy, open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.write.push import Sent, prepare, push
from gitops.actions.write.report import joined, report_of
from gitops.actions.write.retry import Attempts, moved_on
from gitops.core.report import WriteReport
from gitops.errors import (
    GitopsError,
    NoAtomicPush,
    TimedOut,
    Unavailable,
    UsageError,
)
from gitops.ports import Lost, RefUpdate

if TYPE_CHECKING:
    from gitops.actions.write.cached_tip import CachedTipPush

_ALONE = 2  # lost pushes, after which a writer stops fighting where it may join others


def asking(session: Session, plan: Callable[[Tip], Plan]) -> Callable[[Tip], Plan]:
    """Return `plan`, asked about in each attempt that wants something: a no ends the call.

    A server that did not answer `before_write` is no server to push to again. Raises NoOtherTry.
    """

    def checked(tip: Tip) -> Plan:
        wanted = plan(tip)
        if session.before_write is not None and not wanted.is_empty:
            try:
                session.before_write(session, tip, wanted)
            except GitopsError as error:
                raise NoOtherTry(error) from error
        return wanted

    return checked


class Others(Protocol):
    """The other writers, where changes may be carried for each other.

    Attributes:
        published: the change lay where others see it: it may land by somebody else's push.
        pushes: tried so far, when `join` has returned.
    """

    published: bool
    pushes: int

    def give_way(self, *, leave: bool) -> None:
        """Let pushes lose where others wait to be carried; or not any more."""
        ...

    def waiting(self) -> bool:
        """Say whether others wait to be carried, as far as the newest push told."""
        ...

    def join(self, sent: Sent, deadline: float, pushes: int) -> WriteReport | None:
        """Let whoever gets the branch carry the change, or carry theirs; None: go on alone."""
        ...

    def tidy(self, report: WriteReport) -> WriteReport:
        """Sweep what dead writers left behind, after the own change has landed."""
        ...


class Written(Struct, frozen=True):
    """What a write did, and the plan that it carried out with the tip that this was made on."""

    report: WriteReport
    plan: Plan
    tip: Tip


class _Race(Struct):
    """What a write knows of its own pushes.

    Attributes:
        pushes, lost: how many were tried, and how many of them lost.
        sent: the one that nobody has answered yet.
        unsure: one whose answer was lost, or that others may make: it may land even later.
    """

    pushes: int = 0
    lost: int = 0
    sent: Sent | None = None
    unsure: Sent | None = None

    def push(self, session: Session, sent: Sent, *, apart: bool) -> Lost | None:
        """Push, where there is anything to push, and count it."""
        if not sent.updates:
            return None
        self.pushes += 1
        lost = push(session, sent, apart=apart)
        if lost is not None and lost.gave_way:
            self.pushes -= 1
        elif lost is not None:
            self.lost += 1
        return lost

    def join(self, others: Others, sent: Sent, deadline: float) -> WriteReport | None:
        """Let others carry the change, or carry theirs; None: go on alone, and look first."""
        carried = others.join(sent, deadline, self.pushes)
        self.pushes = others.pushes
        if others.published:
            self.doubt()
        self.sent = None
        return carried

    def doubt(self) -> None:
        """Note that nobody will answer."""
        self.unsure, self.sent = self.unsure or self.sent, None


def write(
    session: Session,
    plan: Callable[[Tip], Plan],
    others: Others | None = None,
    *,
    eager: bool = False,
    tip: Tip | None = None,
    lenient: bool = False,
) -> Written:
    """Carry out `plan` on the newest tip, again on the next one when a push loses.

    Several branches move in one atomic push; one after the other where the server has none. With
    `eager` it is tried first on the tip that an earlier call left on this machine; with `tip` on
    one that this call has read a moment ago. With `lenient` a `gitops.yaml` that does not parse
    bars nothing; see `open_tip`.

    Raises Conflict when the budget is spent on lost races, Unavailable or TimedOut when it is
    spent on a server that does not answer, and whatever `plan` and the ports raise.
    """
    if session.before_write is not None and not session.dry_run:
        plan = asking(session, plan)
    race = _Race()
    if others is not None:
        others.give_way(leave=True)
    try:
        if eager and not session.dry_run and (tried := _try_cached_tip(session, plan)) is not None:
            if tried.landed:
                return _tidied(_finish(session, tried.sent, 1), others)
            race.unsure = tried.sent
        return _write(session, plan, race, others, first=tip, lenient=lenient)
    except NoOtherTry as ended:
        raise ended.error from None


def _try_cached_tip(session: Session, plan: Callable[[Tip], Plan]) -> CachedTipPush | None:
    """Try `plan` on the tip that an earlier call left, if any did."""
    with session.repository.remembered(session.branch) as snapshot:
        if snapshot is None:
            return None
        from gitops.actions.write.cached_tip import try_cached_tip

        return try_cached_tip(session, plan, snapshot)


def _write(
    session: Session,
    plan: Callable[[Tip], Plan],
    race: _Race,
    others: Others | None = None,
    *,
    apart: bool = False,
    first: Tip | None = None,
    lenient: bool = False,
) -> Written:
    attempts = Attempts(session)
    while True:
        attempts.begin()
        try:
            tip = first or open_tip(session, lenient=lenient)
            first = None
            if race.unsure is not None and (done := _landed(session, race)) is not None:
                return done
            wanted = _planned(session, plan, tip)
            if session.dry_run or wanted.is_empty:
                report = report_of(session, tip, wanted, race.pushes, planned=session.dry_run)
                return Written(report, wanted, tip)
            sent = race.sent = prepare(session, tip, wanted)
            lost = race.push(session, sent, apart=apart)
            if lost is None:
                return _tidied(_finish(session, sent, race.pushes), others)
            moved = ", ".join(entry.branch for entry in sent.updates)
            if lost.gave_way:
                session.detail(f"{moved} is left to others that wait")
            else:
                session.detail(f"{moved} moved on before push {race.pushes} ({lost.words})")
            if others is not None and (race.lost >= _ALONE or lost.gave_way or others.waiting()):
                others.give_way(leave=False)
                carried = race.join(others, sent, attempts.deadline)
                if carried is not None:
                    return Written(carried, wanted, tip)
                others = None
                continue  # it may have landed meanwhile: look before anything else
            race.sent = None
            attempts.lost(moved_on(session, moved, race.pushes, lost), _winner(session, sent))
        except NoAtomicPush:
            return _write_apart(session, plan, wanted, tip, lenient=lenient)
        except (Unavailable, TimedOut) as error:
            race.doubt()
            attempts.failed(error)


def _planned(session: Session, plan: Callable[[Tip], Plan], tip: Tip) -> Plan:
    """Return the plan for `tip`, when the branches that it is for and their holds allow it."""
    wanted = plan(tip)
    check_policy(session, tip, wanted.targets)
    if wanted.judged:
        refuse_orphaned(tip.read().values(), tip.config)
    if tip.problem is not None:
        wanted = replace(wanted, warnings=(tip.problem, *wanted.warnings))
    return wanted


def _tidied(written: Written, others: Others | None) -> Written:
    return written if others is None else replace(written, report=others.tidy(written.report))


def _write_apart(
    session: Session, plan: Callable[[Tip], Plan], wanted: Plan, tip: Tip, *, lenient: bool
) -> Written:
    """Carry out `plan` branch by branch, each like a call of its own.

    What landed is left alone by the rest. Proposals that end are deleted at last; a branch that
    cannot be deleted then changes nothing.
    """
    done: list[WriteReport] = []
    for part in wanted.parts:
        try:
            part_of = partial(_only, plan, part)
            done.append(_write(session, part_of, _Race(), apart=True, lenient=lenient).report)
        except GitopsError as error:
            raise _after(error, done) from None
    told = f"{session.repository.describe()} cannot move several branches at once: "
    warnings = [told + "they were moved one after the other"]
    for ended in wanted.ending:
        move = RefUpdate(f"refs/heads/{ended.branch}", ended.commit, None)
        try:
            lost = session.repository.push([move])
        except GitopsError as error:
            warnings.append(f"{ended.branch} was not deleted: {error.message}")
        else:
            warnings += [f"{ended.branch} was not deleted: it moved"] if lost else []
    return Written(joined(done, ended=wanted.ending, warnings=warnings), wanted, tip)


def _only(plan: Callable[[Tip], Plan], part: str | None, tip: Tip) -> Plan:
    return plan(tip).only(part)


def _after(error: GitopsError, done: Sequence[WriteReport]) -> GitopsError:
    """Tell with `error` what landed before it."""
    landed = [f"{one.commit[:7]} on {one.branch}" for report in done for one in report.commits]
    proposed = [report for report in done if report.outcome == "proposed"]
    landed += [f"{(one.commit or '')[:7]} on {one.proposals[-1].branch}" for one in proposed]
    if landed:
        error.reasons += (f"landed before that: {', '.join(landed)}",)
        error.hint = "the same command again leaves what landed alone, and does the rest"
    return error


def _winner(session: Session, sent: Sent) -> float | None:
    """Return how long somebody had waited who got the branch just before this try."""
    base = sent.updates[0].base if sent.updates else None
    if base is None:
        return None
    from gitops.core.batch.turns import waited  # most calls lose no race

    return waited(*session.repository.message(base))


def _landed(session: Session, race: _Race) -> Written | None:
    """Look for an intent whose answer was lost; the push was atomic, so one branch tells."""
    sent = race.unsure
    if sent is None or not sent.updates:
        return None
    first = sent.updates[0]
    if first.base is None:
        return None  # only branches that go: the next plan sees whether they are gone
    found = session.repository.find_intent(first.branch, session.intent, first.base)
    if found is None:
        return None
    updates = (replace(first, commit=found), *sent.updates[1:])
    return _finish(session, replace(sent, updates=updates), race.pushes)


def _finish(session: Session, sent: Sent, pushes: int) -> Written:
    if sent.plan.edits:
        if session.work_tree is None:
            raise UsageError("an environment with `change: work-tree` needs a checkout")
        for path, content in sent.plan.edits.items():
            session.work_tree.replace(path, content)
    report = report_of(session, sent.tip, sent.plan, pushes, updates=sent.updates)
    return Written(report, sent.plan, sent.tip)
