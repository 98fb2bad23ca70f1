"""What a waiting person is told on standard error, a line each; of tries one line that counts."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from gitops.core.text.plain import harmless, one_line

_AFTER, _EVERY = 1.0, 0.1  # seconds: short work is not counted, and no terminal keeps up with all
_UP = "\x1b[1A\r\x1b[K"  # back to the line before, and empty it
_WIDEST = 1000


class Progress:
    """Says things as they come.

    On a terminal the line that counts tries is written over and over. Elsewhere nothing that was
    printed can be taken back, so the count comes with try 1, 2, 4, 8 and so on.

    Args:
        stream: where it goes; None: standard error, as it is at the time.
        rewrites: a terminal that can go back a line; None: look.
        clock: tells seconds.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        rewrites: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._given = stream
        self._clock = clock
        self._rewrites = rewrites
        self._said: set[str] = set()
        self._trouble: str | None = None
        self._tries = 0
        self._over = False  # the counting line is the last one
        self._doing: str | None = None
        self._since = self._shown = 0.0
        self._counts = False  # the line that counts work is the last one

    @property
    def _stream(self) -> TextIO:
        return self._given if self._given is not None else sys.stderr

    def say(self, text: str) -> None:
        """Print one line. What each try says anew is left out after the first."""
        line = one_line(text)
        self._counts = False
        if self._trouble is not None and line in self._said:
            return
        self._said.add(line)
        self._over = False
        self._print(line)

    def retry(self, trouble: str, tries: str) -> None:
        """Tell of one more try for the same trouble, or of the first one for another."""
        self._counts = False
        if trouble != self._trouble:
            self._trouble, self._tries, self._over = trouble, 0, False
        self._tries += 1
        if self._can_rewrite():
            # What is wider than the terminal would take two lines, of which one stayed.
            import shutil  # only who sees a terminal

            room = shutil.get_terminal_size().columns - len("… ") - 1
            self._print(one_line(f"{tries}: {trouble}", max(room, 20)), over=self._over)
            self._over = True
        elif self._tries & (self._tries - 1) == 0:
            self._print(one_line(f"{trouble}; {tries}", _WIDEST))

    def count(self, doing: str, done: int, total: int) -> None:
        """Tell how far some work is, on a terminal, where it takes more than a second.

        `total` is 0 where nobody knows it. When all is done the line goes.
        """
        now = self._clock()
        if doing != self._doing:
            self._doing, self._since = doing, now
        if total and done >= total:
            if self._counts:
                self._write(_UP)
            self._doing, self._counts = None, False
        elif now - self._since >= _AFTER and now - self._shown >= _EVERY and self._can_rewrite():
            self._shown = now
            number = f"{done:,} of {total:,}" if total else f"{done:,}"
            self._print(one_line(f"{doing}: {number}"), over=self._counts)
            self._counts, self._over = True, False

    def _can_rewrite(self) -> bool:
        if self._rewrites is not None:
            return self._rewrites
        return self._stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def _print(self, line: str, *, over: bool = False) -> None:
        start = _UP if over else ""
        self._write(f"{start}… {harmless(line)}\n")

    def _write(self, text: str) -> None:
        with suppress(OSError):  # who cannot be told is not told; the work goes on
            print(text, end="", file=self._stream, flush=True)
