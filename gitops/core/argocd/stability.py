"""From readings to an answer: what must be seen twice, and what must last.

A value that each reading moves on (`follow`). One reading proves nothing: Healthy is an answer
when it was read twice, a second apart; a release is stable when all of its Applications stayed
Healthy for the soak, and never before 5 s, since health lags a sync; it is degraded when that
lasted for 2 s, since just after a good change the old word is still there for a moment.

How long something lasts is told by the cluster's own times, so a watcher that was killed and
started again goes on where it was. Those are cut to whole seconds: one more is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.argocd.health import RANK, Observation

TWICE: Final = 1.0
"""Seconds between the two readings that make an answer."""

SHORTEST_SOAK: Final = 5.0
SHORTEST_FAILURE: Final = 2.0
_CUT = 1.0

StabilityAnswer = Literal["healthy", "stable", "degraded", "failed", "unrendered"]
"""What a release turned out to be: live and Healthy, that for the whole soak, or not."""

BAD: Final = frozenset({"degraded", "unrendered", "failed"})
"""The states that are answers, and no good ones."""


class Following(Struct, frozen=True):
    """One release of one overlay, followed from reading to reading.

    Attributes:
        observations: of the newest reading, one for each Application.
        healthy_from: monotonic seconds of the first reading of those that were all Healthy since.
        bad_from: the same for those in which the same Application was in the same bad state.
        bad: which one, and what.
        answered: it was seen live and Healthy twice, whatever came later.
        answer: None while it is not known.
    """

    observations: tuple[Observation, ...] = ()
    healthy_from: float | None = None
    bad_from: float | None = None
    bad: tuple[object, str] | None = None
    answered: bool = False
    answer: StabilityAnswer | None = None

    @property
    def worst(self) -> Observation | None:
        """The observation that speaks for all, None before the first reading."""
        return max(self.observations, key=lambda one: RANK[one.state], default=None)

    @property
    def steady(self) -> float:
        """Seconds for which all have been Healthy without a break, by the clusters' clocks."""
        return min((_lasted(one) or 0.0 for one in self.observations), default=0.0)


def follow(
    before: Following, observations: Sequence[Observation], *, at: float, soak: float
) -> Following:
    """Return what is known after one more reading.

    Args:
        at: monotonic seconds of the reading.
        soak: seconds for which it must stay Healthy to be stable; at least `SHORTEST_SOAK` count.
    """
    now = replace(before, observations=tuple(observations), answer=None)
    worst = now.worst
    if worst is None:
        return replace(now, healthy_from=None, bad_from=None, bad=None)
    if worst.state == "healthy":
        start = before.healthy_from if before.healthy_from is not None else at
        twice = at - start >= TWICE
        answered = before.answered or twice
        now = replace(now, healthy_from=start, bad_from=None, bad=None, answered=answered)
        # Without the cluster's word, our own readings say how long.
        lasted = min(_lasted(one, at - start + _CUT) for one in now.observations)
        if twice and lasted >= max(soak, SHORTEST_SOAK) + _CUT:
            return replace(now, answer="stable")
        return replace(now, answer="healthy" if answered else None)
    now = replace(now, healthy_from=None)
    if worst.state not in BAD or worst.inherited:
        return replace(now, bad_from=None, bad=None)
    key = (worst.ref, worst.state)
    start = before.bad_from if before.bad == key and before.bad_from is not None else at
    now = replace(now, bad_from=start, bad=key)
    if at - start < SHORTEST_FAILURE and _lasted(worst, 0.0) < SHORTEST_FAILURE + _CUT:
        return now
    match worst.state:
        case "degraded" | "unrendered" | "failed" as answer:
            return replace(now, answer=answer)
        case _:
            return now


def _lasted(one: Observation, unknown: float = 0.0) -> float:
    """Seconds since `since`, on the cluster's clock; `unknown` where it does not tell."""
    return (one.time - one.since).total_seconds() if one.since is not None else unknown
