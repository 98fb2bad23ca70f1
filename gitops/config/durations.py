"""Durations in `gitops.yaml`."""

from __future__ import annotations

from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str) -> timedelta:
    """Return what `90s`, `10m`, `24h`, `7d` or a bare number of seconds says."""
    number, unit = (text[:-1], text[-1]) if text[-1] in _UNITS else (text, "s")
    return timedelta(seconds=int(number) * _UNITS[unit])
