"""One call under way: it runs in a thread of its own, and stands still where it would push.

A verb reads a tip, plans, makes its commit and pushes. Here the push waits until the other calls
of the round have planned on what this one made; then one push carries them all, and each goes on
as if its own had landed, or had lost. So verbs run as they are: whatever they do before, between
and after, they do here, too.

The writer lets one call at a time run: `advance` hands the turn over, and gets it back when the
call pushes, waits or ends. After its push has landed a call is on its own (pull requests, Argo CD,
the ledger), and takes the turn for itself, between those that plan.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops import tracing
from gitops.actions.context.session import Session
from gitops.actions.write.retry import Attempts
from gitops.core.report import WriteReport
from gitops.core.text.plain import one_line
from gitops.errors import Bug, GitopsError, NotFound, TryAgain
from gitops.ports import Clock, Lost, NoForge, RefUpdate, Snapshot
from gitops.server.authorship import AuthoredRepository
from gitops.server.writer.landed import LandedIds
from gitops.server.writer.order import Call, Outcome
from gitops.server.writer.outside import OutsidePort, begin, is_there
from gitops.server.writer.round import Round
from gitops.server.writer.turn import Turn
from gitops.wiring.kept import Door

if TYPE_CHECKING:
    from gitops.core.environments.environment import Config
    from gitops.ports import GatedForge

_log = logging.getLogger("gitops.server")

Stage = Literal["pushes", "waits", "asks", "done"]
"""Why a call gave the turn back: it would push; it would pause, for another round; somebody outside
is slow to answer it; it ended."""


class PushLanded(Struct, frozen=True):
    """The verdict on a push that carried a call."""


Verdict = PushLanded | Lost | GitopsError


class LandedElsewhere(Exception):
    """The call landed meanwhile, by another replica: what is planned anew would do it twice."""

    def __init__(self, report: WriteReport) -> None:
        super().__init__(report.commit)
        self.report = report


class Flight:
    """A call, and the thread that it runs in.

    Attributes:
        call: what was asked for.
        stage: why it gave the turn back.
        made: what its waiting push moves: ref -> commit.
        alone: its push has landed: it is done as far as the branch goes.
        is_ready: it can go on in the next round.
    """

    def __init__(
        self,
        call: Call,
        door: Door,
        turn: Turn,
        landed: LandedIds,
        ended: Callable[[Flight], None],
        stirred: Callable[[], None],
    ) -> None:
        self.call = call
        self.is_ready = True
        self._stirred = stirred
        self._planned_in: Round | None = None
        self._slow: dict[Hashable, Any] = {}
        self.stage: Stage = "waits"
        self.made: dict[str, str | None] = {}
        self.alone = False
        self._door = door
        self.turn = turn
        self._landed = landed
        self._ended = ended
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._round: Round | None = None
        self._verdict: Verdict | None = None
        self._just_lost = False
        self._thread: threading.Thread | None = None
        self._looking: Session | None = None
        self._planning = ExitStack()
        self._looked_in: Round | None = None
        self._has_merged = False
        self._outcome = Outcome(error=Bug("the call ended in the middle"))

    def advance(self, round_: Round) -> Stage:
        """Let it run in `round_` until it gives the turn back. The caller has the turn."""
        self._round = round_
        if self._thread is None:
            self.call.began = True
            name = f"{self.call.order.verb} {self.call.order.id}"
            run = self.call.around.run
            self._thread = threading.Thread(target=run, args=(self._run,), name=name, daemon=True)
            self._thread.start()
        else:
            self._go.release()
        self._back.acquire()
        return self.stage

    def tell(self, verdict: Verdict) -> None:
        """Say what became of its push. PushLanded: it goes on at once, else in the next round."""
        self._verdict = verdict
        if isinstance(verdict, PushLanded):
            self.alone = True
            self._go.release()

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Wait for the push of the round; see `ports.Repository.push`."""
        self._planning.close()
        with tracing.span("push"):
            lost = self._push(updates)
        if lost is not None:
            self._planning.enter_context(tracing.span("plan"))
        return lost

    def _push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        if self.alone:
            return self._door.repository.push(updates)
        is_late = self._planned_in is not self._round
        if is_late:
            self._see_branches(updates)
        lost = self.round.stage(updates)
        if lost is not None:
            self._just_lost = is_late  # then it is planned again at once
            return lost
        self.made = {one.ref: one.new for one in updates if one.old != one.new}
        self._give_back("pushes")
        verdict, self._verdict = self._verdict, None
        if isinstance(verdict, PushLanded):
            self.turn.__enter__()
            return None
        self._just_lost = isinstance(verdict, Lost)
        if isinstance(verdict, GitopsError):
            raise verdict
        return verdict

    def pause(self, clock: Clock, longest: float, shortest: float) -> None:
        """Wait, as a verb does between two tries: the next round is the next try."""
        if self.alone:
            with self.turn.left():
                clock.pause(longest, shortest)
        elif self._just_lost:
            self._just_lost = False  # this is the next round already
        else:
            self._give_back("waits")

    def plans(self) -> None:
        """Note that what it does next is planned on the branches of this round."""
        self._planned_in = self._round

    @property
    def round(self) -> Round:
        """The round that it plans in."""
        assert self._round is not None  # set by whoever let it run  # noqa: S101
        return self._round

    def ask(self, call: Callable[[], Any]) -> tuple[Any, bool]:
        """Call what asks somebody outside; return its answer, and whether others went on meanwhile.

        For the thread of the call; in any other it is called as it is.
        """
        if threading.current_thread() is not self._thread:
            return call(), False
        answer = begin(call)
        if self.alone:
            with self.turn.left():
                is_there(answer)
        elif self.round.waits_for(partial(is_there, answer)):
            return answer.result(), False
        else:
            self.stage, self.is_ready = "asks", False
            self._back.release()
            answer.add_done_callback(lambda _: self._ready_again())
            self._go.acquire()
        return answer.result(), True

    def _ready_again(self) -> None:
        self.is_ready = True
        self._stirred()

    def _see_branches(self, updates: Sequence[RefUpdate]) -> None:
        """Others went on since it was planned: let the round say where they have come to."""
        heads = "refs/heads/"
        for one in updates:
            with suppress(NotFound):
                if one.ref.startswith(heads):
                    self.round.snapshot(one.ref.removeprefix(heads))

    def look_again(self) -> None:
        """Raise LandedElsewhere where the call has landed since it was planned last.

        Another replica may have done it, and somebody else something newer on top: planned once
        more it would undo that. A merge that the call itself asked the forge for is no such thing:
        what it does after that is its own report.
        """
        if (
            self._has_merged
            or self.call.order.fresh
            or self._looking is None
            or self._looked_in is self._round
        ):
            return
        self._looked_in = self._round
        found = self._landed.report(self._looking, self.call.order, self.round)
        if found is not None:
            raise LandedElsewhere(found)

    def _give_back(self, stage: Stage) -> None:
        self.stage = stage
        self._back.release()
        self._go.acquire()

    def _run(self) -> None:
        outcome = self._outcome
        try:
            with (
                tracing.span("call", verb=self.call.order.verb, id=self.call.order.id),
                ExitStack() as opened,
                self._planning,
            ):
                self._planning.enter_context(tracing.span("plan"))
                outcome = self._do(self._session(opened))
        except GitopsError as error:
            outcome = Outcome(error=error)
        except Exception as error:  # noqa: BLE001 - one that stumbles must not stop all others
            _log.exception("%s %s stumbled", self.call.order.verb, self.call.order.id)
            outcome = Outcome(error=_bug(error))
        finally:
            self._outcome = outcome
            self.stage = "done"
            if self.alone:
                self.answer()
                self.turn.__exit__()
                self._ended(self)
            else:
                self._back.release()

    def answer(self) -> None:
        """Tell the caller what came of it."""
        self.call.answer(self._outcome, time.monotonic())

    def anew(self) -> Flight:
        """Return the same call for another round: what it saw in this one never came to be."""
        return Flight(self.call, self._door, self.turn, self._landed, self._ended, self._stirred)

    def _do(self, session: Session) -> Outcome:
        order = self.call.order
        if not order.fresh and (found := self._landed_before(session)) is not None:
            return Outcome(report=found, again=True)
        self._looking, self._looked_in = session, self._round
        try:
            return Outcome(report=order.run(session))
        except LandedElsewhere as elsewhere:
            return Outcome(report=elsewhere.report, again=True)

    def _landed_before(self, session: Session) -> WriteReport | None:
        attempts = Attempts(session)
        while True:
            attempts.begin()
            try:
                return self._landed.report(session, self.call.order, self.round)
            except TryAgain as error:
                attempts.failed(error)

    def _session(self, opened: ExitStack) -> Session:
        order = self.call.order
        made = self._door.session(opened)
        seen = SeenRepository(self._door, self)
        clock = SeenClock(made.clock, self)
        made = replace(made, repository=seen, clock=clock, intent=order.id)
        if order.author is not None:
            author = order.author
            made = replace(made, identity=lambda: author)
        forge = self._door.forge_as(order.token) if order.personal else made.forge

        def open_forge(config: Config) -> GatedForge | NoForge:
            found = forge(config)
            return found if isinstance(found, NoForge) else self._outside(found)

        return replace(
            made,
            forge=open_forge,
            registry=self._outside(made.registry),
            sources=self._outside(made.sources) if made.sources is not None else None,
            aside=lambda call: self.ask(call)[0],
        )

    def _note_merge(self, method: str) -> None:
        self._has_merged = self._has_merged or method == "merge"

    def _outside(self, port: Any) -> Any:
        return OutsidePort(port, self.ask, self._slow, self._note_merge)


