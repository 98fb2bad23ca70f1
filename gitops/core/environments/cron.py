"""Five cron fields, read strictly: minute, hour, day of the month, month, day of the week.

Lists, ranges, steps and English names of months and days; 0 and 7 are Sunday. As in Vixie cron
(crontab(5)) a date fits when the day of the month or the day of the week fits, unless one of them
starts with `*`: then both must. Nothing else (`@daily`, `L`, `#`, `?`, seconds, `5/10`): a freeze
that is read in two ways is worse than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from msgspec import Struct

from gitops.errors import ConfigError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SUNDAY = 7
_HINT = 'cron is five fields: minute hour day month weekday, as in "0 18 * * 1-5"'


class Cron(Struct, frozen=True):
    """When something starts, on a wall clock without a zone.

    Attributes:
        minutes: minutes since midnight, rising.
        weekdays: 0 is Sunday.
        both: day of the month and day of the week must both fit, else one is enough.
    """

    text: str
    minutes: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both: bool

    def fits(self, day: date) -> bool:
        """Does it start anything on `day`?"""
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date and by_weekday if self.both else by_date or by_weekday


def parse_cron(text: str) -> Cron:
    """Read five cron fields. Raises ConfigError that names the field."""
    fields = text.split()
    if len(fields) != 5:
        raise ConfigError(f"cron {text!r} has {len(fields)} fields instead of 5", hint=_HINT)
    minutes = _values("minute", fields[0], 0, 59)
    hours = _values("hour", fields[1], 0, 23)
    days = _values("day", fields[2], 1, 31)
    months = _values("month", fields[3], 1, 12, _MONTHS)
    weekdays = {day % 7 for day in _values("weekday", fields[4], 0, _SUNDAY, _DAYS)}
    both = fields[2].startswith("*") or fields[4].startswith("*")
    if both and not any(_LONGEST_MONTH[month - 1] >= min(days) for month in months):
        raise ConfigError(f"cron {text!r} never comes: no such day in that month", hint=_HINT)
    return Cron(
        text=" ".join(fields),
        minutes=tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(weekdays),
        both=both,
    )


def _values(field: str, text: str, low: int, high: int, names: Sequence[str] = ()) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if slash and (not _is_number(step) or int(step) == 0):
            raise _wrong(field, part, "its step is no number above 0")
        if span == "*":
            start, end = low, high
        elif dash:
            start = _value(field, part, first, low, high, names)
            end = _value(field, part, last, low, high, names)
            if field == "weekday" and last.lower() == "sun" and start > end:
                end = _SUNDAY
        else:
            if slash:
                raise _wrong(field, part, f"a step needs a range: {first}-{high}/{step}")
            start = end = _value(field, part, first, low, high, names)
        if start > end:
            raise _wrong(field, part, "the range runs backwards; write two, with a comma")
        found.update(range(start, end + 1, int(step) if slash else 1))
    return found


def _value(field: str, part: str, word: str, low: int, high: int, names: Sequence[str]) -> int:
    if word.lower() in names:
        return names.index(word.lower()) + low
    if not _is_number(word):
        what = f"{word!r} is neither a number nor a name" if names else f"{word!r} is no number"
        raise _wrong(field, part, what)
    if not low <= int(word) <= high:
        raise _wrong(field, part, f"{word} is not in {low}-{high}")
    return int(word)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 10


def _wrong(field: str, part: str, what: str) -> ConfigError:
    return ConfigError(f"cron field {field}, {part!r}: {what}", hint=_HINT)
