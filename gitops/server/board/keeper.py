"""Keeps the board: looks every 15 seconds, or sooner when woken."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from gitops.errors import GitopsError
from gitops.server.board.board import Board
from gitops.server.polling import Poller, due_after

EVERY = 15.0  # seconds between two looks
STALE = 60.0  # seconds without Git after which the page says so
_AT_MOST_EVERY = 1.0  # seconds; however often it is woken
_HEAR_AT_MOST_EVERY = 0.5

_log = logging.getLogger("gitops.server")


class BoardKeeper(Poller):
    """One thread that looks, and what it saw last; everything here may be called from any thread.

    `look` reads Git and what the clusters said; `listen` the clusters alone, of which somebody
    tells (`stir`) that there is news. A look that fails changes nothing but `trouble`: the page
    shows what was seen, and its age.

    Attributes:
        trouble: why the last look failed, None when it did not.
        error: the same with its reasons and the way out; None where it was a bug, too.
        seen_at: when the last look that worked was, UTC; None before it.
    """

    def __init__(
        self,
        look: Callable[[], Board],
        changed: Callable[[Board], None],
        *,
        every: float = EVERY,
        listen: Callable[[], Board] | None = None,
    ) -> None:
        super().__init__("gitops-board")
        self._look = look
        self._listen = listen or look
        self._at_git = True
        self._changed = changed
        self._every = every
        self._board: Board | None = None
        self._seen = time.monotonic()
        self.trouble: str | None = None
        self.error: GitopsError | None = None
        self.seen_at: datetime | None = None
        self._told_stale = False
        self.looks = 0

    def current(self) -> Board | None:
        """Return what was seen last; None before the first look."""
        return self._board

    def wake(self) -> None:
        """Look now: something is said to have changed."""
        self._at_git = True
        super().wake()

    def stir(self) -> None:
        """Listen to the clusters now: Git is not said to have changed."""
        super().wake()

    def age(self) -> float:
        """Return the seconds since the last look that worked (since the start, before that)."""
        return time.monotonic() - self._seen

    @property
    def is_stale(self) -> bool:
        """Whether Git has not answered for so long that people must know."""
        return self.age() > STALE

    def _keep(self) -> None:
        due = time.monotonic()
        while not self._stopping:
            begun = time.monotonic()
            self._wake.clear()
            at_git = self._at_git or self._board is None or begun >= due
            if at_git:
                self._at_git = False
                self._once()
                due = due_after(begun, self._every)
            else:
                self._hear()
            self._rest(due, begun + (_AT_MOST_EVERY if at_git else _HEAR_AT_MOST_EVERY))

    def _once(self) -> None:
        """Look at everything."""
        self.looks += 1
        board = self._read(self._look)
        if board is not None:
            self._seen, self.seen_at = time.monotonic(), datetime.now(UTC)
            self.trouble = self.error = None
            recovered, self._told_stale = self._told_stale, False
            self._show(board, recovered)

    def _hear(self) -> None:
        """Listen to the clusters."""
        board = self._read(self._listen)
        if board is not None:
            self._show(board, False)

    def _read(self, read: Callable[[], Board]) -> Board | None:
        try:
            return read()
        except GitopsError as error:
            self.error = error.with_traceback(None)
            self._fail(error.message)
        except Exception:  # noqa: BLE001 - one bad look must not end all others
            _log.exception("the board cannot be read")
            self.error = None
            self._fail("a bug in gitops; see the server's log")
        return None

    def _show(self, board: Board, recovered: bool) -> None:
        before, self._board = self._board, board
        if before is None or before.mark != board.mark or recovered:
            self._changed(board)

    def _fail(self, trouble: str) -> None:
        if self.trouble != trouble:
            _log.warning("the board cannot be read: %s", trouble)
        self.trouble = trouble
        if self._board is not None and self.is_stale and not self._told_stale:
            self._told_stale = True
            self._changed(self._board)
