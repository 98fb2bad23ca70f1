"""Words on a terminal: safe, aligned, coloured only where somebody sees colour."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TextIO

from gitops.cli import streams
from gitops.core.text.plain import age, harmless

_MINUTE = "%04d-%02d-%02d %02d:%02d"  # half of what isoformat and f-strings take
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def safe(text: str) -> str:
    """Return `text` without anything that a terminal would obey (escape sequences, newlines)."""
    if text.isprintable():
        return text
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
    """Align `rows` of cells with two spaces between columns; no trailing spaces.

    Behind the last cell of a row nothing is aligned, so a sentence there makes no column wider.
    """
    return aligned(rows, column_widths(rows))


def column_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how many columns of a screen each column of `rows` needs but for ends of rows."""
    # Thousands of rows, nearly always ASCII: what can be left to functions of C is.
    across = zip_longest(*[row[:-1] for row in rows], fillvalue="")
    return [
        len(max(column, key=len)) if "".join(column).isascii() else max(map(width_of, column))
        for column in across
    ]


def aligned(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """Return a line for each row, its columns as wide as `widths` says."""
    forms, so_far = ["%s"], ""
    for width in widths:
        so_far += f"%-{width}s  "
        forms.append(f"{so_far}%s")
    lines = [(forms[len(row) - 1] % (*row,)).rstrip() if row else "" for row in rows]
    if "".join(lines).isascii():
        return lines
    return [
        line if line.isascii() else _aligned(row, widths)
        for line, row in zip(lines, rows, strict=True)
    ]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell + " " * (width - width_of(cell)) for cell, width in zip(row, widths, strict=False)
    ]
    return "  ".join([*padded[: len(row) - 1], row[-1]]).rstrip()


def width_of(text: str) -> int:
    """Return how many columns of a screen `text` takes: Korean and most emoji take two.

    Marks that combine, joiners and variation selectors take none (Unicode annex 11).
    """
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def _width(character: str) -> int:
    import unicodedata  # most texts are ASCII

    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return `text` in at most `width` columns of a screen; what is cut ends in `…`."""
    if width_of(text) <= width:
        return text
    kept, taken = "", 1
    for character in text:
        taken += _width(character)
        if taken > width:
            break
        kept += character
    return kept.rstrip() + "…"


def screen_width() -> int | None:
    """Return the columns of the terminal that the result goes to, None where it goes elsewhere."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def json_text(document: object, indent: int | None = None) -> str:
    """Return a document as JSON that a terminal and a CI runner only show.

    What does not print (controls, marks that turn the direction of text) and what a runner might
    obey is escaped, and where standard output is not UTF-8 all that is not ASCII; whoever reads the
    JSON gets it as it was.
    """
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    text, is_shown = _encoded(document, indent, plain)
    if is_shown:
        return text
    text = text.replace("##", "#\\u0023")
    return "\n".join(
        one if one.isprintable() and not (plain and not one.isascii()) else _escaped(one, plain)
        for one in text.split("\n")
    )


def _encoded(document: object, indent: int | None, plain: bool) -> tuple[str, bool]:
    """Return what `json.dumps` does, and whether all of it may be shown as it is.

    `json.dumps` lays out what it indents in Python, which takes 30 times as long.
    """
    import msgspec

    try:
        encoded = msgspec.json.encode(document)
    except (msgspec.MsgspecError, TypeError, ValueError):  # half of a pair of surrogates, and such
        import json

        return json.dumps(document, indent=indent, ensure_ascii=False), False
    text = encoded.decode()  # one line: there is nothing in it that does not print but in strings
    is_shown = text.isprintable() and "##" not in text and not (plain and not text.isascii())
    return msgspec.json.format(text, indent=indent or 0), is_shown


def _escaped(text: str, plain: bool) -> str:
    """Return one line of JSON, whose strings alone hold what is escaped."""
    import json

    return "".join(
        one if one.isprintable() and not (plain and not one.isascii()) else json.dumps(one)[1:-1]
        for one in text
    )


def line(text: str = "") -> None:
    """Print one line of the result on standard output."""
    streams.write(harmless(text))


def lines(texts: Sequence[str]) -> None:
    """Print many lines of the result at once; each of `texts` may be several."""
    whole = "\n".join(texts)
    if "##" in whole or "::" in whole:
        whole = "\n".join(map(harmless, whole.split("\n")))
    if texts:
        streams.write(whole)


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Print aligned rows of foreign words on standard output; see `columns`."""
    for text in columns(rows):
        line(safe(text))


def beside(text: str, output: str) -> None:
    """Print a line that comes before the result: beside a document on standard error."""
    if output == "json":
        streams.tell(text)
    else:
        line(text)


def log_teller(output: str) -> Callable[[str], None]:
    """Return what prints a line of a log from a cluster, as it comes."""
    # The bar keeps a CI runner from taking a line for one of its commands.
    return lambda text: beside(f"  | {safe(text)}", output)


def remark(text: str, style: str | None = None) -> None:
    """Print one line of foreign words on standard error."""
    shown = harmless(safe(text))
    streams.tell(paint(shown, style, sys.stderr) if style else shown)


def there(directory: str) -> str:
    """Return ` --repo DIR`, "" where a command that is typed next looks into `directory` anyway."""
    if directory == "." and not os.environ.get("GITOPS_REPO"):
        return ""
    import shlex

    return f" --repo {shlex.quote(directory)}"


def aside(word: str, text: str) -> None:
    """Print a warning, hint or error on standard error."""
    styles = {"error": "red", "warning": "yellow", "hint": "dim"}
    streams.tell(f"{paint(word + ':', styles[word], sys.stderr)} {harmless(safe(text))}")


def warn(warnings: Iterable[str]) -> None:
    """Print warnings on standard error."""
    for warning in warnings:
        aside("warning", warning)


def minute(time: datetime | None, stream: TextIO | None = None) -> str:
    """Return `2026-11-24 14:02`, in UTC; on a terminal local time and age: `14:02, 12 min ago`.

    `stream` is where it will be printed; None: standard output.
    """
    return minute_on(stream)(time)


def minute_on(stream: TextIO | None = None) -> Callable[[datetime | None], str]:
    """Return `minute` for many times that go to one stream, which is looked at once."""
    return _here if (stream or sys.stdout).isatty() else _anywhere


def _anywhere(time: datetime | None) -> str:
    if time is None:
        return "unknown date"
    at = time if time.tzinfo is UTC else time.astimezone(UTC)
    return _MINUTE % (at.year, at.month, at.day, at.hour, at.minute)


def _here(time: datetime | None) -> str:
    if time is None:
        return "unknown date"
    now = datetime.now(UTC)
    here, today = time.astimezone(), now.astimezone()
    shown = here.strftime("%H:%M" if here.date() == today.date() else "%Y-%m-%d %H:%M")
    return f"{shown}, {age((now - time).total_seconds())}"
