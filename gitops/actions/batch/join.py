"""Many writers, no server: whoever gets the branch carries the changes of all who wait.

A writer that has lost twice publishes its intent, sealed, as a ref that the others see, and from
then on waits (`gitops.actions.batch.queue`). The rule itself is `gitops.core.batch.selection`;
why nothing lands twice, docs/explanation/races.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.batch.carry import PlanOther, check_travels
from gitops.actions.batch.published import gather, judge_published, repository_name, sweep
from gitops.actions.batch.queue import AloneError, Waiting
from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Combining, Session, Tip
from gitops.actions.write.push import Sent
from gitops.core.batch.intents import (
    LONGEST_LIFE,
    REF_PREFIX,
    Intent,
    is_outdated,
    is_waiting,
    sign,
)
from gitops.core.batch.selection import MOST_LISTED
from gitops.core.report import WriteReport
from gitops.errors import GitopsError, TimedOut, TryAgain, Unavailable
from gitops.ports import RefUpdate

_SHORTEST: Final = 3.0  # seconds of the budget below which publishing is not worth its requests
_MOST_WARNINGS: Final = 10


class Batch(Struct):
    """The other writers, as one call of `deploy` deals with them; see `write.Others`.

    A ref that its owner withdrew cannot land any more: a carrier pushes the branch and the removal
    of that very ref at once, or not at all.

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
    warnings: dict[str, None] = {}

    def give_way(self, *, leave: bool) -> None:
        """Leave the branch to others that wait, where that is heard in time; or not any more.

        Whoever comes new pushes one change on a tip that it remembers, and always gets the branch
        before one who carries many.
        """

        def crowd(refs: Collection[str]) -> bool:
            now = self.session.clock.now()
            return any(is_waiting(ref, now) for ref in refs)

        self.combining.intents.give_way(REF_PREFIX, crowd if leave else None)

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
        except AloneError as reason:
            self.session.detail(f"going on alone: {reason}")
            return None
        waiting = Waiting(
            self.session,
            self.combining,
            self.plan,
            self.plan_other,
            sent,
            intent,
            oid,
            self.pushes,
            others_first=self.waiting(),
            warnings=self.warnings,
        )
        try:
            return self._told(self._run(waiting, deadline, began))
        except AloneError as reason:
            self.session.detail(f"going on alone: {reason}")
            self.pushes = waiting.pushes
            return None

    def _run(self, waiting: Waiting, deadline: float, began: float) -> WriteReport:
        """Wait; where it does not end well, withdraw first. (Killed, the intent expires.)"""
        try:
            return waiting.run(deadline, self.session.clock.monotonic() - began)
        except AloneError:
            waiting.withdraw()
            raise
        except TryAgain as error:
            if not waiting.withdraw():
                return waiting.last_look(error)
            raise
        except BaseException:
            # Nothing may land after this call has said that it failed.
            waiting.withdraw()
            for warning in self._shown():
                self.session.say(warning)
            raise

    def tidy(self, report: WriteReport) -> WriteReport:
        """Sweep what dead writers left, where the own push told of it."""
        told = self.combining.intents.overheard(REF_PREFIX)
        now = self.session.clock.now()
        if len(told) <= MOST_LISTED and any(is_outdated(ref, now) for ref in told):
            with suppress(GitopsError):
                gathered = gather(self.session, self.combining, report.branch)
                published = judge_published(self.session, self.combining, gathered)
                self.warnings |= dict.fromkeys(sweep(self.session, published))
        return self._told(report)

    def _intent(self, sent: Sent, deadline: float) -> Intent:
        """Return what is to be published; AloneError where it cannot travel."""
        session, snapshot = self.session, sent.tip.snapshot
        obstacle = self.combining.intents.obstacle()
        if obstacle is not None:
            raise AloneError(obstacle)
        left = deadline - session.clock.monotonic()
        if left < _SHORTEST:
            raise AloneError("too little time is left for others to take it up")
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
            raise AloneError(str(error)) from error

    def _publish(self, intent: Intent) -> str:
        """Publish the sealed intent and return its object; AloneError where that is not taken."""
        try:
            oid = self.combining.intents.store(sign(intent, self.combining.key))
            self.pushes += 1
            self.published = True
            lost = self.session.repository.push([RefUpdate(intent.ref_name, None, oid)])
        except (Unavailable, TimedOut) as error:
            self.session.retry(error.message, "trying again")
            return oid  # it may be there all the same: the next look tells
        except GitopsError as error:
            self.published = False
            raise AloneError(f"{REF_PREFIX} is not taken: {error.message}") from error
        if lost is not None:
            raise AloneError(f"{intent.ref_name} is there already")
        self.session.detail(f"published as {intent.ref_name}, for whoever gets the branch")
        return oid

    def _told(self, report: WriteReport) -> WriteReport:
        return replace(report, warnings=(*report.warnings, *self._shown()))

    def _shown(self) -> tuple[str, ...]:
        """Return the warnings, not too many: somebody may publish a thousand of anything."""
        more = len(self.warnings) - _MOST_WARNINGS
        shown = tuple(self.warnings)[:_MOST_WARNINGS]
        return (*shown, f"and {more} more intents like these") if more > 0 else shown
