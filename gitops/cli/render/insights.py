"""What `gitops insights` prints and writes: table, JSON, CSV, pictures, a report."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator

from gitops.cli import streams
from gitops.cli.render.terminal import aside, columns, line, paint, safe
from gitops.cli.render.text import print_json
from gitops.core.insights.measures import Insights, Numbers
from gitops.core.insights.statistics import Interval, Quantiles
from gitops.core.text.plain import count, day, duration_words, split_lines, timestamp
from gitops.errors import Denied, UsageError

JsonDocument = dict[str, object]

_HEAD = (
    *("", "deploys", "a week", "failed", "95 %", "lead time", "to stable", "to restore"),
    *("to rollback", "waiting", "holds", "samples"),
)
_COLUMNS = (
    *("environment", "app", "commit", "time", "failed", "lead_seconds", "stable_after_seconds"),
    *("restored_after_seconds", "rolled_back_after_seconds"),
)
_CHANGES = {"more": "more", "less": "fewer", "unknown": "no change that chance would not explain"}


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
    period = f"{day(found.since)} to {day(found.until)}"
    trend = found.total.trend
    line(
        f"{period}; the later half beside the earlier: deployments: {_CHANGES[trend.deployments]}; "
        f"failures: {_CHANGES[trend.failures]}"
    )
    if found.total.confidence in ("too few", "none"):
        line(f"{count(found.total.deployments, 'deployment')}: too few to tell anything by")
    for warning in found.warnings:
        aside("warning", warning)
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
        *map(_duration, (one.lead, one.to_stable, one.to_restore, one.to_rollback, one.waiting)),
        f"{one.holds} ({duration_words(one.held)})" if one.holds else "-",
        one.confidence,
    )


def _duration(one: Quantiles) -> str:
    """Return the median with how many there were, where they are few."""
    if one.median is None:
        return "-"
    return duration_words(one.median) + (f" of {one.samples}" if one.samples < 5 else "")


def insights_document(found: Insights) -> JsonDocument:
    """The document of `insights`; durations in seconds, shares between 0 and 1."""
    return {
        "since": timestamp(found.since),
        "until": timestamp(found.until),
        "total": _numbers(found.total),
        "environments": [_numbers(one) for one in found.environments],
        "apps": [_numbers(one) for one in found.apps],
        "warnings": list(found.warnings),
    }


def _numbers(one: Numbers) -> JsonDocument:
    return {
        "group": one.group,
        "confidence": one.confidence,
        "deployments": one.deployments,
        "failed": one.failed,
        "rollbacks": one.rollbacks,
        "perWeek": {"value": one.per_week, **_ends(one.per_week_interval)},
        "changeFailureRate": {"value": one.failure_rate, **_ends(one.failure_interval)},
        "leadTime": _quantiles(one.lead),
        "timeToStable": _quantiles(one.to_stable),
        "timeToRestore": _quantiles(one.to_restore),
        "timeToRollback": _quantiles(one.to_rollback),
        "approvalWaiting": _quantiles(one.waiting),
        "holds": {"count": one.holds, "seconds": one.held},
        "trend": {"deployments": one.trend.deployments, "failures": one.trend.failures},
        "weeks": [
            {
                "start": timestamp(week.start),
                "deployments": week.deployments,
                "failed": week.failed,
                "rollbacks": week.rollbacks,
            }
            for week in one.weeks
        ],
    }


def _ends(one: Interval | None) -> JsonDocument:
    return {"low": one.low if one else None, "high": one.high if one else None}


def _quantiles(one: Quantiles) -> JsonDocument:
    return {"samples": one.samples, "median": one.median, "p90": one.p90, **_ends(one.interval)}


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


def csv_lines(found: Insights) -> Iterator[str]:
    """Yield every deployment as a line of CSV, oldest first, the names of the columns before."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in found.points:
        row = (
            *(one.environment, one.app or "", one.commit, timestamp(one.time)),
            *(str(one.failed).lower(), one.lead, one.stable_after),
            *(one.restored_after, one.rolled_back_after),
        )
        writer.writerow("" if value is None else _plain(value) for value in row)
    yield target.getvalue()


def _plain(value: str | float) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(value, float):
        return f"{value:.0f}"
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _write(path: str, content: bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(content)
    except OSError as error:
        raise Denied(f"{os.path.basename(path)} cannot be written: {error.strerror}") from None
    streams.tell(f"wrote {safe(path)}")
