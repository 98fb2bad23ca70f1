"""Patterns in which `*` stands for any text, also for none; matched in linear time."""

from __future__ import annotations

from collections.abc import Sequence


def glob(pattern: str, text: str) -> bool:
    """Say whether `text` is what `pattern` stands for; `*` is any text. Takes linear time."""
    return in_order(pattern.split("*"), text)


def in_order(pieces: Sequence[str], text: str) -> bool:
    """Say whether `text` is made of `pieces`, in order, with anything between them."""
    first, *rest = pieces
    if not rest:
        return text == first
    *middle, last = rest
    if len(text) < len(first) + len(last):
        return False
    if not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
