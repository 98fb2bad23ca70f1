"""Repositories that stay open: one for each call that runs at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops.actions.context.session import Session

Opened = AbstractContextManager[Callable[[], "Session"]]


class _Door:
    def __init__(self, opened: Opened) -> None:
        self._stack = ExitStack()
        self.session = self._stack.enter_context(opened)

    def close(self) -> None:
        self._stack.close()


class Doors:
    """The kept repositories of `wiring.open_kept`; each serves one call at a time.

    There are never more than calls at once, which the threads of `Workers` bound.
    """

    def __init__(self, opener: Callable[[], Opened]) -> None:
        self._opener = opener
        self._lock = threading.Lock()
        self._idle: list[_Door] = []
        self._closed = False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Lend the session of one call. Raises what opening a repository does."""
        with self._lock:
            door = self._idle.pop() if self._idle else None
        door = door or _Door(self._opener())
        sound = False
        try:
            yield door.session()
            sound = True
        finally:
            # What ended in an error may have left half of a conversation on the connection.
            with self._lock:
                sound = sound and not self._closed
                if sound:
                    self._idle.append(door)
            if not sound:
                door.close()

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for door in idle:
            door.close()
