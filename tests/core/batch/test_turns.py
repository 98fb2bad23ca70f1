"""Whose turn it is: whoever waits longer than the winners comes sooner, also without a server."""

from __future__ import annotations

import random

import pytest

from gitops.core.batch.turns import courtesy, pause_factor, waited
from gitops.core.git.commit import timed_id


def said(made: float) -> str:
    """Return the message of a commit of an intent that was made then."""
    return f"dev: api 1 -> 2\n\nGitops-Id: {timed_id(made, bytes(10))}\n"


@pytest.mark.parametrize(
    ("message", "written", "seconds"),
    [
        (said(1_000_000.25), 1_000_012.0, 12.25),
        (said(1_000_000.9), 1_000_000.0, 0.5),  # the time of a commit has no fractions
        (said(1_000_000.0), 999_000.0, None),
        (said(1_000_000.0), 9_000_000.0, None),
        ("by hand\n", 1_000_000.0, None),
        ("x\n\nGitops-Id: 0123456789abcdef\n", 1_000_000.0, None),
    ],
)
def test_how_long_somebody_waited(message: str, written: float, seconds: float | None) -> None:
    """It is told by the id and the time of one commit; nonsense tells nothing."""
    assert seconds == waited(message, written)


def test_pauses_shrink_with_age() -> None:
    """Alone, and among equals, nothing changes; the longer one waits the shorter is the pause."""
    assert 1.0 == pause_factor(5.0, [])
    assert 1.0 == pause_factor(5.0, [5.0]) == pause_factor(6.9, [5.0])
    factors = [pause_factor(waits, [4.0, 6.0]) for waits in (0.0, 1.0, 4.0, 5.0, 8.0, 20.0, 90.0)]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] <= 6.0
    assert factors[-1] == 0.02


@pytest.mark.parametrize(
    ("ago", "winner", "seconds"),
    [(1.0, 8.0, 4.0), (1.0, 60.0, 5.0), (1.0, 1.5, 0.0), (1.0, None, 0.0), (60.0, 8.0, 0.0)],
)
def test_newcomers_leave_the_way(ago: float, winner: float | None, seconds: float) -> None:
    """Only where somebody has just landed who had waited for long, and never for long."""
    assert seconds == courtesy(ago, winner)
    assert courtesy(-1.0, winner) == 0.0


_TRY = 0.12  # seconds from looking to pushing


def played(seed: int, *, fair: bool) -> tuple[float, float]:
    """Return median and 99th percentile of waits where 24 writers always want one branch.

    A try wins when nobody else has won since it began. Who has won is followed by somebody new.
    """
    draw = random.Random(seed)
    won, last = -1.0, 0.0
    # When the try is over, since when the writer waits, and what it saw of winners.
    tries: list[tuple[float, float, list[float]]] = []
    for number in range(24):
        tries.append((_TRY + number / 100, 0.0, []))
    waits: list[float] = []
    while len(waits) < 1500:
        tries.sort()
        now, born, seen = tries.pop(0)
        if now - _TRY >= won:
            waits.append(now - born)
            won, last = now, max(now - born, 0.5)
            start = now + draw.uniform(0.1, 0.5)
            tries.append((start + _TRY, start, []))
            continue
        seen = [*seen[-5:], last]
        factor = pause_factor(now - born, seen) if fair else 1.0
        longest = min(max(0.3 * len(seen), 3 * _TRY) * factor, 10.0)
        tries.append((now + draw.uniform(0.0, longest) + _TRY, born, seen))
    waits.sort()
    return waits[len(waits) // 2], waits[int(len(waits) * 0.99)]


def test_nobody_starves_under_a_steady_load() -> None:
    """Where new writers keep coming the unluckiest waits a few times as long as the middle one."""
    for seed in range(3):
        middle, longest = played(seed, fair=True)
        assert longest < 6 * middle
        assert longest < 0.7 * played(seed, fair=False)[1]
