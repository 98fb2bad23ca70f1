"""The bell that watches ring."""

from __future__ import annotations

import threading


class ThreadWakeup:
    """`ports.Bell` over an event of the threading module."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        """End the present sleep, or the next one."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleep until it rings (True) or `seconds` have passed (False)."""
        rang = self._event.wait(max(seconds, 0.0))
        self._event.clear()
        return rang
