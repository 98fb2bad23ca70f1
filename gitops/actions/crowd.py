"""Many writers, no server: whoever gets the branch carries the changes of all who wait.

A writer that has lost twice publishes its intent, sealed, as a ref that the others see. From then
on it looks at branch and intents together. The owner of the oldest intent applies all of them and
pushes; the others wait. A writer is done when its `Gitops-Id` stands on the branch. That its ref is
gone proves nothing: then it goes on alone, and so learns what stands against it.

A ref that its owner withdrew cannot land any more: a carrier pushes the branch and the removal of
that very ref at once, or not at all. The rule itself is `gitops.core.combining`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from gitops.actions.carrying import PlanOther, check_travels, load
from gitops.actions.plan import Plan
from gitops.actions.published import Published, gather, judge_published, repository_name, sweep
from gitops.actions.reporting import report_of
from gitops.actions.sending import Sent, Update
from gitops.actions.session import Combining, Session, Tip, read_config
from gitops.core.combining import (
    CARRIER_TRAILER,
    MOST_AT_ONCE,
    MOST_LISTED,
    describe_answer,
    is_turn,
)
from gitops.core.history import CommitInfo
from gitops.core.intents import LONGEST_LIFE, REF_PREFIX, Intent, is_outdated, sign
from gitops.core.landed import landed
from gitops.core.message import trailers
from gitops.core.report import WriteReport
from gitops.errors import Conflict, Denied, GitopsError, TimedOut, TryAgain, Unavailable
from gitops.ports import Lost, RefUpdate

_SHORTEST: Final = 3.0  # seconds of the budget below which publishing is not worth its requests
_CYCLE: Final = 3.0  # one carrier's look and push, beside a single push or look
_CYCLES: Final = (0.3, 5.0)  # seconds, shortest and longest
_TOUCHED: Final = 3  # lost pushes in a row though the branch stayed: somebody touches the refs
_MOST_WARNINGS: Final = 10


class _AloneError(Exception):
    """This call can neither carry nor be carried any more; the text says why."""


@dataclass(slots=True)
class _Turn:
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
        """Note a lost push; _AloneError when it is the refs that lose it, again and again."""
        self.lost = self.lost + 1 if tip == self.lost_on else 1
        self.lost_on = tip
        if self.lost >= _TOUCHED:
            raise _AloneError("pushes lose though the branch stays: somebody touches the refs")


@dataclass(slots=True)
class Crowd:
    """The other writers, as one call of `deploy` deals with them; see `write.Others`.

    Attributes:
        plan: plans this call's own change.
        wish: makes this call's intent, given place, author and times.
        plan_other: plans what an intent asks for.
        pushes: tried so far, those that only publish among them.
        published: the intent lay where others see it.
        warnings: what there is to say of other writers' intents, each once.
    """

    session: Session
    combining: Combining
    plan: Callable[[Tip], Plan]
    wish: Callable[..., Intent]
    plan_other: PlanOther
    pushes: int = 0
    published: bool = False
    warnings: dict[str, None] = field(default_factory=dict)

    def waiting(self) -> bool:
        """Say whether others wait to be carried, as far as the newest push told."""
        now = self.session.clock.now()
        told = self.combining.intents.overheard(REF_PREFIX)
        return any(not is_outdated(ref, now) for ref in told)

    def join(self, sent: Sent, deadline: float, pushes: int) -> WriteReport | None:
        """Publish, then carry or be carried; None: go on alone.

        Raises what the own plan raises, and Conflict when the time is over.
        """
        self.pushes = pushes
        began = self.session.clock.monotonic()
        try:
            intent = self._intent(sent, deadline)
            oid = self._publish(intent)
        except _AloneError as reason:
            self.session.detail(f"going on alone: {reason}")
            return None
        took = self.session.clock.monotonic() - began
        try:
            report = self._wait(sent, intent, oid, deadline, took)
        except _AloneError as reason:
            self.session.detail(f"going on alone: {reason}")
            self._withdraw(intent, oid)
            return None
        except TryAgain as error:
            if not self._withdraw(intent, oid):
                return self._last_look(sent, intent, error)
            raise
        except BaseException:
            # Nothing may land after this call has said that it failed. (Killed, it expires.)
            self._withdraw(intent, oid)
            for warning in self._shown():
                self.session.say(warning)
            raise
        return self._told(report)

    def tidy(self, report: WriteReport) -> WriteReport:
        """Sweep what dead writers left, where the own push told of it."""
        told = self.combining.intents.overheard(REF_PREFIX)
        now = self.session.clock.now()
        if len(told) <= MOST_LISTED and any(is_outdated(ref, now) for ref in told):
            with suppress(GitopsError):
                gathered = gather(self.session, self.combining, report.branch)
                self._sweep(judge_published(self.session, self.combining, gathered))
        return self._told(report)

    def _intent(self, sent: Sent, deadline: float) -> Intent:
        """Return what is to be published; _AloneError where it cannot travel."""
        session, snapshot = self.session, sent.tip.snapshot
        obstacle = self.combining.intents.obstacle()
        if obstacle is not None:
            raise _AloneError(obstacle)
        left = deadline - session.clock.monotonic()
        if left < _SHORTEST:
            raise _AloneError("too little time is left for others to take it up")
        now = session.clock.now()
        try:
            check_travels(sent.plan, snapshot.branch)
            return self.wish(
                repository=repository_name(self.combining, sent.tip),
                branch=snapshot.branch,
                base=snapshot.commit,
                author=session.identity(),
                created=now,
                expires=now + min(timedelta(seconds=int(left)), LONGEST_LIFE),
            )
        except (GitopsError, ValueError) as error:
            raise _AloneError(str(error)) from error

    def _publish(self, intent: Intent) -> str:
        """Publish the sealed intent and return its object; _AloneError where that is not taken."""
        try:
            oid = self.combining.intents.store(sign(intent, self.combining.key))
            self.pushes += 1
            self.published = True
            lost = self.session.repository.push([RefUpdate(intent.ref_name, None, oid)])
        except (Unavailable, TimedOut) as error:
            self.session.say(f"{error.message}; trying again")
            return oid  # it may be there all the same: the next look tells
        except GitopsError as error:
            self.published = False
            raise _AloneError(f"{REF_PREFIX} is not taken: {error.message}") from error
        if lost is not None:
            raise _AloneError(f"{intent.ref_name} is there already")
        self.session.detail(f"published as {intent.ref_name}, for whoever gets the branch")
        return oid

    def _wait(
        self, sent: Sent, intent: Intent, oid: str, deadline: float, took: float
    ) -> WriteReport:
        """Look, and carry when it is our turn, until the intent has landed.

        Who was not the first to publish waits before the first look, as long as a carrier takes.

        Raises what the own plan raises, _AloneError, and TryAgain when the time is over.
        """
        clock = self.session.clock
        turn = _Turn()
        turn.took(took)
        if self.waiting():
            clock.pause(2 * turn.cycle, turn.cycle)
        while True:
            began = clock.monotonic()
            outcome: WriteReport | Lost | None = None
            trouble: TryAgain = self._too_late(intent)
            try:
                outcome = self._step(sent, intent, oid, turn)
            except (Unavailable, TimedOut) as error:
                self.session.say(f"{error.message}; trying again")
                trouble = error
            if isinstance(outcome, WriteReport):
                return outcome
            left = deadline - clock.monotonic()
            if left <= 0:
                raise trouble
            if outcome is None:
                turn.took(clock.monotonic() - began)
                clock.pause(min(2 * turn.cycle, left), turn.cycle)
            else:  # somebody else has the branch, and may have carried this: look again soon
                clock.pause(min(turn.cycle / 2, left))

    def _step(self, sent: Sent, intent: Intent, oid: str, turn: _Turn) -> WriteReport | Lost | None:
        """Look once; carry if it is our turn. None: nothing happened, wait."""
        try:
            gathered = gather(self.session, self.combining, intent.branch)
        except Denied as error:
            raise _AloneError(error.message) from error
        if gathered.refs.get(intent.ref_name) != oid:
            recent = self.combining.intents.recent(gathered.snapshot.commit, [intent.base])
            found = landed(recent).get(intent.id)
            if found is None:
                raise _AloneError("somebody took the intent away, and it has not landed")
            return self._carried(sent, intent, found)
        published = judge_published(self.session, self.combining, gathered, intent)
        if intent.id in published.landed:
            return self._carried(sent, intent, published.landed[intent.id])
        queue = published.selection.intents
        ids = [one.id for one in queue]
        if intent.expires <= self.session.clock.now():
            raise self._too_late(intent)
        if intent.id not in ids and len(ids) < MOST_AT_ONCE:
            raise _AloneError("nobody may apply the intent any more")
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
        if made.own is None:
            raise _AloneError("the own intent was not among those that were read")
        return report_of(
            session, made.own.tip, made.own.plan, self.pushes, updates=made.own.updates
        )

    def _push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        try:
            return self.session.repository.push(updates)
        except Denied as error:
            # No atomic push, refs that nobody may delete, or a branch that is protected: alone
            # the truth comes out.
            raise _AloneError(error.message) from error

    def _carried(self, sent: Sent, intent: Intent, found: CommitInfo) -> WriteReport:
        """Report the commit that somebody's push put on the branch, as it was planned there."""
        session, branch = self.session, intent.branch
        for who in trailers(found.message).get(CARRIER_TRAILER, ()):
            session.detail(f"landed as {found.commit[:7]} with a push of {who}")
        tip, plan = sent.tip, sent.plan
        with suppress(GitopsError):
            snapshot = self.combining.intents.look(branch, found.parents[0])
            there = Tip(snapshot, read_config(session, snapshot), session.repository)
            planned = self.plan(there)
            if branch in planned.commits:
                tip, plan = there, planned
        base = found.parents[0]
        update = RefUpdate(f"refs/heads/{branch}", base, found.commit)
        updates = (Update(update, branch, found.commit, base),)
        return report_of(session, tip, plan, self.pushes, updates=updates)

    def _withdraw(self, intent: Intent, oid: str) -> bool:
        """Remove the own ref; True: now nothing of it can land any more."""
        try:
            lost = self.session.repository.push([RefUpdate(intent.ref_name, oid, None)])
        except GitopsError as error:
            self.session.detail(f"{intent.ref_name} stays until it expires: {error.message}")
            return False
        return lost is None

    def _last_look(self, sent: Sent, intent: Intent, error: TryAgain) -> WriteReport:
        """Find out whether it landed after all, or still may; else raise `error`."""
        hint = f"it may still land, until {intent.expires:%H:%M:%S} UTC: look before trying again"
        try:
            gathered = gather(self.session, self.combining, intent.branch)
            recent = self.combining.intents.recent(gathered.snapshot.commit, [intent.base])
            found = landed(recent).get(intent.id)
            if found is not None:
                return self._told(self._carried(sent, intent, found))
            if intent.ref_name not in gathered.refs:
                hint = error.hint or ""
        except GitopsError:
            pass  # as little is known as before
        error.hint = hint
        raise error

    def _too_late(self, intent: Intent) -> Conflict:
        return Conflict(
            f"{intent.branch} of {self.session.repository.describe()} kept moving: "
            f"{self.pushes} pushes in {self.session.budget:.0f} s, and nobody carried the change",
            hint="nothing was written; run the same command again, or give it more time with "
            "--push-timeout",
        )

    def _sweep(self, published: Published) -> None:
        with suppress(GitopsError):
            self.warnings |= dict.fromkeys(sweep(self.session, published))

    def _told(self, report: WriteReport) -> WriteReport:
        return replace(report, warnings=(*report.warnings, *self._shown()))

    def _shown(self) -> tuple[str, ...]:
        """Return the warnings, not too many: somebody may publish a thousand of anything."""
        more = len(self.warnings) - _MOST_WARNINGS
        shown = tuple(self.warnings)[:_MOST_WARNINGS]
        return (*shown, f"and {more} more intents like these") if more > 0 else shown
