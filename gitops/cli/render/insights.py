"""What `gitops insights` prints and writes: table, JSON, CSV, pictures, a report."""

from __future__ import annotations

import os
import sys

from gitops.cli import streams
from gitops.cli.render.insights_words import durations_of, period_words, trend_words
from gitops.cli.render.terminal import columns, line, paint, safe, warn
from gitops.cli.render.text import print_json
from gitops.core.insights.numbers import Insights, Numbers
from gitops.core.insights.statistics import Quantiles
from gitops.core.text.plain import count, duration_words, split_lines
from gitops.documents.insights import csv_lines, insights_document
from gitops.errors import Denied, UsageError

_HEAD = (
    *("", "deploys", "a week", "failed", "95 %", "from commit", "from build", "to stable"),
    *("to restore", "to rollback", "waiting", "holds", "samples"),
)


def print_insights(found: Insights, output: str) -> int:
    """Print the numbers; return the exit code 0."""
    if output == "json":
        print_json(insights_document(found))
        return 0
    rows: list[tuple[str, ...]] = [_HEAD]
    rows += [_row(one) for one in found.environments]
    if len(found.environments) > 1:
        rows.append(_row(found.total))
    if found.apps:
        rows += [("",) * len(_HEAD), *(_row(one) for one in found.apps)]
    head, *others = columns(_without_empty(rows))
    line(paint(head, "bold", sys.stdout))
    for text in others:
        line(safe(text))
    line()
    line(f"{period_words(found)}; {trend_words(found.total.trend)}")
    if found.total.confidence in ("too few", "none"):
        line(f"{count(found.total.deployments, 'deployment')}: too few to tell anything by")
    for note in found.notes:
        line(note)
    warn(found.warnings)
    return 0


def _without_empty(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Leave out the columns of which nothing is known."""
    kept = [
        0,
        *(n for n in range(1, len(_HEAD)) if any(row[n] not in ("", "-") for row in rows[1:])),
    ]
    return [tuple(row[number] for number in kept) for row in rows]


def _row(one: Numbers) -> tuple[str, ...]:
    rate = "-" if one.failure_rate is None else f"{one.failed} ({one.failure_rate:.0%})"
    interval = one.failure_interval
    reach = "-" if interval is None else f"{interval.low:.0%}-{interval.high:.0%}"
    return (
        one.group,
        str(one.deployments),
        f"{one.per_week:.1f}",
        rate,
        reach,
        *map(_duration, durations_of(one)),
        f"{one.holds} ({duration_words(one.held)})" if one.holds else "-",
        one.confidence,
    )


def _duration(one: Quantiles) -> str:
    """Return the median with how many there were, where they are few."""
    if one.median is None:
        return "-"
    return duration_words(one.median) + (f" of {one.samples}" if one.samples < 5 else "")


def written(found: Insights, *, csv: str | None, html: str | None, plot: str | None) -> bool:
    """Write what was asked for; say whether it went where the table would.

    Raises UsageError for a picture of no known kind, NotFound without the library, Denied.
    """
    kind = (plot or "").rpartition(".")[2].lower()
    if plot is not None and kind not in ("svg", "png"):
        raise UsageError(f"{plot!r} is no picture", hint="name it .svg or .png")
    if plot is not None or html is not None:
        from gitops.wiring.setup import draw_insights

        if plot is not None:
            _write(plot, draw_insights(found, kind))
        if html is not None:
            from gitops.cli.render.insights_html import report

            picture = draw_insights(found, "svg").decode() if found.total.deployments else ""
            _write(html, report(found, picture).encode())
    if csv == "-":
        for text in split_lines("".join(csv_lines(found))):
            line(text)
    elif csv is not None:
        _write(csv, "".join(csv_lines(found)).encode())
    return csv == "-"


def _write(path: str, content: bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(content)
    except OSError as error:
        raise Denied(f"{os.path.basename(path)} cannot be written: {error.strerror}") from None
    streams.tell(f"wrote {safe(path)}")
