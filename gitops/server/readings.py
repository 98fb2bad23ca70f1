"""What several people ask for at once is read once, and kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Hashable
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class SharedReadings(Generic[_T]):
    """One reading for all who ask for the same; one that failed is not kept. On the event loop.

    Args:
        most: how many are kept; the oldest go.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[Hashable, tuple[float, asyncio.Task[_T]]] = {}

    def find(self, key: Hashable, fresh: float) -> asyncio.Task[_T] | None:
        """Return a reading that is under way, or that began less than `fresh` seconds ago."""
        begun, task = self._kept.get(key, (0.0, None))
        if task is None or not task.done():
            return task
        failed = task.cancelled() or task.exception() is not None
        return None if failed or time.monotonic() - begun > fresh else task

    def begin(self, key: Hashable, read: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Begin one, in place of what is kept."""
        self._kept.pop(key, None)
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        task = asyncio.create_task(read)
        self._kept[key] = time.monotonic(), task
        return task
