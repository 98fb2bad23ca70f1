"""One published intent, and what its owner does until it has landed: look, wait, carry.

The owner of the oldest intent applies all of them and pushes; the others wait. A writer is done
when its `Gitops-Id` stands on the branch. That its ref is gone proves nothing: then it goes on
alone, and so learns what stands against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

from gitops.actions.batch.carry import PlanOther, load
from gitops.actions.batch.published import Published, gather, judge_published, sweep
from gitops.actions.context.plan import Plan
from gitops.actions.context.policy_branch import tip_of
from gitops.actions.context.session import Combining, Session, Tip
from gitops.actions.write.push import Sent, Update
from gitops.actions.write.report import report_of
from gitops.actions.write.retry import Attempts
from gitops.core.batch.intents import Intent
from gitops.core.batch.landed import landed
from gitops.core.batch.selection import CARRIER_TRAILER, MOST_AT_ONCE, describe_answer, is_turn
from gitops.core.git.commit import CommitInfo
from gitops.core.git.message import trailers
from gitops.core.report import WriteReport
from gitops.errors import Conflict, Denied, GitopsError, TimedOut, TryAgain, Unavailable
from gitops.ports import Lost, RefUpdate

_CYCLE: Final = 2.0  # one carrier's look and push, beside a single push or look
_CYCLES: Final = (0.3, 5.0)  # seconds, shortest and longest
_TOUCHED: Final = 3  # lost pushes in a row though the branch stayed: somebody touches the refs


class AloneError(Exception):
    """This call can neither carry nor be carried any more; the text says why."""


class _Turn(Struct):
    """What one writer remembers from look to look.

    Attributes:
        cycle: seconds that a carrier takes, by what our own requests took.
        since: when anything changed last: the branch, or who stands before us.
    """

    cycle: float = _CYCLES[0]
    since: float = 0.0
    seen: object = None
    lost: int = 0
    lost_on: str | None = None

    def took(self, seconds: float) -> None:
        """Learn from a push or a look how fast things go."""
        shortest, longest = _CYCLES
        self.cycle = min(max(_CYCLE * seconds, shortest), longest)

    def waited(self, now: float, seen: object) -> float:
        """Return for how long `seen` has been the same."""
        if seen != self.seen:
            self.seen, self.since = seen, now
        return now - self.since

    def lose(self, tip: str) -> None:
        """Note a lost push; AloneError when it is the refs that lose it, again and again."""
        self.lost = self.lost + 1 if tip == self.lost_on else 1
        self.lost_on = tip
        if self.lost >= _TOUCHED:
            raise AloneError("pushes lose though the branch stays: somebody touches the refs")


class Waiting(Struct):
    """A published intent and its owner.

    Attributes:
        plan: plans the owner's change on any tip.
        plan_other: plans what an intent asks for.
        sent: what the owner's last push held.
        oid: the blob that the intent was published as.
        pushes: tried so far, by this call.
        others_first: somebody had published before, as far as publishing told.
        warnings: what there is to say of other writers' intents, each once.
    """

    session: Session
    combining: Combining
    plan: Callable[[Tip], Plan]
    plan_other: PlanOther
    sent: Sent
    intent: Intent
    oid: str
    pushes: int
    others_first: bool
    warnings: dict[str, None] = {}

    def run(self, deadline: float, took: float) -> WriteReport:
        """Look, and carry when it is our turn, until the intent has landed.

        Who was not the first to publish waits before the first look, as long as a carrier takes;
        `took` is how long publishing did, in seconds.

        Raises what the own plan raises, AloneError, and TryAgain when the time is over.
        """
        clock = self.session.clock
        turn = _Turn()
        turn.took(took)
        if self.others_first:
            clock.pause(2 * turn.cycle, turn.cycle)
        attempts = Attempts(self.session, deadline)
        while True:
            attempts.begin()
            outcome: WriteReport | Lost | None = None
            trouble: TryAgain = self._too_late()
            try:
                outcome = self._step(turn)
            except (Unavailable, TimedOut) as error:
                attempts.tell(error)
                trouble = error
            if isinstance(outcome, WriteReport):
                return outcome
            left = attempts.left(trouble)
            if outcome is None:
                turn.took(attempts.took)
                clock.pause(min(2 * turn.cycle, left), turn.cycle)
            else:  # somebody else has the branch, and may have carried this: look again soon
                clock.pause(min(turn.cycle / 2, left))

    def _step(self, turn: _Turn) -> WriteReport | Lost | None:
        """Look once; carry if it is our turn. None: nothing happened, wait."""
        intent = self.intent
        try:
            gathered = gather(self.session, self.combining, intent.branch)
        except Denied as error:
            raise AloneError(error.message) from error
        if gathered.refs.get(intent.ref_name) != self.oid:
            recent = self.combining.intents.recent(gathered.snapshot.commit, [intent.base])
            found = landed(recent).get(intent.id)
            if found is None:
                raise AloneError("somebody took the intent away, and it has not landed")
            return self._carried(found)
        published = judge_published(self.session, self.combining, gathered, intent)
        if intent.id in published.landed:
            return self._carried(published.landed[intent.id])
        queue = published.selection.intents
        ids = [one.id for one in queue]
        if intent.expires <= self.session.clock.now():
            raise self._too_late()
        if intent.id not in ids and len(ids) < MOST_AT_ONCE:
            raise AloneError("nobody may apply the intent any more")
        ahead = tuple(ids[: ids.index(intent.id)]) if intent.id in ids else tuple(ids)
        now = self.session.clock.monotonic()
        waited = turn.waited(now, (gathered.snapshot.commit, ahead))
        if is_turn(queue, intent.id, waited=waited, patience=2 * turn.cycle):
            return self._carry(published, turn)
        self.session.detail(f"{len(ahead)} others are before us")
        return None

    def _carry(self, published: Published, turn: _Turn) -> WriteReport | Lost:
        """Apply and push what waits; Lost when somebody else got the branch.

        Raises what the own plan raises, once that is true of what stands on the branch.
        """
        session, own = self.session, self.session.intent
        made = load(
            session,
            self.combining.intents,
            published.tip,
            published.selection,
            published.refs,
            self.plan_other,
        )
        combined = made.combined
        for entry in combined.left:
            if entry.intent.id == own:
                raise entry.error
        self.pushes += 1
        lost = self._push(made.updates)
        if lost is not None:
            session.detail(f"lost with {len(combined.carried)} changes ({lost.words})")
            turn.lose(published.tip.snapshot.commit)
            return lost
        if len(combined.carried) > 1:
            session.detail(f"{len(combined.carried)} changes went with one push")
        self._sweep(published)
        for entry in combined.answered:
            if entry.intent.id != own:
                self.warnings[f"not carried: {describe_answer(entry)}"] = None
        for entry in combined.answered:
            if entry.intent.id == own:
                raise entry.error
        return report_of(
            session, made.own.tip, made.own.plan, self.pushes, updates=made.own.updates
        )

    def _push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        try:
            return self.session.repository.push(updates)
        except Denied as error:
            # No atomic push, refs that nobody may delete, or a branch that is protected: alone
            # the truth comes out.
            raise AloneError(error.message) from error

    def _carried(self, found: CommitInfo) -> WriteReport:
        """Report the commit that somebody's push put on the branch, as it was planned there."""
        session, branch = self.session, self.intent.branch
        for who in trailers(found.message).get(CARRIER_TRAILER, ()):
            session.detail(f"landed as {found.commit[:7]} with a push of {who}")
        tip, plan = self.sent.tip, self.sent.plan
        with suppress(GitopsError):
            snapshot = self.combining.intents.look(branch, found.parents[0])
            there = tip_of(session, snapshot)
            planned = self.plan(there)
            if branch in planned.commits:
                tip, plan = there, planned
        base = found.parents[0]
        update = RefUpdate(f"refs/heads/{branch}", base, found.commit)
        updates = (Update(update, branch, found.commit, base),)
        return report_of(session, tip, plan, self.pushes, updates=updates)

    def withdraw(self) -> bool:
        """Remove the own ref; True: now nothing of it can land any more."""
        ref = self.intent.ref_name
        try:
            lost = self.session.repository.push([RefUpdate(ref, self.oid, None)])
        except GitopsError as error:
            self.session.detail(f"{ref} stays until it expires: {error.message}")
            return False
        return lost is None

    def last_look(self, error: TryAgain) -> WriteReport:
        """Find out whether it landed after all, or still may; else raise `error`."""
        intent = self.intent
        hint = f"it may still land, until {intent.expires:%H:%M:%S} UTC: look before trying again"
        try:
            gathered = gather(self.session, self.combining, intent.branch)
            recent = self.combining.intents.recent(gathered.snapshot.commit, [intent.base])
            found = landed(recent).get(intent.id)
            if found is not None:
                return self._carried(found)
            if intent.ref_name not in gathered.refs:
                hint = error.hint or ""
        except GitopsError:
            pass  # as little is known as before
        error.hint = hint
        raise error

    def _too_late(self) -> Conflict:
        return Conflict(
            f"{self.intent.branch} of {self.session.repository.describe()} kept moving: "
            f"{self.pushes} pushes in {self.session.budget:.0f} s, and nobody carried the change",
            hint="nothing was written; run the same command again, or give it more time with "
            "--push-timeout",
        )

    def _sweep(self, published: Published) -> None:
        with suppress(GitopsError):
            self.warnings |= dict.fromkeys(sweep(self.session, published))
