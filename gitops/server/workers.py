"""Threads for what blocks: Git and clusters are never asked on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from gitops.errors import Unavailable

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Workers:
    """A few threads, and a short queue before them; whoever finds it full is sent away."""

    def __init__(self, threads: int = 8, waiting: int = 64) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="gitops-worker")
        self._most = threads + waiting
        self.busy = 0  # calls that run or wait; touched on the event loop only

    async def run(self, call: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call it in a thread and return what it returns. Raises Unavailable when all are busy."""
        if self.busy >= self._most:
            raise Unavailable("too much is asked for at once", hint="try again in a moment")
        self.busy += 1
        try:
            loop = asyncio.get_running_loop()
            around = copy_context()  # of the request: spans in there belong to it
            return await loop.run_in_executor(self._pool, lambda: around.run(call, *args, **kwargs))
        finally:
            self.busy -= 1

    def close(self) -> None:
        """Wait for what runs; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
