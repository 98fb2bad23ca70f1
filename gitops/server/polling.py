"""Threads that look at something again and again: by themselves, and sooner when woken."""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from typing import Final

_SHIFT: Final = 0.2  # part of an interval, at random: several servers do not ask in step


class Poller(ABC):
    """One thread; what is here may be called from any. A subclass says in `_keep` what it does.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._keep, name=name, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def wake(self) -> None:
        """Look now: something is said to have changed."""
        self._wake.set()

    def stop(self) -> None:
        """Look no more."""
        self._stopping = True
        self._wake.set()

    def join(self, seconds: float = 20.0) -> None:
        """Wait for a look that is under way."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    @abstractmethod
    def _keep(self) -> None:
        """Look until `_stopping`."""

    def _rest(self, due: float, soonest: float) -> None:
        """Wait until `due`; where it is woken before that, until `soonest` (monotonic seconds)."""
        if self._wake.wait(max(due - time.monotonic(), 0.0)) and not self._stopping:
            time.sleep(max(soonest - time.monotonic(), 0.0))


def due_after(begun: float, every: float) -> float:
    """Return when what began at `begun` is due again, about `every` seconds later."""
    return begun + every * random.uniform(1 - _SHIFT, 1)  # noqa: S311 - jitter, not a secret
