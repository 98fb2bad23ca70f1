"""How long a writer that lost a race pauses, and when it gives up."""

from __future__ import annotations

from gitops.actions.context.session import Session
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


def pause(
    session: Session, deadline: float, tries: int, error: TryAgain, took: float = 0.0
) -> None:
    """Pause before try number `tries` + 1, or raise `error` when the budget is spent.

    `took` are the seconds that a lost race lasted. The more writers there are the longer each try
    takes, and the more of them must keep out of the way for one to get through.
    """
    left = deadline - session.clock.monotonic()
    if left <= 0:
        raise error
    share = _SHARES[min(tries, len(_SHARES)) - 1]
    session.clock.pause(min(max(_STEP * tries, share * took), _LONGEST, left))
