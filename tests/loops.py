"""Runs coroutines of tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def finish(coroutine: Coroutine[Any, Any, T], seconds: float = 120) -> T:
    """Return what a coroutine returns, from a thread of its own; raise what it raises.

    A browser that Playwright has opened leaves its loop in the thread of the tests, where
    `asyncio.run` starts no other. Raises TimeoutError after `seconds`.
    """
    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(asyncio.run, asyncio.wait_for(coroutine, seconds)).result()
