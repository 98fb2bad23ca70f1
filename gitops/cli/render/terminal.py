"""Words on a terminal: safe, aligned, coloured only where somebody sees colour."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def safe(text: str) -> str:
    """Return `text` without anything that a terminal would obey (escape sequences, newlines)."""
    return "".join(
        character if character.isprintable() else ("\ufffd" if character != "\t" else " ")
        for character in text
    )


def paint(text: str, style: str, stream: TextIO) -> str:
    """Colour `text` when `stream` is a terminal and NO_COLOR is not set."""
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align `rows` of cells with two spaces between columns; no trailing spaces."""
    width = max((len(row) for row in rows), default=0)
    widths = [max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(width)]
    return ["  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip() for row in rows]


def line(text: str = "") -> None:
    """Print one line of the result on standard output."""
    print(text)


def aside(word: str, text: str) -> None:
    """Print a warning, hint or error on standard error."""
    styles = {"error": "red", "warning": "yellow", "hint": "dim"}
    sys.stdout.flush()
    print(f"{paint(word + ':', styles[word], sys.stderr)} {safe(text)}", file=sys.stderr)
