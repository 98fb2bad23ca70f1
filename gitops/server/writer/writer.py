"""The one writer of a repository: what queued during the last push is the next batch.

Nobody waits for a batch to fill. In a round every call of it is planned in turn, each on what the
ones before left, and one push carries them all. A call that cannot be planned fails alone, with
its own words; where it saw what others are about to push, once that has landed. What loses the
push is planned again, first in the next round. Nothing is kept on disk: a call is answered once
Git has it, and a process that dies loses only what it had not answered; the `Gitops-Id` tells
whoever asks again. docs/explanation/one-writer.md
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gitops import tracing
from gitops.errors import GitopsError, NoAtomicPush, TryAgain, Unavailable
from gitops.ports import Lost, RefUpdate
from gitops.server.writer.flight import Flight, PushLanded, Verdict
from gitops.server.writer.landed import LandedIds
from gitops.server.writer.order import Call, CallOrder, KeyReused, Outcome
from gitops.server.writer.queue import CallQueue
from gitops.server.writer.round import Round
from gitops.server.writer.turn import Turn
from gitops.wiring.kept import Door, open_door

MOST_AT_ONCE: Final = 128  # commits in one push
MOST_WAITING: Final = 1024
REMEMBERED: Final = 600.0  # seconds for which an answer is given again
_MOST_REMEMBERED: Final = 20_000
_PAUSES: Final = (0.1, 5.0)  # seconds before the next try on a server that is away
_HEADS: Final = "refs/heads/"


class Figures(Struct):
    """What the writer has done: pushes tried and landed, calls that they carried, rounds."""

    pushes: int = 0
    landed: int = 0
    carried: int = 0
    rounds: int = 0
    largest: int = 0


class _Planned(Struct):
    """What became of the calls of a round when each had planned.

    Attributes:
        again: they pause: a server did not answer.
        asking: they wait for somebody outside, which is no trouble of the repository's.
        built_on: they have nothing to push, and saw what is only about to be pushed.
    """

    pushing: list[Flight]
    again: list[Flight]
    asking: list[Flight]
    built_on: list[Flight]


class Writer:
    """The queue, and the thread that plans and pushes.

    Attributes:
        figures: what was done so far.

    Args:
        door: the repository; nobody else uses it.
        most_waiting: calls that may queue; more are refused with Unavailable.
        most_at_once: calls that one push carries.
    """

    def __init__(
        self, door: Door, *, most_waiting: int = MOST_WAITING, most_at_once: int = MOST_AT_ONCE
    ) -> None:
        self.figures = Figures()
        self._door = door
        self._ceiling = most_at_once
        self._most = most_at_once
        self._turn = Turn()
        self._landed = LandedIds(door.repository)
        self._changed = threading.Condition()
        self._queue = CallQueue(most_waiting)
        self._flying: set[Flight] = set()
        self._known: dict[str, Call] = {}
        self._count = 0
        self._trouble = 0
        self._stops = False
        self._paused = 0
        self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)
        self._thread.start()

    def submit(self, order: CallOrder) -> Call:
        """Take up a call; one with the same id that runs, or was answered lately, is joined.

        Raises KeyReused where the id was sent with something else where there is no room.
        """
        with self._changed:
            now = time.monotonic()
            self._forget(now)
            known = self._known.get(order.id)
            if known is not None:
                if known.order.digest != order.digest:
                    raise KeyReused(order.id)
                if not _may_be_tried_again(known):
                    return known
                order = replace(order, fresh=False)
            call = self._known[order.id] = self._queued(order, now)
            return call

    def look(self, order: CallOrder) -> Call:
        """Look in Git for a call that nobody here knows of; `order` says what if it is not there.

        It is not remembered: whoever sends the call itself is not refused for it.
        """
        with self._changed:
            return self._queued(order, time.monotonic())

    def _queued(self, order: CallOrder, now: float) -> Call:
        if self._stops:
            raise Unavailable("the server is about to stop", hint="send it again in a moment")
        self._queue.check(order)
        self._count += 1
        call = Call(order, self._count, now)
        about = self._landed, self._has_ended, self._stirred
        self._queue.add([Flight(call, self._door, self._turn, *about)])
        self._changed.notify_all()
        return call

    def find(self, name: str) -> Call | None:
        """Return the call with this id that runs, or was answered lately."""
        with self._changed:
            self._forget(time.monotonic())
            return self._known.get(name)

    @property
    def waiting(self) -> int:
        """How many calls wait for a round."""
        return len(self._queue)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Plan nothing within the block: what comes meanwhile is one batch."""
        with self._changed:
            self._paused += 1
        try:
            yield
        finally:
            with self._changed:
                self._paused -= 1
                self._changed.notify_all()

    def drain(self, seconds: float = 20.0) -> bool:
        """Take nothing more, push what queues, and end; False where something was left undone."""
        with self._changed:
            self._stops = True
            self._changed.notify_all()
        end = time.monotonic() + seconds
        self._thread.join(max(end - time.monotonic(), 0.0))
        with self._changed:
            self._changed.wait_for(lambda: not self._flying, max(end - time.monotonic(), 0.0))
            left = [*self._queue, *self._flying]
        error = Unavailable("the server stopped before this was done", hint="send it again")
        for flight in left:
            flight.call.answer(Outcome(error=error), time.monotonic())
        return not left

    def _forget(self, now: float) -> None:
        """Drop answers that were given long ago; they stand in the order in which calls came."""
        for name, call in list(self._known.items()):
            crowded = len(self._known) > _MOST_REMEMBERED
            old = call.answered is not None and (now - call.answered > REMEMBERED or crowded)
            if not old:
                break
            del self._known[name]

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._may_go_on)
                if not self._queue:
                    return
                batch = self._queue.take(self._most)
                is_crowd = bool(self._flying)
                if not is_crowd:
                    with self._turn:
                        self._door.repository.again()
                self._flying.update(batch)
            if is_crowd:  # which may go on for hours
                with self._turn:
                    self._door.repository.rest()
            again = self._round(batch)
            with self._changed:
                # Who asks somebody reads on in what it has seen so far.
                self._flying.difference_update(one for one in again if one.stage != "asks")
                self._queue.add(again)
            self._rest()

    def _may_go_on(self) -> bool:
        if self._paused:
            return False
        return self._queue.has_ready or (self._stops and not self._queue)

    def _stirred(self) -> None:
        """A call that waited for somebody outside can go on."""
        with self._changed:
            self._changed.notify_all()

    def _rest(self) -> None:
        """Leave a server alone for a while that did not answer."""
        if self._trouble:
            shortest, longest = _PAUSES
            time.sleep(min(shortest * 2.0 ** (self._trouble - 1), longest))

    def _has_ended(self, flight: Flight) -> None:
        """A call has done what it does after its push, or was over before."""
        with self._changed:
            self._flying.discard(flight)
            self._changed.notify_all()

    def _round(self, batch: Sequence[Flight]) -> list[Flight]:
        """Plan all of `batch`, and push; return those that want another round."""
        self.figures.rounds += 1
        round_ = Round(self._door.repository)
        planned = self._plan(round_, batch)
        later = [*planned.again, *planned.asking]
        if planned.again:
            self._trouble += 1  # a verb pauses in a round where a server did not answer
        if not planned.pushing:
            self._trouble = self._trouble if planned.again else 0
            return later
        if self._push(round_, planned.pushing):
            for flight in planned.built_on:
                self._answer(flight)
            return later
        for flight in planned.built_on:
            self._has_ended(flight)
        return [*later, *planned.pushing, *(flight.anew() for flight in planned.built_on)]

    def _plan(self, round_: Round, batch: Sequence[Flight]) -> _Planned:
        """Let each call plan in turn; answer those that are done."""
        planned = _Planned([], [], [], [])
        places = {"pushes": planned.pushing, "waits": planned.again, "asks": planned.asking}
        for flight in batch:
            is_ahead = round_.is_ahead
            with self._turn:
                stage = flight.advance(round_)
            if stage != "done":
                places[stage].append(flight)
            elif is_ahead:
                planned.built_on.append(flight)
            else:
                self._answer(flight)
        return planned

    def _answer(self, flight: Flight) -> None:
        """Tell what came of a call that pushes nothing."""
        flight.answer()
        self._has_ended(flight)

    def _push(self, round_: Round, pushing: Sequence[Flight]) -> bool:
        """Push what the calls want, and tell each of them; False: it did not land."""
        updates = round_.updates
        verdict = self._try(updates)
        if isinstance(verdict, PushLanded):
            self._learn(updates, pushing)
            self._trouble = 0
            self._most = min(self._most * 2, self._ceiling)
        elif isinstance(verdict, GitopsError):
            verdict = self._less(verdict, len(pushing))
        for flight in pushing:
            # Whoever raises an error writes hints into it: each gets one of its own.
            flight.tell(copy(verdict))
        return isinstance(verdict, PushLanded)

    def _try(self, updates: Sequence[RefUpdate]) -> Verdict:
        if not updates:
            return PushLanded()
        self.figures.pushes += 1
        with self._turn:
            try:
                with tracing.span("push of a round", "client", branches=len(updates)):
                    return self._door.repository.push(updates) or PushLanded()
            except GitopsError as error:
                return error
            except Exception as error:  # noqa: BLE001 - the calls look for what became of it
                return Unavailable(f"the push ended in {type(error).__name__}")

    def _less(self, error: GitopsError, together: int) -> Verdict:
        """Return what calls are told of a push that failed, and send fewer the next time.

        A push that was too much, or that one of many spoiled, says nothing of the others: they
        come again, in halves. One that nobody answered may have landed: each looks for its own id.
        """
        self._trouble += isinstance(error, TryAgain)
        self._most = max(together // 2, 1)
        if isinstance(error, NoAtomicPush):
            self._most = self._ceiling = 1  # then each sees for itself
        if together == 1 or isinstance(error, TryAgain):
            return error
        return Lost(f"not together with {together - 1} others: {error.message}")

    def _learn(self, updates: Sequence[RefUpdate], pushing: Sequence[Flight]) -> None:
        self.figures.landed += 1
        self.figures.carried += len(pushing)
        self.figures.largest = max(self.figures.largest, len(pushing))
        for one in updates:
            if one.new is None or one.new == one.old:
                continue
            made = {
                commit: flight.call.order
                for flight in pushing
                if (commit := flight.made.get(one.ref)) is not None
            }
            self._landed.pushed(one.ref.removeprefix(_HEADS), one.old, one.new, made)


def _may_be_tried_again(call: Call) -> bool:
    """Say whether an answer was of the kind that the same call may change."""
    outcome = call.outcome
    return outcome is not None and isinstance(outcome.error, TryAgain)


class Desk:
    """The writer of one repository and branch, for all threads."""

    def __init__(self, location: str, branch: str | None) -> None:
        self._where = location, branch
        self._lock = threading.Lock()
        self._opened = ExitStack()
        self._writer: Writer | None = None
        self._closed = False

    @property
    def writer(self) -> Writer | None:
        """The writer; None as long as nobody has written."""
        return self._writer

    def submit(self, order: CallOrder) -> Call:
        """Take up a call; see `Writer.submit`. Raises what opening a repository does, too."""
        return self._open().submit(order)

    def find(self, name: str) -> Call | None:
        """Return a call that runs, or was answered lately."""
        return self._writer.find(name) if self._writer is not None else None

    def look(self, order: CallOrder) -> Call:
        """Look in Git for a call, by its id; see `Writer.look`."""
        return self._open().look(order)

    def close(self, seconds: float = 20.0) -> bool:
        """Take nothing more, do what waits, and let go; False where something was left undone."""
        with self._lock:
            self._closed = True
        done = self._writer.drain(seconds) if self._writer is not None else True
        if done:
            self._opened.close()
        return done

    def _open(self) -> Writer:
        with self._lock:
            if self._writer is None:
                if self._closed:
                    raise Unavailable("the server is about to stop", hint="send it again")
                self._writer = Writer(self._opened.enter_context(open_door(*self._where)))
            return self._writer