def _bug(error: Exception) -> Bug:
    found = Bug(f"gitops stumbled: {type(error).__name__}: {one_line(str(error), 200)}")
    found.__cause__ = error
    return found


class SeenClock:
    """`ports.Clock` of a call in a round: nobody sleeps while others could plan."""

    def __init__(self, clock: Clock, flight: Flight) -> None:
        self._clock = clock
        self._flight = flight

    def now(self) -> datetime:
        """Return the current time."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Return seconds that only go up."""
        return self._clock.monotonic()

    def pause(self, longest: float, shortest: float = 0.0) -> None:
        """Wait for the next round, or let others go on meanwhile."""
        self._flight.pause(self._clock, longest, shortest)


class SeenRepository(AuthoredRepository):
    """A repository as a call in a round sees it: tips of the round, a push that waits."""

    def __init__(self, door: Door, flight: Flight) -> None:
        order = flight.call.order
        super().__init__(door.repository, order.author, order.trailers)
        self._flight = flight

    def snapshot(self, branch: str | None = None) -> Snapshot:
        """Return the tip as the calls before have left it; later the newest there is."""
        if self._flight.alone:
            return self.inner.snapshot(branch)
        self._flight.look_again()
        self._flight.plans()
        return self._flight.round.snapshot(branch)

    def remembered(self, branch: str | None = None) -> AbstractContextManager[Snapshot | None]:
        """Nothing is remembered: the tip of the round is at hand."""
        return nullcontext(None)

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Wait for the push of the round."""
        return self._flight.push(updates)
