"""How long a writer that lost a race pauses, and when it gives up."""

from __future__ import annotations

from gitops.actions.context.session import Session
from gitops.core.text.plain import count
from gitops.errors import Conflict, TryAgain
from gitops.ports import Lost

_STEP = 0.3  # seconds that the longest pause grows with each try

_SHARES = (2.0, 3.0)  # of the time that a lost race took: after the first one, and later

_LONGEST = 10.0


def moved_on(session: Session, branch: str, pushes: int, lost: Lost) -> Conflict:
    """Return the error of a write that only lost races."""
    return Conflict(
        f"{branch} of {session.repository.describe()} kept moving: "
        f"{pushes} pushes lost in {session.budget:.0f} s ({lost.words})",
        hint="nothing was written; run the same command again, or give it more time with "
        "--push-timeout",
    )


class Attempts:
    """The tries of one call, within its budget: pauses between them grow with what races take.

    Each try begins with `begin`. Whoever is not through says why, with `lost` or `failed`: these
    pause before the next try, or raise what they are given when the time is over.

    Attributes:
        deadline: when the budget is spent, by the monotonic clock.
    """

    def __init__(self, session: Session, deadline: float | None = None) -> None:
        """Begin now; `deadline`: of the call that these tries are a part of."""
        self._session = session
        self._clock = session.clock
        self._number = 0
        self._began = 0.0
        self._since = self._clock.monotonic()
        self._winners: list[float] = []
        self.deadline = self._since + session.budget if deadline is None else deadline

    def begin(self) -> int:
        """Begin a try; return its number, from 1."""
        self._number += 1
        self._began = self._clock.monotonic()
        return self._number

    @property
    def took(self) -> float:
        """Seconds since this try began."""
        return self._clock.monotonic() - self._began

    def left(self, error: TryAgain) -> float:
        """Return the seconds that are left; raise `error` when there are none."""
        left = self.deadline - self._clock.monotonic()
        if left <= 0:
            raise error
        return left

    def lost(self, error: TryAgain, winner: float | None = None) -> None:
        """Pause after a lost race.

        The more writers there are the longer each try takes, and the more of them must keep out of
        the way for one to get through. Whoever waits longest pauses shortest: `winner` is how many
        seconds somebody had waited who got the branch, None where nobody knows.
        """
        from gitops.core.batch.turns import pause_factor  # most calls lose no race

        if winner is not None:
            self._winners.append(winner)
        waits = self._clock.monotonic() - self._since
        self._pause(error, self.took, pause_factor(waits, self._winners))

    def failed(self, error: TryAgain) -> None:
        """Pause after a server that did not answer, or not yet; whoever waits is told."""
        self.tell(error)
        self._pause(error, 0.0)

    def tell(self, error: TryAgain) -> None:
        """Tell whoever waits how often it was tried, and how much time is left.

        When none is, raise `error`, which then says how often it was tried.
        """
        tries = count(self._number, "try", "tries")
        if error.hint is None and self.deadline <= self._clock.monotonic():
            error.hint = (
                f"{tries} in {self._session.budget:.0f} s; --push-timeout gives it more time"
            )
        left = self.left(error)
        gone = max(self._session.budget - left, 0.0)
        self._session.retry(
            error.message, f"trying again ({tries}, {gone:.0f} s gone, {left:.0f} s left)"
        )

    def _pause(self, error: TryAgain, took: float, factor: float = 1.0) -> None:
        left = self.left(error)
        share = _SHARES[min(self._number, len(_SHARES)) - 1]
        longest = max(_STEP * self._number, share * took) * factor
        self._clock.pause(min(longest, _LONGEST, left))
