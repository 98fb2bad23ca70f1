"""Durations as people write them."""

from __future__ import annotations

from gitops.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """Read a duration: `90s`, `10m`, `24h`, `7d`, or a bare number of seconds.

    Raises UsageError.
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 <= value < 10**7:
        raise UsageError(f"{text!r} is no duration", hint="write 90s, 10m or 24h")
    return value * _UNITS[unit]
