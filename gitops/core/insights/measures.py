"""Releases and the ledger's words in numbers, for each environment, app, or all together.

- A *deployment* is a release that is no rollback. A rollback that was undone counts for nothing.
- It *failed* when a rollback took it away, or when the ledger's last word on it is `degraded`.
- *Lead time*: from the first release of a build anywhere to its release here; in the environment
  that has builds first there is none. *From the commit*: from when its source commit was made,
  where somebody tells. Both only where a build is new: one that comes back was on no way.
- *Time to rollback*: from a release to the rollback that took it away. *Time to restore*: from when
  it was first seen degraded, else from its release, to the rollback or to the next release.
- *To stable*: from a release to when it was first seen stable; the soak is in it.
- *Waiting*: from the head of a proposal to its approval, where the ledger has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil

from msgspec import Struct, field

from gitops.core.insights.lead import Build, first_seen, lead, newcomers
from gitops.core.insights.numbers import Deployment, Insights, Numbers, Trend, Week
from gitops.core.insights.statistics import (
    Interval,
    Quantiles,
    confidence,
    counted,
    quantiles,
    share,
)
from gitops.core.ledger.records import LedgerEntry
from gitops.core.releases.release import Release

_WEEK = timedelta(days=7)


class HoldSpan(Struct, frozen=True):
    """How long a hold stood; `end` None: it still does."""

    start: datetime
    end: datetime | None


class OverlayPast(Struct, frozen=True):
    """What is known of one overlay.

    Attributes:
        releases: newest first; also those before the period, as far as they were read.
        entries: of the ledger, oldest first.
        heads: head of a proposal -> when it was made.
        holds: oldest first.
    """

    environment: str
    app: str | None
    releases: tuple[Release, ...]
    entries: tuple[LedgerEntry, ...] = ()
    heads: Mapping[str, datetime] = {}
    holds: tuple[HoldSpan, ...] = ()


class _Begun(Struct, frozen=True):
    """Where the ways of builds began: their first release anywhere, their source commit."""

    released: Mapping[Build, datetime]
    committed: Mapping[Build, datetime]


class _Period(Struct, frozen=True):
    """What was asked for, from when rates count (a week at least), and from when trends do."""

    since: datetime
    begin: datetime
    first: datetime
    until: datetime


class _Seen(Struct):
    """What a group has had, as it is collected."""

    deployments: list[Deployment] = field(default_factory=list)
    rollbacks: list[datetime] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    holds: list[HoldSpan] = field(default_factory=list)


def insights(
    pasts: Sequence[OverlayPast],
    since: datetime,
    until: datetime,
    *,
    order: Sequence[str],
    elsewhere: Sequence[OverlayPast] = (),
    committed: Mapping[Build, datetime] = {},
    notes: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Insights:
    """Return the numbers of `pasts` between two moments.

    `order` is that of the environments. `elsewhere` are overlays that are not counted, where builds
    may have been before. `committed`: when the source commits of builds were made, as far as
    somebody tells.
    """
    oldest = min((one.time for past in pasts for one in past.releases if one.time), default=since)
    begin = max(since, min(oldest, until - _WEEK))
    period = _Period(since, begin, max(since, min(oldest, until)), until)
    begun = _Begun(first_seen(one.releases for one in (*pasts, *elsewhere)), committed)
    total = _Seen()
    by_environment: dict[str, _Seen] = {}
    by_app: dict[str, _Seen] = {}
    for past in pasts:
        groups = [total, by_environment.setdefault(past.environment, _Seen())]
        if past.app is not None:
            groups.append(by_app.setdefault(past.app, _Seen()))
        standing = _without_undone(past.releases)
        deployments = [
            one for one in _deployments(past, standing, begun) if since <= one.time <= until
        ]
        rollbacks = [
            one.time
            for one in standing
            if one.action == "rollback" and one.time and since <= one.time <= until
        ]
        waits = list(_waits(past, since, until))
        holds = [one for one in past.holds if one.start <= until and (one.end or until) >= since]
        for group in groups:
            group.deployments += deployments
            group.rollbacks += rollbacks
            group.waits += waits
            group.holds += holds
    names = [one for one in order if one in by_environment]
    return Insights(
        since,
        period.begin,
        until,
        _numbers("all", total, period),
        tuple(_numbers(one, by_environment[one], period) for one in names),
        tuple(_numbers(one, by_app[one], period) for one in sorted(by_app)),
        tuple(sorted(total.deployments, key=lambda one: one.time)),
        warnings,
        notes,
    )


def _without_undone(releases: Sequence[Release]) -> tuple[Release, ...]:
    """Leave out each undo and the rollback that it took back."""
    kept: list[Release] = []
    undone = 0
    for release in releases:
        if release.action == "undo":
            undone += 1
        elif release.action == "rollback" and undone:
            undone -= 1
        else:
            kept.append(release)
    return tuple(kept)


def _deployments(
    past: OverlayPast, releases: Sequence[Release], begun: _Begun
) -> Iterator[Deployment]:
    """Yield what is no rollback, newest first, with what became of each."""
    seen = _words(past.entries)
    arrived = newcomers(releases)
    undone: dict[str, datetime] = {}
    newer: Release | None = None
    for number, release in enumerate(releases):
        older = releases[number + 1] if number + 1 < len(releases) else None
        if release.time is None:
            continue
        if release.action == "rollback":
            bad = release.rolled_back or (older.commit if older is not None else None)
            if bad is not None:
                undone.setdefault(bad, release.time)
            newer = release
            continue
        new = arrived[release.commit]
        stable, degraded, last = seen.get(release.commit, (None, None, None))
        back = undone.get(release.commit)
        failed = back is not None or last == "degraded"
        ended = back or (newer.time if newer is not None and failed else None)
        yield Deployment(
            past.environment,
            past.app,
            release.commit,
            release.time,
            failed,
            lead=lead(release, new, begun.released, every=False),
            lead_from_commit=lead(release, new, begun.committed, every=True),
            stable_after=_since(release.time, stable),
            restored_after=_since(degraded or release.time, ended) if failed else None,
            rolled_back_after=_since(release.time, back),
        )
        newer = release


def _since(start: datetime, end: datetime | None) -> float | None:
    """Return the seconds between two moments; clocks that disagree give none."""
    return max((end - start).total_seconds(), 0.0) if end is not None else None


def _words(
    entries: Iterable[LedgerEntry],
) -> dict[str, tuple[datetime | None, datetime | None, str | None]]:
    """Return commit -> when it was first stable, when first degraded, and the last of the two."""
    found: dict[str, tuple[datetime | None, datetime | None, str | None]] = {}
    for entry in entries:
        record = entry.record
        if record.verdict not in ("stable", "degraded"):
            continue
        stable, degraded, _ = found.get(record.commit, (None, None, None))
        if record.verdict == "stable":
            stable = stable or record.time
        else:
            degraded = degraded or record.time
        found[record.commit] = (stable, degraded, record.verdict)
    return found


def _waits(past: OverlayPast, since: datetime, until: datetime) -> Iterator[float]:
    for entry in past.entries:
        record = entry.record
        made = past.heads.get(record.commit)
        if record.verdict == "approved" and made is not None and since <= record.time <= until:
            yield max((record.time - made).total_seconds(), 0.0)


def _numbers(group: str, seen: _Seen, period: _Period) -> Numbers:
    deployments = seen.deployments
    begin, until = period.begin, period.until
    failed = sum(one.failed for one in deployments)
    weeks = max((until - begin) / _WEEK, 1e-9)
    interval = counted(len(deployments))
    return Numbers(
        group,
        len(deployments),
        failed,
        len(seen.rollbacks),
        len(deployments) / weeks,
        Interval(interval.low / weeks, interval.high / weeks),
        failed / len(deployments) if deployments else None,
        share(failed, len(deployments)),
        lead=_quantiles(one.lead for one in deployments),
        lead_from_commit=_quantiles(one.lead_from_commit for one in deployments),
        to_stable=_quantiles(one.stable_after for one in deployments),
        to_restore=_quantiles(one.restored_after for one in deployments),
        to_rollback=_quantiles(one.rolled_back_after for one in deployments),
        waiting=quantiles(seen.waits),
        holds=len(seen.holds),
        held=sum(_overlap(one, period.since, until) for one in seen.holds),
        confidence=confidence(len(deployments)),
        trend=_trend(deployments, period.first, until),
        weeks=_weeks(deployments, seen.rollbacks, begin, until),
    )


def _quantiles(values: Iterable[float | None]) -> Quantiles:
    return quantiles([one for one in values if one is not None])


def _overlap(hold: HoldSpan, since: datetime, until: datetime) -> float:
    end = min(hold.end or until, until)
    return max((end - max(hold.start, since)).total_seconds(), 0.0)


def _trend(deployments: Sequence[Deployment], since: datetime, until: datetime) -> Trend:
    middle = since + (until - since) / 2
    before = [one for one in deployments if one.time < middle]
    after = [one for one in deployments if one.time >= middle]
    rates = [share(sum(one.failed for one in half), len(half)) for half in (before, after)]
    return Trend(
        _compared(counted(len(before)), counted(len(after))),
        _compared(rates[0], rates[1]),
        _compared(*(_lead(half).interval for half in (before, after))),
    )


def _lead(deployments: Sequence[Deployment]) -> Quantiles:
    from_commit = _quantiles(one.lead_from_commit for one in deployments)
    return from_commit if from_commit.samples else _quantiles(one.lead for one in deployments)


def _compared(before: Interval | None, after: Interval | None) -> str:
    """Say what came of it; two intervals that meet may be chance."""
    if before is None or after is None or not after.apart(before):
        return "unknown"
    return "more" if after.low > before.high else "less"


def _weeks(
    deployments: Sequence[Deployment],
    rollbacks: Sequence[datetime],
    since: datetime,
    until: datetime,
) -> tuple[Week, ...]:
    """Return the weeks of the period, counted back from its end, oldest first."""
    count = max(ceil((until - since) / _WEEK), 1)
    start = until - count * _WEEK
    table = [[0, 0, 0] for _ in range(count)]
    for one in deployments:
        if one.time > start:
            row = table[min(int((one.time - start) / _WEEK), count - 1)]
            row[0] += 1
            row[1] += one.failed
    for time in rollbacks:
        if time > start:
            table[min(int((time - start) / _WEEK), count - 1)][2] += 1
    return tuple(
        Week((start + number * _WEEK).astimezone(UTC), *row) for number, row in enumerate(table)
    )
