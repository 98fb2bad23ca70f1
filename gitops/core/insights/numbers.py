"""What `gitops insights` tells: every deployment, and the numbers of each group of overlays."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from gitops.core.insights.statistics import Confidence, Interval, Quantiles


class Deployment(Struct, frozen=True):
    """One deployment, and what became of it.

    Attributes:
        lead, lead_from_commit, stable_after, restored_after, rolled_back_after: seconds; None where
            nothing is known.
    """

    environment: str
    app: str | None
    commit: str
    time: datetime
    failed: bool = False
    lead: float | None = None
    lead_from_commit: float | None = None
    stable_after: float | None = None
    restored_after: float | None = None
    rolled_back_after: float | None = None


class Week(Struct, frozen=True):
    """Seven days, the last ones ending now; of the oldest, the period may have a part only."""

    start: datetime
    deployments: int
    failed: int
    rollbacks: int


class Trend(Struct, frozen=True):
    """The later half of the period beside the earlier one.

    Attributes:
        deployments, failures, lead: more, less; `unknown` where chance alone may be the reason, or
            one half has too few. `lead` is from the commit where that is known, else from the first
            release.
    """

    deployments: str
    failures: str
    lead: str


class Numbers(Struct, frozen=True):
    """The numbers of a group of overlays in the period.

    Attributes:
        group: name of the environment, of the app, or "all".
        per_week, per_week_interval: deployments.
        failure_rate, failure_interval: share of deployments; None without any.
        held: seconds that holds stood in the period, of all overlays together.
    """

    group: str
    deployments: int
    failed: int
    rollbacks: int
    per_week: float
    per_week_interval: Interval
    failure_rate: float | None
    failure_interval: Interval | None
    lead: Quantiles
    lead_from_commit: Quantiles
    to_stable: Quantiles
    to_restore: Quantiles
    to_rollback: Quantiles
    waiting: Quantiles
    holds: int
    held: float
    confidence: Confidence
    trend: Trend
    weeks: tuple[Week, ...] = ()


class Insights(Struct, frozen=True):
    """All of it.

    Attributes:
        begin: from when releases are known, where that is later than `since`: rates
            count from there (from a week ago at the latest), since the time before it says nothing;
            trends count from the very first.
        environments: in promotion order.
        apps: sorted; () where there are none.
        points: every deployment of the period, oldest first.
        warnings: what could not be seen.
        notes: where a number begins, and how to know more.
    """

    since: datetime
    begin: datetime
    until: datetime
    total: Numbers
    environments: tuple[Numbers, ...]
    apps: tuple[Numbers, ...] = ()
    points: tuple[Deployment, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
