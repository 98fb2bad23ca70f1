"""Ids of what was asked for (`Gitops-Id`): unique, and telling when they were made."""

from __future__ import annotations

import re

_TIMED = re.compile(r"[0-9a-f]{32}")
_TIME_DIGITS = 12


def timed_id(seconds: float, noise: bytes) -> str:
    """Return a new id of 32 hex digits: milliseconds, then noise.

    Args:
        seconds: since 1970.
        noise: 10 random bytes.
    """
    return f"{int(seconds * 1000):0{_TIME_DIGITS}x}{noise.hex()}"


def made_at(name: str) -> float | None:
    """Return when the id `name` was made, in seconds since 1970; None where it does not tell."""
    return int(name[:_TIME_DIGITS], 16) / 1000 if _TIMED.fullmatch(name) else None
