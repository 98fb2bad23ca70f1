"""The picture of `gitops insights`: matplotlib, drawn without a screen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from gitops.core.insights.numbers import Insights, Numbers
from gitops.core.insights.statistics import Quantiles
from gitops.core.text.extras import extra_hint
from gitops.core.text.plain import duration_words
from gitops.errors import NotFound

_INK, _FAINT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"
_GOOD, _BAD, _SOFT = "#2f6f9f", "#c8553d", "#9fb8cc"
_SIZE = 9.5
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": _SIZE,
    "text.color": _INK,
    "axes.labelcolor": _FAINT,
    "axes.edgecolor": _GRID,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 22,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": _FAINT,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.axisbelow": True,
    "svg.hashsalt": "gitops",
    "svg.fonttype": "path",
}


def draw(found: Insights, kind: str) -> bytes:
    """Return the picture as `svg` or `png`. Raises NotFound where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        raise NotFound(
            "pictures need a library that is not installed: matplotlib",
            hint=extra_hint("insights"),
        ) from None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with matplotlib.rc_context(_STYLE):
        rows = found.environments or (found.total,)
        layout = ConstrainedLayoutEngine(w_pad=0.25, h_pad=0.2)
        figure = Figure(figsize=(11, 5.4 + 0.42 * len(rows)), layout=layout, dpi=110)
        FigureCanvasAgg(figure)
        places: Any = figure.subplot_mosaic(
            [["weeks", "weeks"], ["failures", "lead"]], height_ratios=[1.0, 0.62 + 0.12 * len(rows)]
        )
        _weeks(places["weeks"], found.total)
        _failures(places["failures"], rows)
        _durations(places["lead"], rows)
        target = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(target, format=kind, metadata=metadata, facecolor="white")
    return target.getvalue()


def _explain(place: Any, text: str) -> None:
    place.text(0, 1.03, text, transform=place.transAxes, color=_FAINT, fontsize=_SIZE - 0.5)


def _weeks(place: Any, total: Numbers) -> None:
    """Draw deployments of each week: what lasted, what was taken back, rollbacks as marks."""
    place.set_title("Deployments each week")
    low, high = total.per_week_interval.low, total.per_week_interval.high
    _explain(place, f"{total.per_week:.1f} a week (95 %: {low:.1f} to {high:.1f})")
    weeks = total.weeks
    xs = range(len(weeks))
    lasted = [one.deployments - one.failed for one in weeks]
    failed = [one.failed for one in weeks]
    place.bar(xs, lasted, width=0.72, color=_GOOD, label="lasted")
    place.bar(xs, failed, width=0.72, bottom=lasted, color=_BAD, label="failed")
    place.grid(axis="y", color=_GRID, linewidth=0.8)
    place.set_xlim(-0.6, len(weeks) - 0.4)
    top = max([one.deployments for one in weeks], default=0)
    place.set_ylim(0, max(top * 1.15, 1))
    place.yaxis.get_major_locator().set_params(integer=True, nbins=5)
    step = max(1, round(len(weeks) / 10))
    shown = list(xs)[::-1][::step][::-1]
    place.set_xticks(shown, [weeks[one].start.strftime("%-d %b") for one in shown])
    place.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1.02),
        ncols=2,
        frameon=False,
        borderaxespad=0.1,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.2,
    )


def _failures(place: Any, rows: Sequence[Numbers]) -> None:
    """Draw the share of deployments that failed, with where it may lie."""
    place.set_title("Change failure rate")
    _explain(place, "line: where the true share may lie (95 %)")
    widest = max((one.failure_interval.high for one in rows if one.failure_interval), default=1.0)
    for y, one in enumerate(rows):
        if one.failure_rate is None or one.failure_interval is None:
            place.text(0, y, "no deployments", va="center", color=_FAINT)
            continue
        low, high = one.failure_interval.low, one.failure_interval.high
        place.plot([low, high], [y, y], color=_SOFT, linewidth=5, solid_capstyle="round")
        place.plot(one.failure_rate, y, "o", color=_BAD if one.failed else _GOOD, markersize=8)
        words = f"{one.failure_rate:.0%}   {one.failed} of {one.deployments}"
        place.text(high + widest * 0.035, y, words, va="center", color=_INK)
    _names(place, rows)
    step = next((one for one in (0.05, 0.1, 0.25) if widest <= 5 * one), 0.25)
    ticks = [number * step for number in range(int(1 / step) + 1) if number * step <= widest + step]
    place.set_xlim(-widest * 0.02, widest * 1.45)
    place.set_xticks(ticks, [f"{one:.0%}" for one in ticks])


def _durations(place: Any, rows: Sequence[Numbers]) -> None:
    """Draw on a logarithmic scale how long builds were on their way, and rollbacks took."""
    place.set_title("How long it took")
    _explain(place, "median, and where it may lie (95 %)")
    place.set_xscale("log")
    every = (
        ("from commit", _INK, "s", [one.lead_from_commit for one in rows]),
        ("from build", _GOOD, "o", [one.lead for one in rows]),
        ("time to rollback", _BAD, "D", [one.to_rollback for one in rows]),
    )
    series = [one for one in every if any(value.samples for value in one[3])] or every[1:]
    found = [one.median for *_, all_ in series for one in all_ if one.median]
    for place_, (name, colour, mark, values) in enumerate(series):
        shift = 0.27 * (place_ - (len(series) - 1) / 2)
        for number, one in enumerate(values):
            _duration(place, one, number + shift, colour, mark, name if number == 0 else None)
    _names(place, rows)
    ticks = (1, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400)
    low, high = (min(found), max(found)) if found else (60.0, 86400.0)
    place.set_xlim(max(low / 4, 0.5), high * 14)
    shown = [one for one in ticks if low / 4 <= one <= high * 5]
    place.set_xticks(shown, [duration_words(one) for one in shown])
    place.minorticks_off()
    place.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.09),
        ncols=len(series),
        frameon=False,
        borderaxespad=0.1,
        handlelength=0.8,
        columnspacing=1.2,
    )
    if not found:
        place.text(
            0.5, 0.5, "nothing to measure yet", transform=place.transAxes, ha="center", color=_FAINT
        )


def _duration(
    place: Any, one: Quantiles, y: float, colour: str, mark: str, name: str | None
) -> None:
    if one.median is None:
        place.plot([], [], mark, color=colour, label=name)
        return
    middle = max(one.median, 0.5)
    reach = one.median
    if one.interval is not None:
        ends = [max(one.interval.low, 0.5), max(one.interval.high, 0.5)]
        place.plot(ends, [y, y], color=colour, alpha=0.28, linewidth=5, solid_capstyle="round")
        reach = ends[1]
    place.plot(middle, y, mark, color=colour, markersize=7, label=name)
    words = f"{duration_words(one.median)}  ({one.samples})"
    place.text(max(reach, middle) * 1.35, y, words, va="center", color=_INK, fontsize=_SIZE - 0.5)


def _names(place: Any, rows: Sequence[Numbers]) -> None:
    place.set_yticks(range(len(rows)), [one.group for one in rows])
    place.set_ylim(len(rows) - 0.4, -0.6)
    place.grid(axis="x", color=_GRID, linewidth=0.8)
