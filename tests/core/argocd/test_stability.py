"""From readings to an answer: what must be seen twice, what must last, what does not count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from applications import T0
from gitops.core.argocd.application import ApplicationRef
from gitops.core.argocd.health import Observation, ReleaseState
from gitops.core.argocd.stability import Following, follow


def seen(
    state: ReleaseState,
    at: float,
    *,
    since: float | None = None,
    name: str = "one",
    inherited: bool = False,
) -> Observation:
    """Return what one Application says at second `at`, true since second `since`."""
    return Observation(
        ApplicationRef("c", "argocd", name),
        state,
        state,
        T0 + timedelta(seconds=at),
        since=T0 + timedelta(seconds=since) if since is not None else None,
        inherited=inherited,
    )


def run(readings: Sequence[tuple[float, Sequence[Observation]]], soak: float = 0) -> list[str]:
    """Feed readings, and return the answer after each, `-` for none."""
    state = Following()
    answers = []
    for at, observations in readings:
        state = follow(state, observations, at=at, soak=soak)
        answers.append(state.answer or "-")
    return answers


def test_healthy_needs_two_readings() -> None:
    """One Healthy reading proves nothing; two that are a second apart are an answer."""
    readings = [(at, [seen("healthy", at, since=0)]) for at in (0.0, 0.9, 1.0)]

    assert ["-", "-", "healthy"] == run(readings)


def test_stable_never_before_five_seconds() -> None:
    """Without a soak a release is stable when it was Healthy for 5 s, cut seconds allowed for."""
    readings = [(at, [seen("healthy", at, since=0)]) for at in (2.0, 4.0, 5.9, 6.0)]

    assert ["-", "healthy", "healthy", "stable"] == run(readings)


def test_soak() -> None:
    """With a soak it is stable after that."""
    readings = [(at, [seen("healthy", at, since=0)]) for at in (0.0, 2.0, 60.0, 61.0)]

    assert ["-", "healthy", "healthy", "stable"] == run(readings, soak=60)


def test_restarted_watcher_goes_on() -> None:
    """A watcher that starts late believes the cluster's times, and needs two readings only."""
    readings = [(at, [seen("healthy", at + 500, since=0)]) for at in (0.0, 1.0)]

    assert ["-", "stable"] == run(readings, soak=300)


def test_a_break_begins_the_soak_again() -> None:
    """What was Progressing in between has a new beginning, though it was an answer before."""
    readings = [
        (0.0, [seen("healthy", 0, since=0)]),
        (1.0, [seen("healthy", 1, since=0)]),
        (30.0, [seen("progressing", 30)]),
        (40.0, [seen("healthy", 40, since=39)]),
        (62.0, [seen("healthy", 62, since=39)]),
        (100.0, [seen("healthy", 100, since=39)]),
    ]

    assert ["-", "healthy", "-", "healthy", "healthy", "stable"] == run(readings, soak=60)


def test_all_must_be_healthy() -> None:
    """A release is healthy when all of its Applications are."""
    both = [[seen("healthy", at, since=0), seen("progressing", at, name="two")] for at in range(3)]

    assert ["-", "-", "-"] == run(list(enumerate(map(list, both))))  # type: ignore[arg-type]


def test_the_youngest_counts() -> None:
    """Of several Applications the one that became Healthy last decides about the soak."""
    readings = [
        (at, [seen("healthy", at, since=0), seen("healthy", at, since=8, name="two")])
        for at in (10.0, 11.0, 14.0)
    ]

    assert ["-", "healthy", "stable"] == run(readings)


def test_without_times_our_own_readings_count() -> None:
    """An Application without a time of its health is watched for as long."""
    readings = [(at, [seen("healthy", at)]) for at in (0.0, 1.0, 4.9, 5.0)]

    assert ["-", "healthy", "healthy", "stable"] == run(readings)


@pytest.mark.parametrize("state", ["degraded", "failed", "unrendered"])
def test_bad_must_last_two_seconds(state: ReleaseState) -> None:
    """What is bad for a moment only is no verdict."""
    moment = [(0.0, [seen(state, 0, since=0)]), (1.0, [seen("healthy", 1, since=1)])]
    lasting = [(at, [seen(state, at, since=0)]) for at in (0.0, 1.9, 2.0)]

    assert ["-", "-"] == run(moment)
    assert ["-", "-", state] == run(lasting)


def test_bad_by_the_clusters_clock() -> None:
    """One reading is enough when the cluster says that it has lasted."""
    assert ["-"] == run([(0.0, [seen("degraded", 2.5, since=0)])])
    assert ["degraded"] == run([(0.0, [seen("degraded", 3, since=0)])])


def test_another_application_that_is_bad_begins_anew() -> None:
    """Two Applications that are Degraded for a second each are not one for two."""
    readings = [
        (0.0, [seen("degraded", 0, since=0)]),
        (1.5, [seen("healthy", 1.5, since=1), seen("degraded", 1.5, since=1, name="two")]),
        (2.5, [seen("healthy", 2.5, since=1), seen("degraded", 2.5, since=1, name="two")]),
        (3.5, [seen("healthy", 3.5, since=1), seen("degraded", 3.5, since=1, name="two")]),
    ]

    assert ["-", "-", "-", "degraded"] == run(readings)


def test_inherited_is_no_answer() -> None:
    """What was Degraded before the release does not become its verdict, however long it lasts."""
    readings = [(at, [seen("degraded", at, since=-50, inherited=True)]) for at in (0.0, 60.0)]

    assert ["-", "-"] == run(readings)


def test_degraded_in_the_soak() -> None:
    """What was an answer may turn bad while it soaks."""
    readings = [
        (0.0, [seen("healthy", 0, since=0)]),
        (1.0, [seen("healthy", 1, since=0)]),
        (20.0, [seen("degraded", 20, since=19)]),
        (22.0, [seen("degraded", 22, since=19)]),
    ]

    assert ["-", "healthy", "-", "degraded"] == run(readings, soak=60)


def test_no_application_is_no_answer() -> None:
    """A reading without Applications forgets what was, and answers nothing."""
    readings = [
        (0.0, [seen("healthy", 0, since=0)]),
        (1.0, []),
        (2.0, [seen("healthy", 2, since=0)]),
    ]

    assert ["-", "-", "-"] == run(readings)


def test_worst_speaks_for_all() -> None:
    """The Application that is worst off is the one that is told about."""
    state = follow(
        Following(),
        [seen("healthy", 0), seen("suspended", 0, name="two"), seen("syncing", 0, name="three")],
        at=0.0,
        soak=0,
    )

    assert state.worst is not None
    assert "two" == state.worst.ref.name
    assert Following().worst is None
