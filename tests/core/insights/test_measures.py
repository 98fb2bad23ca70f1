"""Releases in numbers: what is a deployment, what failed, how long it took, how sure that is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from gitops.core.git.commit import Identity
from gitops.core.git.proof import Proof
from gitops.core.insights.lead import source_commits
from gitops.core.insights.measures import HoldSpan, OverlayPast, insights
from gitops.core.insights.numbers import Insights
from gitops.core.insights.statistics import confidence, counted, quantiles, share
from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger.records import LedgerEntry, Record
from gitops.core.releases.release import Release

NOW = datetime(2026, 11, 29, tzinfo=UTC)
SINCE = NOW - timedelta(days=28)
ANA = Identity("Ana", "ana@example.com")


def at(days: float, hours: float = 0.0) -> datetime:
    """A moment so long before now."""
    return NOW - timedelta(days=days, hours=hours)


def release(
    name: str, time: datetime | None, tag: str, action: str = "deploy", bad: str | None = None
) -> Release:
    """A release of one image."""
    images = {"shop/api": ImageValue(tag=tag)}
    return Release(name, time, ANA, name, action, images, rolled_back=bad)


def word(commit: str, verdict: str, time: datetime) -> LedgerEntry:
    """A line of the ledger."""
    return LedgerEntry(1, Record(commit, verdict, time, "watch"))  # type: ignore[arg-type]


def numbers(*pasts: OverlayPast, elsewhere: tuple[OverlayPast, ...] = ()) -> Insights:
    """The numbers of four weeks."""
    return insights(pasts, SINCE, NOW, order=("dev", "prod"), elsewhere=elsewhere)


def past(name: str, *releases: Release, app: str | None = None, **more: object) -> OverlayPast:
    """An overlay; the releases oldest first."""
    return OverlayPast(name, app, tuple(reversed(releases)), **more)  # type: ignore[arg-type]


def test_rollback_is_a_failure_of_what_it_took() -> None:
    """A rollback is no deployment; the release that it names failed, and it tells how long."""
    found = numbers(
        past(
            "prod",
            release("a", at(20), "1"),
            release("b", at(10), "2"),
            release("c", at(9), "3"),
            release("r", at(8), "1", "rollback", bad="b"),
        )
    )

    assert (3, 1, 1) == (found.total.deployments, found.total.failed, found.total.rollbacks)
    assert 2 * 86400.0 == found.total.to_rollback.median == found.total.to_restore.median
    assert ["a", "b", "c"] == [one.commit for one in found.points]
    assert [False, True, False] == [one.failed for one in found.points]


def test_undone_rollback_counts_for_nothing() -> None:
    """A rollback that was taken back leaves a deployment that lasted."""
    found = numbers(
        past(
            "prod",
            release("a", at(20), "1"),
            release("b", at(10), "2"),
            release("r", at(9), "1", "rollback", bad="b"),
            release("u", at(8), "2", "undo"),
        )
    )

    assert (2, 0, 0) == (found.total.deployments, found.total.failed, found.total.rollbacks)


def test_degraded_fails_until_it_is_said_otherwise() -> None:
    """The last word on health decides; restoring counts from when it was seen."""
    entries = (
        word("a", "degraded", at(20)),
        word("a", "stable", at(19)),
        word("b", "degraded", at(10, -2)),
    )
    releases = (release("a", at(20), "1"), release("b", at(10), "2"), release("c", at(9), "3"))
    found = numbers(past("prod", *releases, entries=entries))

    assert 1 == found.total.failed
    assert 22 * 3600.0 == found.total.to_restore.median
    assert None is found.total.to_rollback.median
    assert 86400.0 == found.total.to_stable.median


def test_lead_time_is_from_anywhere_to_here() -> None:
    """The way of a build begins where it was released first, also where nobody counts."""
    dev = past("dev", release("a", at(20), "1"), release("b", at(12), "2"))
    prod = past("prod", release("p", at(18), "1"), release("q", at(2), "2"))
    both, alone = numbers(dev, prod), numbers(prod, elsewhere=(dev,))

    assert [None, 6 * 86400.0] == [one.lead.median for one in both.environments]
    assert ["prod"] == [one.group for one in alone.environments]
    assert 6 * 86400.0 == alone.total.lead.median


def test_period_and_groups() -> None:
    """Only what is in the period counts; apps are groups, and weeks sum up to all."""
    found = numbers(
        past("dev", release("a", at(40), "1"), release("b", at(1), "2"), app="shop"),
        past("dev", release("c", at(3), "1"), release("d", None, "9"), app="pay"),
    )

    assert (2, ["pay", "shop"]) == (found.total.deployments, [one.group for one in found.apps])
    assert 2 == sum(one.deployments for one in found.total.weeks)
    assert (4, 0.5) == (len(found.total.weeks), found.total.per_week)


def test_holds_and_waits() -> None:
    """Holds count as far as they stood in the period, approvals from the proposal's head."""
    spans = (HoldSpan(at(30), at(27)), HoldSpan(at(1), None))
    entries = (word("h", "approved", at(2)), word("gone", "approved", at(2)))
    one = past("prod", release("a", at(5), "1"), entries=entries, heads={"h": at(3)}, holds=spans)
    found = numbers(one)

    assert (2, 2 * 86400.0) == (found.total.holds, found.total.held)
    assert (1, 86400.0) == (found.total.waiting.samples, found.total.waiting.median)


