"""Threads for what blocks, and repositories that stay open for them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from gitops.errors import Unavailable

if TYPE_CHECKING:
    from gitops.actions.context.session import Session


_P = ParamSpec("_P")
_R = TypeVar("_R")

_IDLE: Final = 300.0  # seconds after which a repository that nobody needs is closed

CALLER: Final[ContextVar[str | None]] = ContextVar("caller", default=None)
"""Whom a request is counted for; None: nobody in particular, without a bound of their own."""


class Workers:
    """A few threads, and a short queue before them; whoever finds it full is sent away.

    One caller gets half of the threads, and half of the queue: what they ask for without end, or
    that takes long, keeps nobody else waiting.
    """

    def __init__(self, threads: int = 8, waiting: int = 64) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="gitops-worker")
        self._most = threads + waiting
        self._share = max(threads // 2, 1)
        self._asked: Counter[str] = Counter()
        self._shares: dict[str, asyncio.Semaphore] = {}
        self.busy = 0  # calls that run or wait; touched on the event loop only

    async def run(self, call: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call it in a thread and return what it returns. Raises Unavailable when all are busy."""
        caller = CALLER.get()
        if self.busy >= self._most or (caller and self._asked[caller] >= self._most // 2):
            raise Unavailable("too much is asked for at once", hint="try again in a moment")
        self.busy += 1
        try:
            if caller is None:
                return await self._run(call, *args, **kwargs)
            self._asked[caller] += 1
            try:
                async with self._shares.setdefault(caller, asyncio.Semaphore(self._share)):
                    return await self._run(call, *args, **kwargs)
            finally:
                self._asked[caller] -= 1
                if not self._asked[caller]:
                    del self._asked[caller], self._shares[caller]
        finally:
            self.busy -= 1

    async def _run(self, call: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        around = copy_context()  # of the request: spans in there belong to it
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: around.run(call, *args, **kwargs))

    def close(self) -> None:
        """Wait for what runs; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)


Opened = AbstractContextManager[Callable[[], "Session"]]


class _Door:
    def __init__(self, opened: Opened) -> None:
        self._stack = ExitStack()
        self.session = self._stack.enter_context(opened)

    def close(self) -> None:
        self._stack.close()


class Doors:
    """The kept repositories of `wiring.open_kept`; each serves one call at a time.

    There are never more than calls at once, which the threads of `Workers` bound. What came back
    last is lent first: of those that a crowd needed the others are closed when it is gone.

    Args:
        now: tells seconds.
    """

    def __init__(
        self, opener: Callable[[], Opened], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._opener = opener
        self._now = now
        self._lock = threading.Lock()
        self._idle: list[tuple[float, _Door]] = []  # since when
        self._closed = False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Lend the session of one call. Raises what opening a repository does."""
        with self._lock:
            door = self._idle.pop()[1] if self._idle else None
        door = door or _Door(self._opener())
        sound = False
        try:
            yield door.session()
            sound = True
        finally:
            # What ended in an error may have left half of a conversation on the connection.
            with self._lock:
                sound = sound and not self._closed
                if sound:
                    self._idle.append((self._now(), door))
                unwanted = self._unwanted() if sound else door
            if unwanted is not None:
                unwanted.close()

    def _unwanted(self) -> _Door | None:
        """Take out one that nobody has needed for long: to close it takes time."""
        since, _ = self._idle[0]
        return self._idle.pop(0)[1] if self._now() - since > _IDLE else None

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, door in idle:
            door.close()
