"""The wait for one release as a state machine: when it ends, how, and how long it rests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from applications import T0
from gitops.core.argocd.application import ApplicationRef
from gitops.core.argocd.health import Observation, ReleaseState
from gitops.core.argocd.progress import WaitProgress, WaitTerms


def run(
    terms: WaitTerms, readings: Sequence[tuple[float, ReleaseState | None]]
) -> list[str | None]:
    """Feed readings (None: one that failed), and return the verdict after each."""
    progress = WaitProgress(terms)
    verdicts: list[str | None] = []
    since: dict[str, float] = {}
    for at, state in readings:
        if state is not None:
            since.setdefault(state, at)
            time, begun = (T0 + timedelta(seconds=one) for one in (at, since[state]))
            ref = ApplicationRef("c", "argocd", "one")
            seen = Observation(ref, state, state, time, since=begun)
            progress = progress.read([seen], at=at)
        progress = progress.tick(at, unreadable=None if state is not None else "away")
        ending = progress.ending
        verdicts.append(ending.verdict if ending is not None else None)
    return verdicts


@pytest.mark.parametrize(
    ("state", "verdict"),
    [("progressing", "progressing"), ("syncing", "syncing"), (None, "unseen")],
)
def test_time_ends_it(state: ReleaseState | None, verdict: str) -> None:
    """When the time is over it ends with what was seen last, or with nothing."""
    readings = [(at, state) for at in (0.0, 5.0, 10.0)]

    assert run(WaitTerms(soak=0, timeout=10.0), readings) == [None, None, verdict]


def test_healthy_seconds_do_not_count() -> None:
    """A soak that is longer than the timeout ends as stable: only bad seconds use the time up."""
    readings: list[tuple[float, ReleaseState | None]] = [(float(at), "healthy") for at in range(33)]

    verdicts = run(WaitTerms(soak=30.0, timeout=5.0), readings)

    assert verdicts[-1] == "stable"
    assert set(verdicts[:-2]) == {None}


def test_without_record_healthy_is_enough() -> None:
    """Nobody writes a word and nobody asked for a soak: two Healthy readings end it."""
    readings: list[tuple[float, ReleaseState | None]] = [(0.0, "healthy"), (1.1, "healthy")]

    assert run(WaitTerms(0, 60.0, record=False), readings) == [None, "healthy"]


@pytest.mark.parametrize("state", ["superseded", "frozen"])
def test_ends_at_once(state: ReleaseState) -> None:
    """What waiting cannot change ends the wait at the first reading."""
    assert run(WaitTerms(0, 60.0), [(0.0, state)]) == [state]


def test_rests() -> None:
    """A failed reading is tried again after 2 s, an open one looked at before the time is over."""
    progress = WaitProgress(WaitTerms(0, 10.0))

    assert progress.tick(0.0, unreadable="away").due == 2.0
    assert progress.tick(0.0).tick(9.0).due == 1.0
    assert progress.due == 3.0
