"""Waits for the writer without a thread."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gitops.server.writer.order import Call, Outcome


async def wait_for(call: Call, seconds: float) -> Outcome | None:
    """Wait for a call on the event loop, at most so long; None where it goes on."""
    done, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop is over: nobody waits any more
            loop.call_soon_threadsafe(done.set)

    call.when_done(tell)
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), seconds)
    return call.outcome
