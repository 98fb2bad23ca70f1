"""Repositories that stay open for calls: as many as are needed, and no longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

from gitops.server.workers import Doors

if TYPE_CHECKING:
    from gitops.actions.context.session import Session


class Opener:
    """Opens what counts as a repository, and tells which of them are open."""

    def __init__(self) -> None:
        self.count = 0
        self.open: set[int] = set()

    @contextmanager
    def __call__(self) -> Iterator[Callable[[], Session]]:
        self.count += 1
        number = self.count
        self.open.add(number)
        try:
            yield lambda: cast("Session", number)
        finally:
            self.open.remove(number)


def test_what_a_crowd_needed_is_closed_when_it_is_gone() -> None:
    """Eight calls at once need eight; one after the other need one, which stays open."""
    opener, clock = Opener(), [0.0]
    doors = Doors(opener, lambda: clock[0])
    with ExitStack() as crowd:
        for _ in range(8):
            crowd.enter_context(doors.session())
    assert len(opener.open) == 8

    for _ in range(60):
        clock[0] += 15.0
        with doors.session():
            pass
    assert len(opener.open) == 1
    assert opener.count == 8
    doors.close()
    assert not opener.open


def test_what_is_needed_now_and_then_stays_open() -> None:
    """A crowd that comes back within minutes opens nothing anew."""
    opener, clock = Opener(), [0.0]
    doors = Doors(opener, lambda: clock[0])
    for _ in range(5):
        clock[0] += 200.0
        with ExitStack() as crowd:
            for _ in range(4):
                crowd.enter_context(doors.session())
    assert opener.count == len(opener.open) == 4
