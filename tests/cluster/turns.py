"""Whose turn it is in the cluster that all workers share: of many tests, or of one alone.

Tests have names of their own, so they do not see each other; but one that stops a component stops
it under all of them. Such a test is marked `alone`: it begins when the others have ended, and no
other one begins before its end.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from servers.sharing import run_folder

MARK = "alone"

_mine = False


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Wait for a turn, and have it.

    Who waits to be alone keeps the door meanwhile: else those who come could keep it out for ever.
    """
    global _mine
    folder = run_folder()
    folder.mkdir(exist_ok=True)
    with (folder / "cluster.room").open("w") as room:
        with (folder / "cluster.door").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        _mine = alone
        try:
            yield
        finally:
            _mine = False


def count_one() -> int:
    """Count a turn that is over, and return how many are, in all workers of this run."""
    with (run_folder() / "cluster.turns").open("ab", buffering=0) as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)
        turns.write(b".")
        return turns.tell()


def is_alone() -> bool:
    """Say whether the test that runs here has the cluster to itself."""
    return _mine
