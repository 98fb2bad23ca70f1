"""Plain text: one line, counts, times and durations, and what a misspelt word may have meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta


def nearest_word(word: str, words: Iterable[str]) -> str | None:
    """Return the one of `words` that is most like `word`, None when none is like it."""
    from difflib import get_close_matches  # only on the way out: 5 ms of import

    return next(iter(get_close_matches(word, list(words), n=1)), None)


def split_lines(text: str) -> list[str]:
    """Return the lines of `text`, without their ends; what follows the last end counts if any.

    Lines end at a newline and nowhere else: `str.splitlines` also ends them at U+2028 and others,
    which names of branches and files may hold.
    """
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


LONGEST_TEXT = 500
"""Characters of a reason or note that are kept."""


def one_line(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return `text` as one printable line of at most `longest` characters.

    Newlines, control and format characters, and lone surrogates become spaces; spaces at the ends
    and runs of them go; what is too long ends in `…`.
    """
    printable = text
    if not text.isprintable():
        printable = "".join(character if character.isprintable() else " " for character in text)
    words = " ".join(printable.split())
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def harmless(text: str) -> str:
    """Return one line so that no CI runner takes it for one of its commands.

    They begin with two colons (blanks before them do not matter), or hold `##[` or `##word[`
    anywhere (GitHub Actions and its kin; Azure Pipelines, TeamCity).
    """
    if "##" in text:
        text = re.sub(r"##(\w*\[)", r"## \1", text)
    return f"' {text}" if "::" in text and text.lstrip().startswith("::") else text


_FORMULA = r"((?:^|[;\t])[\s\"]{0,8})(?=[=+\-@\t\r])"


def no_formula(text: str) -> str:
    """Return a cell of a table that no spreadsheet takes for a formula.

    Where the decimal sign is a comma they take `;` for the end of a cell, in the middle of one too.
    """
    return re.sub(_FORMULA, r"\1'", text)


def timestamp(moment: datetime) -> str:
    """Return `2026-11-24T14:02:00Z`: RFC 3339, in UTC, whole seconds."""
    return moment.astimezone(UTC).isoformat("T", "seconds")[:19] + "Z"


_AGES = (
    (86400 * 365.25, "y", "year", "years"),
    (86400, "d", "day", "days"),
    (3600, "h", "h", "h"),
    (60, "m", "min", "min"),
    (1, "s", "s", "s"),
)


def read_moment(text: str) -> datetime | None:
    """Return the time that RFC 3339 text says, in UTC (as which it counts without a zone).

    None for what is none.
    """
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def age(seconds: float) -> str:
    """Return `12 min ago`, `3 days ago`, `now`; what is to come is `in 5 min`."""
    number, _, word, words = _age(seconds)
    if not number:
        return "now"
    text = count(number, word, words)
    return f"{text} ago" if seconds > 0 else f"in {text}"


def short_age(seconds: float) -> str:
    """Return `12m`, `3d`, `now` of what has been; `-5m` of what is to come."""
    number, letter, _, _ = _age(seconds)
    return f"{'-' if seconds < 0 else ''}{number}{letter}" if number else "now"


def _age(seconds: float) -> tuple[int, str, str, str]:
    for length, letter, word, words in _AGES:
        if number := int(abs(seconds) // length):
            return number, letter, word, words
    return 0, "", "", ""


def duration_words(seconds: float) -> str:
    """Return `45 s`, `12 min`, `3.4 h`, `2 d`: short, and no more exact than people read."""
    for length, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            number = seconds / length
            text = f"{number:.0f}" if number >= 10 else f"{number:.1f}".removesuffix(".0")
            return f"{text} {word}"
    return f"{seconds:.0f} s"


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_duration(text: str) -> timedelta:
    """Return what `90s`, `10m`, `24h`, `7d` or a bare number of seconds says.

    Raises ValueError for any other text, and for ten million units or more.
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    value = float(number)
    if not 0 <= value < 10**7:
        raise ValueError(text)
    return timedelta(seconds=value * _UNITS[unit])


def exact_duration(span: timedelta, units: str = "dhms") -> str:
    """Return `7d`, `24h`, `90m`, `30s`: the largest of `units` that tells it exactly."""
    seconds = int(span.total_seconds())
    unit = next(one for one in units if seconds % _UNITS[one] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def day(moment: datetime | None) -> str:
    """Return `2026-11-24`, in UTC; None is a date that no calendar has."""
    return moment.astimezone(UTC).date().isoformat() if moment is not None else "unknown"


def some_of(names: Sequence[str], most: int) -> str:
    """Return a list as a sentence has it: all of a few, else the first `most` and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def count(number: int, word: str, words: str | None = None) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number} {word}" if number == 1 else f"{number} {words or word + 's'}"


def shown_paths(paths: Sequence[str], most: int) -> tuple[tuple[str, ...], int]:
    """Return the first `most` of `paths`, and how many more there are."""
    return tuple(paths[:most]), max(len(paths) - most, 0)
