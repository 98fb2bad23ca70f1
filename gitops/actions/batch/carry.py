"""Apply published intents to a tip: what one push of a carrier holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Session, Tip
from gitops.actions.write.push import Update, guards
from gitops.core.batch.intents import Intent
from gitops.core.batch.selection import (
    AnsweredIntent,
    Combined,
    Selection,
    combine,
    with_answers,
    with_carrier,
)
from gitops.errors import GitopsError, Refused
from gitops.ports import Intents, NewCommit, NoForge, RefUpdate

PlanOther = Callable[[Session, Intent], Callable[[Tip], Plan]]


class CarriedTip(Struct, frozen=True):
    """The branch after some intents: the tip to build on, and the commit that led there.

    Attributes:
        new: None where nothing was made yet.
    """

    tip: Tip
    new: NewCommit | None = None


class Load(Struct, frozen=True):
    """What a carrier is about to push.

    Attributes:
        updates: the branch, where anything is to be committed, the refs that go, and branches that
            policy was read from and that must stay as they are.
        own: the carrier's own change, which is one of them; empty where it was answered or left.
    """

    combined: Combined[CarriedTip]
    updates: tuple[RefUpdate, ...]
    own: OwnChange


class OwnChange(Struct, frozen=True):
    """The carrier's own change within a load; without `commit` there was nothing to change."""

    tip: Tip
    plan: Plan
    commit: str | None = None

    @property
    def updates(self) -> tuple[Update, ...]:
        """The same as the report of a push wants it."""
        if self.commit is None:
            return ()
        branch, base = self.tip.snapshot.branch, self.tip.snapshot.commit
        move = RefUpdate(f"refs/heads/{branch}", base, self.commit)
        return (Update(move, branch, self.commit, base),)


def load(
    session: Session,
    intents: Intents,
    tip: Tip,
    selection: Selection,
    refs: Mapping[str, str],
    plan_other: PlanOther,
) -> Load:
    """Make a commit for every intent of `selection` on what the ones before it left behind.

    `refs` are the refs that were read, with what they named. Nothing is visible to others yet.
    """
    carrier = session.identity()
    own = OwnChange(tip, Plan(action="deploy"))
    judged: list[bool] = []

    def apply(step: CarriedTip, intent: Intent) -> CarriedTip | None:
        nonlocal own
        mine = intent.id == session.intent
        plan = _plan(session, intent, step.tip, plan_other, mine=mine)
        draft = plan.commits.get(tip.snapshot.branch)
        judged.append(plan.judged)
        if mine:
            own = OwnChange(step.tip, plan)
        if draft is None:
            return None
        message = draft.message if mine else with_carrier(draft.message, carrier)
        new = NewCommit(
            (step.tip.snapshot.commit,),
            draft.files,
            message,
            session.clock.now(),
            author=intent.author,
        )
        after = _after(session, intents, step.tip, new)
        if mine:
            own = replace(own, commit=after.snapshot.commit)
        return CarriedTip(after, new)

    combined = combine(CarriedTip(tip), selection, apply)
    others = [entry for entry in combined.answered if entry.intent.id != session.intent]
    combined = _record(session, intents, combined, others)
    last = combined.state
    if combined.carried and combined.carried[-1].id == session.intent:
        own = replace(own, commit=last.tip.snapshot.commit)
    updates = [RefUpdate(ref, refs[ref], None) for ref in combined.removals]
    if last.new is not None:
        ref = f"refs/heads/{tip.snapshot.branch}"
        updates.insert(0, RefUpdate(ref, tip.snapshot.commit, last.tip.snapshot.commit))
        updates += guards(last.tip, (tip.snapshot.branch,)) if any(judged) else ()
    return Load(combined, tuple(updates), own)


def check_travels(plan: Plan, branch: str) -> None:
    """Raise Refused for a plan that is more than one commit on `branch`, or needs its caller."""
    if plan.looked:
        raise Refused("its images are looked up in registries: nobody else can carry it")
    elsewhere = [name for name in plan.commits if name != branch]
    if elsewhere or plan.proposals or plan.waiting or plan.ending or plan.edits:
        raise Refused(f"it is more than a commit on {branch}: nobody else can carry it")


def _plan(session: Session, intent: Intent, tip: Tip, plan_other: PlanOther, *, mine: bool) -> Plan:
    if mine:
        plan = plan_other(session, intent)(tip)
    else:
        other = replace(
            session,
            intent=intent.id,
            identity=lambda: intent.author,
            work_tree=None,
            forge=lambda _: NoForge(),
        )
        try:
            plan = plan_other(other, intent)(tip)
        except GitopsError:
            raise
        except Exception as error:
            # One intent that gitops stumbles over must not stop everybody's work.
            raise Refused(f"it cannot be planned here ({type(error).__name__})") from error
    check_travels(plan, tip.snapshot.branch)
    return plan


def _after(session: Session, intents: Intents, tip: Tip, new: NewCommit) -> Tip:
    """Make the commit, and return the tip that it is; other branches stay as they were read."""
    commit = session.repository.create(new)
    return replace(tip, snapshot=intents.look(tip.snapshot.branch, commit))


def _record(
    session: Session,
    intents: Intents,
    combined: Combined[CarriedTip],
    answered: Iterable[AnsweredIntent],
) -> Combined[CarriedTip]:
    """Write into the last commit what could not be applied: the owners may be gone."""
    entries = list(answered)
    last = combined.state.new
    if last is None or not entries:
        return combined
    new = replace(last, message=with_answers(last.message, entries))
    return replace(
        combined, state=CarriedTip(_after(session, intents, combined.state.tip, new), new)
    )
