"""The numbers of `gitops insights` for programs: a JSON document, and every deployment as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from gitops.core.insights.numbers import Insights, Numbers
from gitops.core.insights.statistics import Interval, Quantiles
from gitops.core.text.plain import no_formula, timestamp

JsonDocument = dict[str, object]

_COLUMNS = (
    *("environment", "app", "commit", "time", "failed", "lead_seconds", "stable_after_seconds"),
    *("restored_after_seconds", "rolled_back_after_seconds", "lead_from_commit_seconds"),
)


def insights_document(found: Insights) -> JsonDocument:
    """The document of `insights`; durations in seconds, shares between 0 and 1."""
    return {
        "since": timestamp(found.since),
        "until": timestamp(found.until),
        "total": _numbers(found.total),
        "environments": [_numbers(one) for one in found.environments],
        "apps": [_numbers(one) for one in found.apps],
        "warnings": list(found.warnings),
        "notes": list(found.notes),
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
        "leadTimeFromCommit": _quantiles(one.lead_from_commit),
        "timeToStable": _quantiles(one.to_stable),
        "timeToRestore": _quantiles(one.to_restore),
        "timeToRollback": _quantiles(one.to_rollback),
        "approvalWaiting": _quantiles(one.waiting),
        "holds": {"count": one.holds, "seconds": one.held},
        "trend": {
            "deployments": one.trend.deployments,
            "failures": one.trend.failures,
            "leadTime": one.trend.lead,
        },
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


def csv_lines(found: Insights) -> Iterator[str]:
    """Yield every deployment as a line of CSV, oldest first, the names of the columns before."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in found.points:
        row = (
            *(one.environment, one.app or "", one.commit, timestamp(one.time)),
            *(str(one.failed).lower(), one.lead, one.stable_after),
            *(one.restored_after, one.rolled_back_after, one.lead_from_commit),
        )
        writer.writerow("" if value is None else _plain(value) for value in row)
    yield target.getvalue()


def _plain(value: str | float) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(value, float):
        return f"{value:.0f}"
    return no_formula(value)
