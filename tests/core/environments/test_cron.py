"""Cron fields, read strictly."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gitops.core.environments.cron import parse_cron
from gitops.errors import ConfigError

NOVEMBER = [date(2026, 11, 1) + timedelta(days=day) for day in range(30)]  # starts on a Sunday


@pytest.mark.parametrize(
    ("cron", "minutes"),
    [
        ("0 18 * * *", [1080]),
        ("*/30 0,12 * * *", [0, 30, 720, 750]),
        ("5-9/2 1 * * *", [65, 67, 69]),
        ("5,5 1 * * *", [65]),
        ("30 8-10 * * *", [510, 570, 630]),
        ("0 */9 * * *", [0, 540, 1080]),
    ],
)
def test_minutes(cron: str, minutes: list[int]) -> None:
    """Lists, ranges and steps, rising and each once."""
    assert minutes == list(parse_cron(cron).minutes)


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        (
            "0 0 * * 1-5",
            [2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 23, 24, 25, 26, 27, 30],
        ),
        ("0 0 * * 0", [1, 8, 15, 22, 29]),
        ("0 0 * * 7", [1, 8, 15, 22, 29]),
        ("0 0 * * SUN", [1, 8, 15, 22, 29]),
        ("0 0 * * sat-sun", [1, 7, 8, 14, 15, 21, 22, 28, 29]),
        ("0 0 * * 6-7", [1, 7, 8, 14, 15, 21, 22, 28, 29]),
        ("0 0 1,20-22 * *", [1, 20, 21, 22]),
        ("0 0 13 * fri", [6, 13, 20, 27]),  # either, as cron has it
        ("0 0 10-16 11 *", [10, 11, 12, 13, 14, 15, 16]),
        ("0 0 */7 * sun", [1, 8, 15, 22, 29]),  # a star: both
        ("0 0 */2 * sat", [7, 21]),
        ("0 0 1-3 oct-nov *", [1, 2, 3]),
        ("0 0 1 dec *", []),
        ("0 0 * * */3", [1, 4, 7, 8, 11, 14, 15, 18, 21, 22, 25, 28, 29]),
    ],
)
def test_days(cron: str, days: list[int]) -> None:
    """Which days of a month whose first is a Sunday fit."""
    assert days == [day.day for day in NOVEMBER if parse_cron(cron).fits(day)]


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("", "0 fields instead of 5"),
        ("@daily", "1 fields instead of 5"),
        ("0 0 0 * * *", "6 fields instead of 5"),
        ("60 0 * * *", "minute, '60': 60 is not in 0-59"),
        ("0 24 * * *", "hour, '24': 24 is not in 0-23"),
        ("0 0 0 * *", "day, '0': 0 is not in 1-31"),
        ("0 0 1 13 *", "month, '13': 13 is not in 1-12"),
        ("0 0 * * 8", "weekday, '8': 8 is not in 0-7"),
        ("0 0 L * *", "'L' is no number"),
        ("0 0 * * mo", "'mo' is neither a number nor a name"),
        ("0 0 * * 1#2", "'1#2' is neither"),
        ("0 0 ? * *", "day, '?'"),
        ("5/10 0 * * *", "a step needs a range: 5-59/10"),
        ("*/0 0 * * *", "step is no number above 0"),
        ("*/ 0 * * *", "step is no number above 0"),
        ("0 22-6 * * *", "runs backwards"),
        ("0 0 * * fri-mon", "runs backwards"),
        ("1,,2 0 * * *", "'' is no number"),
        ("-5 0 * * *", "'' is no number"),
        ("1-2-3 0 * * *", "'2-3' is no number"),
        ("٣ 0 * * *", "is no number"),
        ("0 0 31 2,4 *", "never comes"),
    ],
)
def test_what_is_no_cron(cron: str, words: str) -> None:
    """Every mistake names its field, and shows how cron looks."""
    with pytest.raises(ConfigError) as error:
        parse_cron(cron)

    assert words in error.value.message
    assert error.value.hint is not None


def test_days_that_come_in_leap_years() -> None:
    """The 29th of February comes, if seldom; so does a weekday beside a day that never does."""
    assert parse_cron("0 0 29 2 *").fits(date(2028, 2, 29))
    assert parse_cron("0 0 31 2 mon").fits(date(2026, 2, 2))
