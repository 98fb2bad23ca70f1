"""Time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only go up."""
        ...

    def pause(self, longest: float, shortest: float = 0.0) -> None:
        """Sleep for a random time between `shortest` and `longest` seconds (jitter)."""
        ...
