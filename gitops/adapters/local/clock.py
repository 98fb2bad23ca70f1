"""The machine's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """`ports.Clock` over the real time."""

    def now(self) -> datetime:
        """Return the current time, in UTC, whole seconds (what Git keeps)."""
        return datetime.now(UTC).replace(microsecond=0)

    def monotonic(self) -> float:
        """Return seconds that only go up."""
        return time.monotonic()

    def pause(self, longest: float, shortest: float = 0.0) -> None:
        """Sleep for a random time between `shortest` and `longest` seconds."""
        import random  # most calls lose no race

        time.sleep(random.uniform(min(shortest, longest), longest))  # noqa: S311 - jitter, not a secret
