"""Whose turn it is among writers that know nothing of each other. Pure.

Every commit of gitops says how long its writer had waited: its time, beside the time in its
`Gitops-Id`. A writer that loses compares that with how long it waits itself: whoever waits longer
than those who get through tries again sooner, whoever came later leaves them the way.
"""

from __future__ import annotations

from collections.abc import Sequence

from gitops.core.git.commit import made_at
from gitops.core.git.message import trailers

_EVEN = 1.4  # times as long as a winner: until there all are alike, as in a burst
_SOONEST, _LATEST = 0.02, 6.0
_UNIT = 0.5  # seconds: times of commits are whole seconds
_LATELY = 10.0  # seconds for which a commit tells how crowded it is
_ALONE = 2.0  # seconds that a writer may take without a crowd
_COURTESY = 5.0


def waited(message: str, written: float) -> float | None:
    """Return how many seconds the writer of a commit had waited, None where it does not tell.

    Args:
        written: when the commit was made, in whole seconds since 1970; by the clock of its writer,
            as the id is, so that no two clocks are compared.
    """
    ids = trailers(message).get("Gitops-Id", ())
    made = made_at(ids[-1]) if ids else None
    if made is None or not 0.0 <= written + 1.0 - made < 86_400.0:
        return None
    return max(written + _UNIT - made, _UNIT)


def pause_factor(waits: float, winners: Sequence[float]) -> float:
    """Return how much longer, or shorter, a writer should pause than one that is like all others.

    Args:
        waits: seconds that it waits already.
        winners: what those had waited who got the branch before it, oldest first; the newest
            counts most.
    """
    usual = 0.0
    for one in winners:
        usual = one if usual == 0.0 else (usual + one) / 2
    if usual == 0.0:
        return 1.0
    share = waits / usual
    if share > _EVEN:
        return float(max((_EVEN / share) ** 2, _SOONEST))
    return float(min((1.0 / max(share, 0.1)) ** 2, _LATEST)) if share < 1.0 else 1.0


def courtesy(ago: float, winner: float | None) -> float:
    """Return the seconds, at most, that somebody new leaves to those who wait already.

    Who remembers the newest commit needs no look before a push, so newcomers would get through
    before all who must look. 0: nobody seems to wait.

    Args:
        ago: how long ago the newest known commit was made.
        winner: what its writer had waited, None where it does not tell.
    """
    if winner is None or winner <= _ALONE or not 0.0 <= ago < _LATELY:
        return 0.0
    return min(winner / 2, _COURTESY)
