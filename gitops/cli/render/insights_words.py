"""What the table and the report of `gitops insights` say in words."""

from __future__ import annotations

from gitops.core.insights.numbers import Insights, Numbers, Trend
from gitops.core.insights.statistics import Quantiles
from gitops.core.text.plain import day

_CHANGES = {
    "deployments": {"more": "more deployments", "less": "fewer deployments"},
    "failures": {"more": "more of them failed", "less": "fewer of them failed"},
    "lead time": {"more": "a longer lead time", "less": "a shorter lead time"},
}


def period_words(found: Insights) -> str:
    """Return the period, and from when it counts where that is later."""
    words = f"{day(found.since)} to {day(found.until)}"
    later = found.begin > found.since
    return f"{words} (rates count from {day(found.begin)}: nothing is older)" if later else words


def trend_words(trend: Trend) -> str:
    """Return what the later half is like beside the earlier one, and what may be chance."""
    changes = (trend.deployments, trend.failures, trend.lead)
    told = list(zip(_CHANGES.items(), changes, strict=True))
    sure = [words[change] for (_, words), change in told if change in words]
    chance = [name for (name, words), change in told if change not in words]
    parts = [", ".join(sure)] if sure else []
    if chance:
        parts.append(f"{', '.join(chance)}: no difference that chance would not make")
    return f"the later half beside the earlier one: {'; '.join(parts)}"


def durations_of(one: Numbers) -> tuple[Quantiles, ...]:
    """Return what a row tells of durations, in the order of its columns."""
    lead = (one.lead_from_commit, one.lead)
    return (*lead, one.to_stable, one.to_restore, one.to_rollback, one.waiting)
