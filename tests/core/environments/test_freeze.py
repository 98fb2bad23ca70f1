"""Freeze windows: closed or open, and until when, in every time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.core.environments.cron import parse_cron
from gitops.core.environments.freeze import (
    Freeze,
    FreezeHit,
    Recurrence,
    Stretch,
    bounds,
    closed,
    find_zone,
    parse_moment,
)
from gitops.errors import ConfigError

SEOUL, BERLIN, NEW_YORK = "Asia/Seoul", "Europe/Berlin", "America/New_York"
ST_JOHNS = "America/St_Johns"


def stretch(start: str, end: str, zone: str = "UTC", name: str = "f", to: str = "prod") -> Freeze:
    """A window between two moments."""
    window = Stretch(parse_moment(start), parse_moment(end))
    return Freeze(name, "why", window, (to,) if to else (), zone)


def nightly(cron: str, hours: float, zone: str = "UTC", name: str = "f") -> Freeze:
    """A window that comes again."""
    return Freeze(name, "why", Recurrence(parse_cron(cron), timedelta(hours=hours)), (), zone)


def at(text: str) -> datetime:
    """A UTC moment, from `2026-12-20T18:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


YEAR_END = stretch("2026-12-20", "2027-01-03", SEOUL)
TIMES = stretch("2026-12-20T18:00", "2026-12-21T06:00", NEW_YORK)
OFFSET = stretch("2026-12-20T18:00+09:00", "2026-12-20T20:00+09:00", NEW_YORK)
NIGHTS = nightly("0 18 * * 1-5", 14, SEOUL)  # 09:00-23:00 UTC

ONCE = [
    # dates: all of both days, on the wall clock of the zone
    (YEAR_END, "2026-12-19T14:59:59", None),
    (YEAR_END, "2026-12-19T15:00", "2027-01-03T15:00"),
    (YEAR_END, "2027-01-03T14:59:59", "2027-01-03T15:00"),
    (YEAR_END, "2027-01-03T15:00", None),
    # moments: the end is open; an offset goes before the zone
    (TIMES, "2026-12-20T22:59", None),
    (TIMES, "2026-12-20T23:00", "2026-12-21T11:00"),
    (TIMES, "2026-12-21T11:00", None),
    (OFFSET, "2026-12-20T09:00", "2026-12-20T11:00"),
    (OFFSET, "2026-12-20T11:00", None),
    # one day, across both changes of the clocks: 23 and 25 hours
    (stretch("2026-03-29", "2026-03-29", BERLIN), "2026-03-28T23:00", "2026-03-29T22:00"),
    (stretch("2026-10-25", "2026-10-25", BERLIN), "2026-10-24T22:00", "2026-10-25T23:00"),
    (stretch("2026-03-08", "2026-03-08", NEW_YORK), "2026-03-08T05:00", "2026-03-09T04:00"),
    (stretch("2026-11-01", "2026-11-01", NEW_YORK), "2026-11-01T04:00", "2026-11-02T05:00"),
    # a time that is skipped is the moment of the jump, 01:00 UTC
    (stretch("2026-03-29T02:30", "2026-03-29T12:00", BERLIN), "2026-03-29T00:59", None),
    (
        stretch("2026-03-29T02:30", "2026-03-29T12:00", BERLIN),
        "2026-03-29T01:00",
        "2026-03-29T10:00",
    ),
    (
        stretch("2026-03-28T12:00", "2026-03-29T02:30", BERLIN),
        "2026-03-29T00:59:59",
        "2026-03-29T01:00",
    ),
    (stretch("2026-03-28T12:00", "2026-03-29T02:30", BERLIN), "2026-03-29T01:00", None),
    # a time that comes twice: the first as a start, the second as an end
    (
        stretch("2026-10-25T02:30", "2026-10-25T02:45", BERLIN),
        "2026-10-25T00:30",
        "2026-10-25T01:45",
    ),
    (stretch("2026-10-25T02:30", "2026-10-25T02:45", BERLIN), "2026-10-25T00:29", None),
    (stretch("2026-10-25T02:30", "2026-10-25T02:45", BERLIN), "2026-10-25T01:45", None),
    # a day without a midnight, and one whose next midnight comes twice
    (stretch("2018-11-04", "2018-11-04", "America/Sao_Paulo"), "2018-11-04T02:59", None),
    (
        stretch("2018-11-04", "2018-11-04", "America/Sao_Paulo"),
        "2018-11-04T03:00",
        "2018-11-05T02:00",
    ),
    (stretch("2026-10-31", "2026-10-31", "America/Havana"), "2026-11-01T03:59", "2026-11-01T04:00"),
    (stretch("2026-10-31", "2026-10-31", "America/Havana"), "2026-11-01T04:00", None),
]

AGAIN = [
    (NIGHTS, "2026-11-23T08:59:59", None),
    (NIGHTS, "2026-11-23T09:00", "2026-11-23T23:00"),
    (NIGHTS, "2026-11-23T22:59:59", "2026-11-23T23:00"),
    (NIGHTS, "2026-11-23T23:00", None),
    (NIGHTS, "2026-11-28T12:00", None),  # Saturday
    # the day of the zone counts: Saturday 08:00 in Seoul is Friday in UTC, and opens
    (nightly("0 0 * * sat", 24, SEOUL), "2026-11-27T14:59", None),
    (nightly("0 0 * * sat", 24, SEOUL), "2026-11-27T15:00", "2026-11-28T15:00"),
    # 14 hours are 14 hours, so the end moves on the wall clock when the clocks change
    (nightly("0 18 * * *", 14, BERLIN), "2026-03-28T17:00", "2026-03-29T07:00"),
    (nightly("0 18 * * *", 14, BERLIN), "2026-10-24T16:00", "2026-10-25T06:00"),
    (nightly("0 18 * * *", 14, NEW_YORK), "2026-03-07T23:00", "2026-03-08T13:00"),
    (nightly("0 18 * * *", 14, NEW_YORK), "2026-10-31T22:00", "2026-11-01T12:00"),
    # the day before and the day after start at another UTC time
    (nightly("0 9 * * *", 1, NEW_YORK), "2026-03-07T14:00", "2026-03-07T15:00"),
    (nightly("0 9 * * *", 1, NEW_YORK), "2026-03-08T13:00", "2026-03-08T14:00"),
    (nightly("0 9 * * *", 1, NEW_YORK), "2026-03-08T14:00", None),
    # skipped: it starts when the clock jumps
    (nightly("30 2 * * *", 1, BERLIN), "2026-03-29T00:59", None),
    (nightly("30 2 * * *", 1, BERLIN), "2026-03-29T01:00", "2026-03-29T02:00"),
    (nightly("30 2 * * *", 1, NEW_YORK), "2026-03-08T07:00", "2026-03-08T08:00"),
    # twice: it starts each time
    (nightly("30 2 * * *", 0.5, BERLIN), "2026-10-25T00:30", "2026-10-25T01:00"),
    (nightly("30 2 * * *", 0.5, BERLIN), "2026-10-25T01:00", None),
    (nightly("30 2 * * *", 0.5, BERLIN), "2026-10-25T01:30", "2026-10-25T02:00"),
    (nightly("30 2 * * *", 1, BERLIN), "2026-10-25T00:30", "2026-10-25T02:30"),
    # a clock set back before midnight shows yesterday's date again
    (nightly("30 23 * * *", 1, "America/Sao_Paulo"), "2019-02-17T02:00", "2019-02-17T03:30"),
    # ... or set back behind midnight, at 00:01 to 23:01: 02:31 UTC, here
    (nightly("0 0 * * *", 0.5, ST_JOHNS), "2010-11-07T02:45", "2010-11-07T03:00"),
    (nightly("0 0 * * *", 0.5, ST_JOHNS), "2010-11-07T03:45", "2010-11-07T04:00"),
    (nightly("30 23 * * *", 0.75, ST_JOHNS), "2010-11-07T02:29", "2010-11-07T02:45"),
    (nightly("30 23 * * *", 0.75, ST_JOHNS), "2010-11-07T03:15:30", "2010-11-07T03:45"),
    # windows longer than their distance never open
    (nightly("0 0 * * *", 24), "2026-11-24T12:00", "never"),
    (nightly("0 * * * *", 1.5), "2026-11-24T12:00", "never"),
    (nightly("* * * * *", 1 / 60), "2026-11-24T12:00", "never"),
    # ... and once a year, for weeks
    (nightly("0 0 20 12 *", 24 * 15), "2027-01-03T23:59", "2027-01-04T00:00"),
    (nightly("0 0 20 12 *", 24 * 15), "2027-01-04T00:00", None),
]


@pytest.mark.parametrize(("freeze", "now", "opens"), ONCE + AGAIN)
def test_one_window(freeze: Freeze, now: str, opens: str | None) -> None:
    """Closed with the next opening, or open."""
    expected = None
    if opens is not None:
        expected = FreezeHit("f", "why", at(opens) if opens != "never" else None)

    assert expected == closed([freeze], "prod", at(now))


@pytest.mark.parametrize(("freeze", "now", "opens"), ONCE + AGAIN)
def test_an_opening_is_open(freeze: Freeze, now: str, opens: str | None) -> None:
    """At the moment that was told, and not a second before, it is open."""
    hit = closed([freeze], "prod", at(now))

    if hit is not None and hit.opens is not None:
        assert closed([freeze], "prod", hit.opens) is None
        assert closed([freeze], "prod", hit.opens - timedelta(seconds=1)) is not None


def test_windows_that_follow_at_once() -> None:
    """The opening is behind all windows that overlap or touch; the first one in force is named."""
    freezes = [
        stretch("2026-12-25", "2026-12-26", name="later"),
        stretch("2026-12-20", "2026-12-24", name="now"),
        stretch("2026-12-26T12:00", "2026-12-28T06:00", name="overlaps"),
        stretch("2026-12-28T07:00", "2026-12-30", name="apart"),
        stretch("2026-12-01", "2027-06-01", name="elsewhere", to="stage"),
    ]

    expected = FreezeHit("now", "why", at("2026-12-28T06:00"))

    assert expected == closed(freezes, "prod", at("2026-12-22T00:00"))


def test_a_night_and_the_weekend() -> None:
    """Recurring windows and dates are followed together, over several zones."""
    freezes = [
        nightly("0 18 * * 1-5", 14, SEOUL),
        nightly("0 0 * * sat", 48, SEOUL, "weekend"),
        stretch("2026-11-30", "2026-11-30", SEOUL, "monday"),
    ]

    # Friday night -> Saturday 08:00 is inside the weekend -> Monday -> Tuesday 08:00 in Seoul
    expected = FreezeHit("f", "why", at("2026-11-30T23:00"))

    assert expected == closed(freezes, "prod", at("2026-11-27T10:00"))


@pytest.mark.parametrize(
    ("environments", "environment", "expected"),
    [((), "dev", True), (("prod", "stage"), "stage", True), (("prod",), "stage", False)],
)
def test_whom_it_concerns(environments: tuple[str, ...], environment: str, expected: bool) -> None:
    """Only the environments that are named; all when none is."""
    window = Stretch(date(2026, 1, 1), date(2026, 1, 2))

    hit = closed([Freeze("f", "why", window, environments)], environment, at("2026-01-01T12:00"))

    assert expected == (hit is not None)


def test_now_may_be_told_in_any_zone() -> None:
    """The clock's zone does not matter."""
    now = at("2026-12-19T15:00")

    hits = {closed([YEAR_END], "prod", now.astimezone(ZoneInfo(zone))) for zone in (SEOUL, BERLIN)}

    assert hits == {closed([YEAR_END], "prod", now)}


def test_no_window() -> None:
    """Without freezes everything is open."""
    assert closed([], "prod", at("2026-01-01T00:00")) is None


ZONES = st.sampled_from([SEOUL, BERLIN, NEW_YORK, "Australia/Lord_Howe", "UTC"])
CHANGES = ["2026-03-08T07:00", "2026-03-29T01:00", "2026-10-25T01:00", "2026-11-01T06:00"]
CHANGES += ["2026-04-04T15:00", "2026-10-03T15:30"]  # Lord Howe's, by half an hour
MOMENTS = st.one_of(
    st.builds(
        lambda change, minutes: at(change) + timedelta(minutes=minutes),
        st.sampled_from(CHANGES),
        st.integers(-300, 300),
    ),
    st.integers(0, 2 * 365 * 24 * 60).map(
        lambda count: at("2026-01-01") + timedelta(minutes=count)
    ),
)


@given(
    ZONES,
    MOMENTS,
    st.sampled_from(["30 2 * * *", "15 1 * * *", "*/20 0-3 * * sun", "0 18 * * 1-5"]),
)
def test_closed_is_what_the_wall_clock_showed(zone: str, now: datetime, cron: str) -> None:
    """It is closed when the zone's clock showed a fitting minute within the last hour and a half.

    Minutes that were skipped count where the clock jumped.
    """
    parsed, duration = parse_cron(cron), timedelta(minutes=90)
    shown = False
    for back in range(90):
        moment = now - timedelta(minutes=back)
        wall = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        before = (moment - timedelta(minutes=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        steps = int((wall - before).total_seconds() // 60)
        for skipped in range(max(steps, 1)):
            seen = wall - timedelta(minutes=skipped)
            if parsed.fits(seen.date()) and seen.hour * 60 + seen.minute in parsed.minutes:
                shown = True

    hit = closed([Freeze("f", "why", Recurrence(parsed, duration), (), zone)], "prod", now)

    assert shown == (hit is not None)


@pytest.mark.parametrize("name", ["", "Mars/Base", "../etc/passwd", "Asia", "a\0b"])
def test_unknown_zones(name: str) -> None:
    """A zone that is not known is a ConfigError that says so."""
    with pytest.raises(ConfigError, match="time zone"):
        find_zone(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-20", date(2026, 12, 20)),
        ("2026-12-20T18:00", datetime.fromisoformat("2026-12-20T18:00:00")),
        ("2026-12-20 18:00:30", datetime.fromisoformat("2026-12-20T18:00:30")),
        ("2026-12-20T18:00Z", datetime(2026, 12, 20, 18, tzinfo=UTC)),
    ],
)
def test_moments(text: str, expected: date) -> None:
    """Dates and times as people write them."""
    assert expected == parse_moment(text)
    assert type(expected) is type(parse_moment(text))


@pytest.mark.parametrize("text", ["", "soon", "20.12.2026", "2026-02-30", "20261220", "2026-W51-1"])
def test_what_is_no_moment(text: str) -> None:
    """Only one way to write a day is taken."""
    with pytest.raises(ConfigError, match="neither a date nor a time"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-12-20", "2026-12-19", "ends before it starts"),
        ("2026-12-20T18:00", "2026-12-20T18:00", "ends before it starts"),
        ("2026-12-20", "9999-12-31", "years"),
        ("0001-01-01", "2026-12-19", "years"),
    ],
)
def test_stretches_that_cannot_be(start: str, end: str, words: str) -> None:
    """A stretch that holds nothing is a ConfigError."""
    with pytest.raises(ConfigError, match=words):
        bounds(stretch(start, end, SEOUL))


def test_bounds() -> None:
    """A stretch has two moments, a recurrence has none."""
    assert bounds(YEAR_END) == (at("2026-12-19T15:00"), at("2027-01-03T15:00"))
    assert bounds(NIGHTS) is None
