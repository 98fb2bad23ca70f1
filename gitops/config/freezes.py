"""Freeze windows of `gitops.yaml`: what is wrong with them, and the values that they become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from gitops.config.shapes import Problems, Value
from gitops.core.environments.cron import parse_cron
from gitops.core.environments.freeze import (
    Freeze,
    Recurrence,
    Stretch,
    bounds,
    find_zone,
    parse_moment,
)
from gitops.core.text.plain import read_duration
from gitops.errors import ConfigError

_PAIRS = (("from", "to"), ("cron", "duration"))
_Read = TypeVar("_Read")


def check_freezes(rows: Sequence[Value], environments: Sequence[str], problems: Problems) -> None:
    """Add what is wrong: names, environments, times, zones, windows that end before they start."""
    problems.add_repeated(rows, "name", "a freeze {}")
    for row in rows:
        problems.add_no_environment(row.list("environments"), environments)
        _check_window(row, problems)


def make_freeze(row: Value) -> Freeze:
    """Return the value of a window without problems."""
    window: Stretch | Recurrence
    if "cron" in row.keys:
        window = Recurrence(parse_cron(row.get("cron")), read_duration(row.get("duration")))
    else:
        window = Stretch(parse_moment(row.get("from")), parse_moment(row.get("to")))
    return Freeze(
        name=row.get("name"),
        reason=row.get("reason"),
        window=window,
        environments=row.list_texts("environments"),
        timezone=row.get("timezone", "UTC"),
    )


def _check_window(row: Value, problems: Problems) -> None:
    # A key whose value is wrong has been told about, and is not among `keys`.
    told = {key for pair in _PAIRS for key in pair if problems.has(f"{row.path}.{key}")}
    named = [pair for pair in _PAIRS if any(key in row.keys or key in told for key in pair)]
    if len(named) != 1:
        what = "needs a time: either `from` and `to`, or `cron` and `duration`"
        problems.add(row.place, row.path, what)
        return
    missing = [key for key in named[0] if key not in row.keys]
    if missing and not told:
        problems.add(row.place, f"{row.path}.{missing[0]}", "is missing")
    right = [
        _try(row.keys[key], read, problems)
        for key, read in (
            ("from", parse_moment),
            ("to", parse_moment),
            ("cron", parse_cron),
            ("timezone", find_zone),
        )
        if key in row.keys
    ]
    if missing or not all(right):
        return
    try:
        bounds(make_freeze(row))
    except ConfigError as error:
        problems.add(row.keys["to"].place, row.keys["to"].path, error.message)


def _try(value: Value, read: Callable[[str], _Read], problems: Problems) -> bool:
    """Say whether `read` takes the text of `value`; if not, its words are a problem."""
    try:
        read(value.text)
    except ConfigError as error:
        problems.add(value.place, value.path, error.message)
        return False
    return True
