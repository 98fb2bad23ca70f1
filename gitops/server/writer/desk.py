"""Opens the writer when somebody writes first, and closes it when the server stops."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from gitops.errors import Unavailable
from gitops.server.writer.order import Call, CallOrder
from gitops.server.writer.writer import Writer
from gitops.wiring.kept import open_door


class Desk:
    """The writer of one repository and branch, for all threads."""

    def __init__(self, location: str, branch: str | None) -> None:
        self._where = location, branch
        self._lock = threading.Lock()
        self._opened = ExitStack()
        self._writer: Writer | None = None
        self._closed = False

    @property
    def writer(self) -> Writer | None:
        """The writer; None as long as nobody has written."""
        return self._writer

    def submit(self, order: CallOrder) -> Call:
        """Take up a call; see `Writer.submit`. Raises what opening a repository does, too."""
        return self._open().submit(order)

    def find(self, name: str) -> Call | None:
        """Return a call that runs, or was answered lately."""
        return self._writer.find(name) if self._writer is not None else None

    def look(self, order: CallOrder) -> Call:
        """Look in Git for a call, by its id; see `Writer.look`."""
        return self._open().look(order)

    def close(self, seconds: float = 20.0) -> bool:
        """Take nothing more, do what waits, and let go; False where something was left undone."""
        with self._lock:
            self._closed = True
        done = self._writer.drain(seconds) if self._writer is not None else True
        if done:
            self._opened.close()
        return done

    def _open(self) -> Writer:
        with self._lock:
            if self._writer is None:
                if self._closed:
                    raise Unavailable("the server is about to stop", hint="send it again")
                self._writer = Writer(self._opened.enter_context(open_door(*self._where)))
            return self._writer
