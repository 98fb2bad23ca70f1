"""Freeze windows: times at which nothing goes to an environment, except a rollback.

A window is a stretch between two moments, or starts again and again by cron and lasts for a
duration. Both are told on the wall clock of a time zone, where days have 23 or 25 hours at times:

- a wall-clock time that is skipped stands for the moment at which the clock jumps;
- one that comes twice starts a window each time; as the end of a window it is the later one;
- a duration is elapsed time, as in RFC 5545, section 3.3.6: 14h from 18:00 ends at 08:00 on most
  days, and one hour off in the night of a change.

The zones come from the system's tz database, or from the package `tzdata` where there is none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from gitops.core.environments.cron import Cron
from gitops.errors import ConfigError

HORIZON = timedelta(days=400)
"""How far ahead the next opening is looked for."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DATE.pattern + "[T ][0-9]{2}:[0-9]{2}")
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_MOST_STEPS = 5_000  # windows followed by then; more cannot be a sensible freeze


class Stretch(Struct, frozen=True):
    """From one moment to another.

    A date means all of that day, so `end` is included when it is a date, and is the first open
    moment when it is a datetime. A datetime without an offset is on the zone's wall clock.
    """

    start: date | datetime
    end: date | datetime


class Recurrence(Struct, frozen=True):
    """Starts by cron, and lasts for `duration`."""

    cron: Cron
    duration: timedelta


class Freeze(Struct, frozen=True):
    """A named window.

    Attributes:
        environments: names; empty means all of them.
        timezone: IANA name (`Asia/Seoul`).
    """

    name: str
    reason: str
    window: Stretch | Recurrence
    environments: tuple[str, ...] = ()
    timezone: str = "UTC"


class FreezeHit(Struct, frozen=True):
    """The window that is closed now.

    Attributes:
        opens: UTC moment at which no window is closed any more; None when there is none within
            `HORIZON`.
    """

    name: str
    reason: str
    opens: datetime | None


def closed(freezes: Iterable[Freeze], environment: str, now: datetime) -> FreezeHit | None:
    """Return the first window in which `environment` is at `now` (aware), or None when it is open.

    The opening is a moment that is really open: windows that overlap or follow at once are gone
    through. Raises ConfigError for an unknown time zone.
    """
    moment = now.astimezone(UTC)
    concerned = [
        freeze
        for freeze in freezes
        if not freeze.environments or environment in freeze.environments
    ]
    hit = next((freeze for freeze in concerned if _end_at(freeze, moment) is not None), None)
    if hit is None:
        return None
    return FreezeHit(hit.name, hit.reason, _opening(concerned, moment))


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone called `name`. Raises ConfigError when it is not known here."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # bad key, a folder of the database, unknown
        raise ConfigError(
            f"the time zone {name!r} is not known here",
            hint="an IANA name such as Asia/Seoul; a system without time zones needs `tzdata`",
        ) from None


def parse_moment(text: str) -> date | datetime:
    """Read `2026-12-20` as a date, `2026-12-20T18:00` (with an offset or not) as a datetime.

    Raises ConfigError.
    """
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        if _TIME.match(text):
            return datetime.fromisoformat(text)
        raise ValueError
    except ValueError:
        raise ConfigError(
            f"{text!r} is neither a date nor a time", hint="2026-12-20, or 2026-12-20T18:00"
        ) from None


def bounds(freeze: Freeze) -> tuple[datetime, datetime] | None:
    """Return the UTC start and end (the first open moment) of a stretch; None for a recurrence.

    Raises ConfigError when it ends before it starts, or lies outside of what can be reckoned.
    """
    if isinstance(freeze.window, Recurrence):
        return None
    return _bounds(freeze.window, freeze.timezone)


def _opening(freezes: list[Freeze], now: datetime) -> datetime | None:
    moment = now
    for _ in range(_MOST_STEPS):
        ends = [end for freeze in freezes if (end := _end_at(freeze, moment)) is not None]
        if not ends:
            return moment
        moment = max(ends)
        if moment - now > HORIZON:
            return None
    return None


def _end_at(freeze: Freeze, moment: datetime) -> datetime | None:
    """Return the end of the latest window that is closed at `moment`, None when it is open."""
    if isinstance(freeze.window, Stretch):
        start, end = _bounds(freeze.window, freeze.timezone)
        return end if start <= moment < end else None
    latest = _latest_start(freeze.window, find_zone(freeze.timezone), moment)
    if latest is None:
        return None
    end = latest + freeze.window.duration
    return end if moment < end else None


@lru_cache(maxsize=256)
def _bounds(window: Stretch, timezone: str) -> tuple[datetime, datetime]:
    zone = find_zone(timezone)
    try:
        start = _instants(_wall(window.start), zone)[0]
        if isinstance(window.end, datetime):
            end = _instants(window.end, zone)[-1]
        else:
            # The first midnight of the next day: that ends the day even where midnight comes twice.
            end = _instants(_wall(window.end + _DAY), zone)[0]
    except (OverflowError, ValueError):
        raise ConfigError("a freeze lies outside of the years that can be reckoned") from None
    if end <= start:
        raise ConfigError("a freeze ends before it starts")
    return start, end


def _latest_start(window: Recurrence, zone: ZoneInfo, moment: datetime) -> datetime | None:
    """Return the newest start that is not after `moment`, None when none can still last.

    One day more at both ends: the day of a moment in UTC and in the zone may differ, and a clock
    that was set back shows an earlier date than some moments that came before.
    """
    day = moment.astimezone(zone).date() + _DAY
    oldest = (moment - window.duration).astimezone(zone).date() - _DAY
    while day >= oldest:
        if window.cron.fits(day):
            starts = _starts(window.cron, zone, day)
            place = bisect_right(starts, moment)
            if place:
                return starts[place - 1]
        day -= _DAY
    return None


@lru_cache(maxsize=1024)
def _starts(cron: Cron, zone: ZoneInfo, day: date) -> tuple[datetime, ...]:
    """Return the UTC moments of one local day at which `cron` starts, rising."""
    midnight = _wall(day)
    begin, end = _instants(midnight, zone)[0], _instants(midnight + _DAY, zone)[-1]
    if end - begin == _DAY:  # no change of the clocks
        return tuple(begin + timedelta(minutes=minute) for minute in cron.minutes)
    found = {
        moment
        for minute in cron.minutes
        for moment in _instants(midnight + timedelta(minutes=minute), zone)
    }
    return tuple(sorted(found))


def _wall(day: date) -> datetime:
    """Return `day` as a wall-clock time: its midnight, or itself when it is a datetime."""
    return day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)  # noqa: DTZ001


def _instants(wall: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return the UTC moments at which the clocks of `zone` show `wall`: one, or two.

    For a time that they skip, the moment of the jump (PEP 495: fold tells the offsets around it).
    """
    if wall.tzinfo is not None:
        return (wall.astimezone(UTC),)
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first <= second:
        return (first,) if first == second else (first, second)
    offset = first.astimezone(zone).utcoffset()
    early, late = second, first  # the jump is after `early` and not after `late`
    while late - early > _SECOND:
        middle = early + (late - early) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            late = middle
        else:
            early = middle
    return (late.replace(microsecond=0),)
