"""Work on many things, counted for whoever waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

Count = Callable[[str, int, int], None]
"""Told what is done, how much of it is behind, and how much there is (0: nobody knows)."""


def nobody_counts(_doing: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def counted(count: Count, doing: str, items: Sequence[T]) -> Iterator[T]:
    """Yield `items`, and tell how many are behind; what is told last is that it is over."""
    total = len(items)
    if total < 2:
        yield from items
        return
    try:
        for done, one in enumerate(items):
            count(doing, done, total)
            yield one
    finally:
        count(doing, total, total)


def counted_stream(count: Count, doing: str, items: Iterable[T]) -> Iterator[T]:
    """Yield `items` of which nobody knows how many there are."""
    done = 0
    try:
        for done, one in enumerate(items, 1):
            count(doing, done, 0)
            yield one
    finally:
        count(doing, max(done, 1), max(done, 1))
