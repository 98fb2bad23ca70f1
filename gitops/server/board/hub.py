"""Server-sent events: who listens is told that something changed, and asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

BEAT = 15.0  # seconds between two comments; proxies close what is silent for 60


class Subscription:
    """One listener; what it has not taken yet is kept once for each name, the newest."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._ready = asyncio.Event()

    def put(self, name: str, data: str) -> None:
        """Keep an event until it is taken."""
        self._waiting.pop(name, None)
        self._waiting[name] = data
        self._ready.set()

    async def take(self) -> list[tuple[str, str]]:
        """Wait for events, and return them, (name, data)."""
        await self._ready.wait()
        self._ready.clear()
        taken, self._waiting = list(self._waiting.items()), {}
        return taken

    def close(self) -> None:
        """Wake whoever waits, with nothing."""
        self._ready.set()


class EventHub:
    """Hands each event to all who listen. `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._listeners: dict[Subscription, str | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.closed = False

    def open(self) -> None:
        """Remember the event loop that listeners are on; called there."""
        self._loop = asyncio.get_running_loop()

    def publish(self, name: str, data: str) -> None:
        """Tell everybody; `data` is one line."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell, name, data)

    def subscribe(self, caller: str | None = None) -> tuple[Subscription, Callable[[], object]]:
        """Return a listener, and what ends it; on the event loop."""
        listener = Subscription()
        self._listeners[listener] = caller
        return listener, lambda: self._listeners.pop(listener, None)

    def listens(self, caller: str | None) -> int:
        """Return how often one caller listens; None: nobody in particular, never."""
        return sum(one == caller for one in self._listeners.values()) if caller is not None else 0

    def close(self) -> None:
        """End every stream: the server stops; on the event loop."""
        self.closed = True
        for listener in self._listeners:
            listener.close()

    @property
    def listening(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def _tell(self, name: str, data: str) -> None:
        for listener in self._listeners:
            listener.put(name, data)