def test_chance_is_no_trend() -> None:
    """A difference that chance may have made is unknown; one that it cannot have is told."""
    old = release("old", at(40), "old")
    few = numbers(past("dev", old, *(release(f"a{n}", at(13 - n), str(n)) for n in range(4))))
    many = numbers(past("dev", old, *(release(f"a{n}", at(13, -n), str(n)) for n in range(40))))

    assert ("unknown", "more") == (few.total.trend.deployments, many.total.trend.deployments)


def test_time_before_the_first_release_is_no_trend() -> None:
    """Where nothing is older than the period, it begins with the first release; a week at least."""
    steady = past("dev", *(release(f"a{n}", at(13.9, -8 * n), str(n)) for n in range(40)))
    young = past("dev", release("a", at(2), "1"), release("b", at(1), "2"))
    found, short = numbers(steady), numbers(young)

    assert (at(13.9), "unknown") == (found.begin, found.total.trend.deployments)
    assert found.total.per_week == pytest.approx(40 * 7 / 13.9)
    assert (at(7), 2.0) == (short.begin, short.total.per_week)
    hour = past("dev", *(release(f"a{n}", at(0, 1 - n / 40), str(n)) for n in range(40)))
    assert "unknown" == numbers(hour).total.trend.deployments


def test_lead_time_from_the_commit() -> None:
    """It counts where the commits of all new builds are known; a build that comes back has none."""
    dev = past("dev", release("a", at(20), "1"), release("b", at(12), "2"))
    prod = past("prod", *(release(*one) for one in (("p", at(10), "2"), ("q", at(2), "3"))))
    back = past("test", *(release(f"t{n}", at(9 - n), tag) for n, tag in enumerate("121")))
    committed = {("shop/api", ImageValue(tag=tag)): at(21 - n) for n, tag in enumerate("12")}
    found = insights((dev, back, prod), SINCE, NOW, order=("dev", "prod"), committed=committed)
    leads = {one.commit: one.lead_from_commit for one in found.points}

    days = {"a": 1, "b": 8, "p": 10, "q": None, "t0": 12, "t1": 12, "t2": None}
    assert {name: day and day * 86400.0 for name, day in days.items()} == leads
    assert (None, 86400.0 * 2) == (numbers(back).points[2].lead, numbers(dev, prod).points[2].lead)
    skewed = {build: at(-1) for build in committed}
    late = insights((dev,), SINCE, NOW, order=("dev",), committed=skewed)
    assert 0 == late.total.lead_from_commit.samples


def test_source_commits() -> None:
    """What an image proved goes before what was said; a tag with two commits has none."""
    one, two, three = ("1" * 40, "2" * 40, "3" * 40)

    def told(name: str, tag: str, commit: str, proof: str | None = None) -> Release:
        proofs = (Proof("shop/api", "git.example.com/shop", proof, "label"),) if proof else ()
        source = f"main@sha1:{commit}"
        return replace(release(name, at(1), tag), source=source, proofs=proofs)

    moved = (told("e", "x", two), told("d", "x", one))
    dev = (told("c", "3", one, three), told("b", "2", two), release("a", at(9), "1"))
    tags = {value.tag: commit for (_, value), commit in source_commits([dev, moved]).items()}
    assert {"2": two, "3": three, "x": one} == tags
    again = source_commits([moved[:1], moved[1:]])
    assert {} == again


def test_nothing_is_no_error() -> None:
    """Without a release there are no rates, and nothing is divided by it."""
    found = numbers(past("prod"))

    assert (0, None, "none") == (
        found.total.deployments,
        found.total.failure_rate,
        found.total.confidence,
    )


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # Wilson's interval, as R's prop.test(correct=FALSE) and Wikipedia's formula have it.
    [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1)],
)
def test_share(hits: int, of: int, low: float, high: float) -> None:
    """The interval of a share."""
    found = share(hits, of)

    assert found is not None
    assert (low, high) == pytest.approx((found.low, found.high), abs=1e-4)


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.63)],
)
def test_counted(events: int, low: float, high: float) -> None:
    """The interval of a count is near the exact one (Garwood's, by chi-square tables)."""
    found = counted(events)

    assert low == pytest.approx(found.low, abs=0.03)
    assert high == pytest.approx(found.high, rel=0.01)


def test_quantiles() -> None:
    """The interval of a median needs six samples; with ten it is from the second to the ninth."""
    assert (None, None) == (quantiles([]).median, quantiles([1, 2, 3, 4, 5]).interval)
    ten = quantiles([float(n) for n in range(10, 0, -1)])

    assert (5.5, 9.0) == (ten.median, ten.p90)
    assert ten.interval is not None
    assert (2.0, 9.0) == (ten.interval.low, ten.interval.high)
    assert ["none", "too few", "few", "enough"] == [confidence(n) for n in (0, 4, 5, 20)]
