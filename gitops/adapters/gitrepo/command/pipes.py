"""What a running git is fed and says, in bounded memory: a server decides how much it says."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from contextlib import suppress
from select import PIPE_BUF
from typing import IO

from gitops.errors import Unavailable

_BEGIN, _END = 1 << 13, 1 << 15  # bytes that are kept of what git says on its standard error
_LOT = 1 << 16


def shortened(err: bytes) -> bytes:
    """Return what was said without the middle of a speech of a server that does not end."""
    if len(err) <= _BEGIN + _END:
        return err
    # Whole lines, or a half one would lose the `remote:` that tells who said it.
    begin, end = err[:_BEGIN], err[-_END:]
    return begin[: begin.rfind(b"\n") + 1] + end[end.find(b"\n") + 1 :]


class Speech:
    """The beginning and the end of a text; what lies between is dropped as it comes."""

    def __init__(self) -> None:
        self._begin = bytearray()
        self._end = bytearray()

    def add(self, said: bytes) -> None:
        """Add what was said next."""
        room = _BEGIN - len(self._begin)
        self._begin += said[:room]
        self._end += said[room:] if room > 0 else said
        if len(self._end) > 2 * _END:
            del self._end[: -_END - 1]  # one more than is kept: that it is long stays known

    def text(self) -> bytes:
        """Return it, without the middle where it is long."""
        return shortened(bytes(self._begin + self._end))


class Pipes:
    """The pipes of a child.

    Args:
        feed: its input.
        most: bytes that it may print on its standard output.
    """

    def __init__(self, child: subprocess.Popen[bytes], feed: bytes | None, most: int) -> None:
        self._child = child
        self._feed = memoryview(feed or b"")
        self._most = most
        self._printed = 0
        self._parts: list[bytes] = []
        self._said = Speech()
        self._selector: selectors.BaseSelector | None = None

    def finish(self, seconds: float) -> bool:
        """Go on until the child has ended; False when `seconds` were not enough: go on later.

        Raises Unavailable for a child that prints more than it may.
        """
        end = time.monotonic() + seconds
        selector = self._open()
        while selector.get_map():
            left = end - time.monotonic()
            if left <= 0:
                return False
            for key, _ in selector.select(left):
                self._serve(key.fileobj)  # type: ignore[arg-type]
        try:
            self._child.wait(max(end - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            return False
        selector.close()
        return True

    def heard(self) -> tuple[bytes, bytes]:
        """Return what it printed, and what it said on its standard error.

        Of a long speech there it is the beginning and the end.
        """
        return b"".join(self._parts), self._said.text()

    def _open(self) -> selectors.BaseSelector:
        if self._selector is None:
            self._selector = selectors.PollSelector()  # holds nothing open
            child = self._child
            if child.stdin is not None:
                if self._feed:
                    self._selector.register(child.stdin, selectors.EVENT_WRITE)
                else:
                    _close(child.stdin)
            for stream in (child.stdout, child.stderr):
                if stream is not None:
                    self._selector.register(stream, selectors.EVENT_READ)
        return self._selector

    def _serve(self, stream: IO[bytes]) -> None:
        if stream is self._child.stdin:
            self._write(stream)
            return
        data = os.read(stream.fileno(), _LOT)
        if not data:
            self._done(stream)
        elif stream is self._child.stderr:
            self._said.add(data)
        else:
            self._printed += len(data)
            if self._printed > self._most:
                raise Unavailable(f"git prints more than {self._most >> 20} MB, which is not read")
            self._parts.append(data)

    def _write(self, stream: IO[bytes]) -> None:
        try:
            written = os.write(stream.fileno(), self._feed[:PIPE_BUF])  # so much never blocks
        except BrokenPipeError:
            self._done(stream)
            return
        self._feed = self._feed[written:]
        if not self._feed:
            self._done(stream)

    def _done(self, stream: IO[bytes]) -> None:
        if self._selector is not None:
            self._selector.unregister(stream)
        _close(stream)


def _close(stream: IO[bytes]) -> None:
    with suppress(OSError):
        stream.close()
