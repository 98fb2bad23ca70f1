"""Where the marks of the pictures of `/insights` stand; the template draws them, in its colours.

Elements of SVG with classes: nothing inline that the policy of the page forbids, words in the
reader's language, and no library on the server (docs/decisions/0162). Lengths are in units of the
picture's own viewBox.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from math import log

from msgspec import Struct

from gitops.core.insights.numbers import Numbers, Week
from gitops.core.insights.statistics import Quantiles

WIDE, HIGH = 1000.0, 170.0
"""Of the picture of weeks, without its labels."""
ROW, LEFT, RIGHT = 30.0, 110.0, 330.0
"""Of the pictures with a row for each group: its height, and where the scale begins and ends."""

_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_LENGTHS = (1, 10, 60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)
_MOST_LABELS, _FEWEST = 13, 8  # weeks: fewer are no wider


class WeekBar(Struct, frozen=True):
    """Seven days as a bar: what lasted below, what failed on it."""

    week: Week
    x: float
    width: float
    lasted: float
    failed: float
    has_label: bool


class WeekPlot(Struct, frozen=True):
    """All weeks; `lines` are (height from the bottom, number) of the scale."""

    bars: tuple[WeekBar, ...]
    lines: tuple[tuple[float, int], ...]


class Reach(Struct, frozen=True):
    """One number with where it may lie; x of each, None without an interval."""

    kind: str
    y: float
    at: float
    low: float | None
    high: float | None
    value: float
    samples: int

    @property
    def end(self) -> float:
        """Where its words begin."""
        return max(self.at, self.high or 0.0) + 12


class ReachPlot(Struct, frozen=True):
    """Rows of groups: their names with y, their numbers, and the marks of the scale."""

    names: tuple[tuple[str, float], ...]
    marks: tuple[Reach, ...]
    ticks: tuple[tuple[float, float], ...]

    @property
    def height(self) -> float:
        """Of the rows, without the scale's labels."""
        return ROW * len(self.names)


def week_plot(weeks: Sequence[Week]) -> WeekPlot:
    """Return the deployments of each week as bars."""
    most = max((one.deployments for one in weeks), default=0)
    step = next((one for one in _STEPS if most <= 4 * one), _STEPS[-1])
    top = max(step * -(-most // step), 1)
    slot = WIDE / max(len(weeks), _FEWEST)
    every = -(-len(weeks) // _MOST_LABELS)
    bars = tuple(
        WeekBar(
            week,
            WIDE - (len(weeks) - number) * slot + slot * 0.14,
            slot * 0.72,
            HIGH * (week.deployments - week.failed) / top,
            HIGH * week.failed / top,
            (len(weeks) - 1 - number) % max(every, 1) == 0,
        )
        for number, week in enumerate(weeks)
    )
    lines = tuple((HIGH * number / top, number) for number in range(step, top + 1, step))
    return WeekPlot(bars, lines)


def failure_plot(rows: Sequence[Numbers]) -> ReachPlot:
    """Return the share of deployments that failed, with where it may lie."""
    highest = max((one.failure_interval.high for one in rows if one.failure_interval), default=1.0)
    step = next((one for one in (0.05, 0.1, 0.25) if highest <= 4 * one), 0.25)
    top = step * -(-highest // step)

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * value / top

    marks = tuple(
        Reach(
            "failed" if one.failed else "lasted",
            _middle(number),
            x(one.failure_rate),
            x(one.failure_interval.low),
            x(one.failure_interval.high),
            one.failure_rate,
            one.deployments,
        )
        for number, one in enumerate(rows)
        if one.failure_rate is not None and one.failure_interval is not None
    )
    values = [step * number for number in range(round(top / step) + 1)]
    return ReachPlot(_names(rows), marks, tuple((x(value), value) for value in values))


def duration_plot(
    rows: Sequence[Numbers], series: Sequence[tuple[str, Callable[[Numbers], Quantiles]]]
) -> ReachPlot | None:
    """Return medians on a logarithmic scale; None where nothing was measured.

    `series`: (class of the mark, what it tells of a row).
    """
    found = [
        (number, place, kind, told)
        for number, one in enumerate(rows)
        for place, (kind, read) in enumerate(series)
        if (told := read(one)).median is not None
    ]
    medians = [max(told.median or 0.0, 1.0) for *_, told in found]
    if not medians:
        return None
    low, high = min(medians) / 3, max(medians) * 3

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * log(min(max(value, low), high) / low) / log(high / low)

    marks = tuple(
        Reach(
            kind,
            _middle(number) + 11 * (place - (len(series) - 1) / 2),
            x(told.median or 0.0),
            x(told.interval.low) if told.interval else None,
            x(told.interval.high) if told.interval else None,
            told.median or 0.0,
            told.samples,
        )
        for number, place, kind, told in found
    )
    ticks = tuple((x(value), float(value)) for value in _LENGTHS if low <= value <= high)
    return ReachPlot(_names(rows), marks, ticks)


def day_of(moment: datetime) -> str:
    """Return `11-29`: the same in every language."""
    return moment.strftime("%m-%d")


def _names(rows: Sequence[Numbers]) -> tuple[tuple[str, float], ...]:
    return tuple((one.group, _middle(number)) for number, one in enumerate(rows))


def _middle(number: int) -> float:
    return ROW * number + ROW / 2
