"""Who waits for the writer how long, when somebody asks without end."""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import cast

import pytest

from gitops.errors import Unavailable
from gitops.server.writer.flight import Flight
from gitops.server.writer.order import LOOK, Call, CallOrder, Outcome
from gitops.server.writer.queue import CallQueue
from server_calls import new_id


class Waiting:
    """What a queue sees of a flight."""

    def __init__(self, verb: str, caller: str, number: int) -> None:
        self.is_ready = True
        self.call = Call(order(verb, caller), number, 0.0)

    def __repr__(self) -> str:
        return f"{self.call.order.verb} {self.call.order.caller} {self.call.number}"


def order(verb: str, caller: str) -> CallOrder:
    """Return a call that does nothing."""
    return CallOrder(new_id(), verb, "", _nothing, caller=caller)


def _nothing(_session: object) -> object:
    raise AssertionError


def filled(queue: CallQueue, *asked: tuple[str, str]) -> CallQueue:
    """Put calls in, in their order."""
    found = [
        Waiting(verb, caller, len(queue) + number) for number, (verb, caller) in enumerate(asked)
    ]
    queue.add(cast("list[Flight]", found))
    return queue


def test_one_caller_does_not_fill_it() -> None:
    """A quarter is theirs; the others find room, and the way back does when it is full."""
    queue = filled(CallQueue(16), *[("deploy", "greedy")] * 4)
    with pytest.raises(Unavailable, match="4 calls of greedy wait already"):
        queue.check(order("deploy", "greedy"))
    queue.check(order("rollback", "greedy"))
    queue.check(order("deploy", "ana"))
    filled(queue, *[("deploy", f"c{number}") for number in range(12)])
    with pytest.raises(Unavailable, match="16 calls wait already"):
        queue.check(order("deploy", "ana"))
    queue.check(order("rollback", "ana"))
    queue.check(order("hold", "ana"))


def test_questions_take_no_room_from_calls() -> None:
    """Nobody asks for more than a few ids at once, and they come last."""
    queue = filled(CallQueue(16), *[(LOOK, "greedy")] * 8)
    with pytest.raises(Unavailable):
        queue.check(order(LOOK, "greedy"))
    queue.check(order(LOOK, "ana"))
    filled(queue, *[(LOOK, "ben")] * 8, ("deploy", "ana"))
    queue.check(order("deploy", "ana"))
    batch = queue.take(128)
    assert ["deploy", *[LOOK] * 8] == [one.call.order.verb for one in batch]
    assert 8 == len(queue)


def test_callers_take_turns() -> None:
    """Whoever sent a hundred before does not keep one waiting; the way back comes first."""
    asked = [*[("deploy", "greedy")] * 5, ("deploy", "ana"), ("promote", "ben"), ("hold", "ana")]
    queue = filled(CallQueue(100), *asked)
    batches = [queue.take(2) for _ in range(4)]
    told = [[(one.call.order.verb, one.call.order.caller) for one in batch] for batch in batches]
    assert [("hold", "ana"), ("promote", "ben")] == told[0]
    assert [("deploy", "greedy"), ("deploy", "ana")] == told[1]
    assert [("deploy", "greedy")] * 4 == [*told[2], *told[3]]


class Asked:
    """What a call was asked with."""


def test_an_answer_keeps_nothing_of_what_asked() -> None:
    """It is given again for minutes: the request, what it asked with and its token are gone."""
    asked, request = Asked(), ContextVar[Asked]("request")
    request.set(asked)
    seen = weakref.ref(asked)
    told = CallOrder(new_id(), "deploy", "digest", lambda _session, _kept=asked: _nothing(_kept))
    call = Call(told, 1, 0.0)
    request.set(Asked())
    del asked, told
    assert seen() is not None
    assert call.wait(0.0) is None

    call.answer(Outcome(), 1.0)
    assert seen() is None
    assert (Outcome(), "digest") == (call.wait(), call.order.digest)
