"""What waits for the writer: in which order, and how much, so that nobody keeps others away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from gitops.errors import Unavailable
from gitops.server.writer.order import LOOK, RANKS, CallOrder

if TYPE_CHECKING:
    from gitops.server.writer.flight import Flight

_WAY_BACK: Final = RANKS["hold"]
_MOST_LOOKS: Final = 64
_LOOKS_OF_ONE: Final = 8
_LOOKS_AT_ONCE: Final = 8  # in a round: each may read history


class CallQueue:
    """Flights that wait for a round; whoever uses it holds the writer's lock.

    Args:
        most: calls that may wait. A quarter of them may be one caller's, and what goes back or
            keeps automation away has room for a quarter more: a flood of deploys bars no way back.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._share = max(most // 4, 1)
        self._flights: list[Flight] = []

    def __len__(self) -> int:
        return len(self._flights)

    def __iter__(self) -> Iterator[Flight]:
        return iter(self._flights)

    @property
    def has_ready(self) -> bool:
        """Whether one of them can go on."""
        return any(one.is_ready for one in self._flights)

    def check(self, order: CallOrder) -> None:
        """Raise Unavailable where there is no room for one more."""
        again = "send it again in a moment"
        is_look = order.verb == LOOK
        alike = [one for one in self._flights if (one.call.order.verb == LOOK) == is_look]
        own = sum(bool(order.caller) and one.call.order.caller == order.caller for one in alike)
        most, share = (_MOST_LOOKS, _LOOKS_OF_ONE) if is_look else (self._most, self._share)
        if RANKS.get(order.verb, _WAY_BACK + 1) <= _WAY_BACK:
            most, share = most + self._share, share + self._share
        if len(alike) >= most:
            raise Unavailable(f"{len(alike)} calls wait already", hint=again)
        if own >= share:
            raise Unavailable(f"{own} calls of {order.caller} wait already", hint=again)

    def add(self, flights: Iterable[Flight]) -> None:
        """Let them wait."""
        self._flights += flights

    def take(self, most: int) -> list[Flight]:
        """Return what comes next, at most so many.

        By the rank of the verb; within one, callers take turns, each with their oldest call.
        """
        turns: Counter[tuple[int, str]] = Counter()
        placed: list[tuple[int, int, int, Flight]] = []
        ready = [one for one in self._flights if one.is_ready]
        for flight in sorted(ready, key=lambda one: one.call.number):
            rank, caller = flight.call.rank, flight.call.order.caller
            placed.append((rank, turns[rank, caller], flight.call.number, flight))
            turns[rank, caller] += bool(caller)
        placed.sort(key=lambda one: one[:3])
        writes = [one[3] for one in placed if one[3].call.order.verb != LOOK]
        looks = [one[3] for one in placed if one[3].call.order.verb == LOOK]
        batch = [*writes, *looks[:_LOOKS_AT_ONCE]][:most]
        taken = set(batch)
        self._flights = [one for one in self._flights if one not in taken]
        return batch
