"""An answer over HTTP that ends, for whatever reads answers with `http.client`.

That are urllib, urllib3, and so requests and the Kubernetes client. Their time limits are those of
one read, so that a byte a second never ends, and none of them limits a size: not that of a body, a
line of chunks, or of preliminary answers (status 1xx) one after the other. Here the time that the
socket got holds from the first byte that is waited for to the last, headers included.

No compressed answer is asked for, and one that comes is refused: a few bytes could become
gigabytes.
"""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from typing import Any

LONGEST_ANSWER = 1 << 26
"""Bytes of one answer: 5,000 Applications of a usual size."""

LONGEST_OF_FORGES = 1 << 24
"""Bytes of one answer of a forge: a page of pull requests with the longest texts there may be."""

_LONGEST_HEADERS = 1 << 20  # with those of all preliminary answers


class AnswerRefused(Exception):
    """An answer that is not read to its end; no error of HTTP, so no library acts on it."""


def too_long(most: int) -> AnswerRefused:
    """Return the error for an answer of more than `most` bytes."""
    return AnswerRefused(f"it answers with more than {most >> 20} MB, which is not read")


def check_encoding(encoding: str | None) -> None:
    """Raise AnswerRefused when an answer is encoded in a way that nobody asked for."""
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        raise AnswerRefused("it sends a compressed answer, which was not asked for")


class BoundedResponse(HTTPResponse):
    """An answer that takes no longer, as a whole, than its socket's time limit.

    Attributes:
        longest: bytes of the body, as it is sent.
    """

    longest = LONGEST_ANSWER

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        self._reader = _Reader(sock, _LONGEST_HEADERS)
        source: Any = _Source(self._reader)
        super().__init__(source, *args, **kwargs)

    def begin(self) -> None:
        """Read the headers."""
        super().begin()
        self._reader.allow(self.longest)
        check_encoding(self.headers.get("Content-Encoding"))


class _Source:
    """Stands for a socket where an answer is read: gives the file, and nothing else."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


class _Reader(io.RawIOBase):
    """Reads a socket until its time is over, or the size reached."""

    def __init__(self, sock: Any, most: int) -> None:
        super().__init__()
        self._sock = sock
        self._most = self._left = most
        timeout = sock.gettimeout()
        self._end = None if timeout is None else time.monotonic() + timeout
        # The socket's own file keeps it open until the answer is read, also after its `close`.
        self._file = sock.makefile("rb", buffering=0)

    def allow(self, most: int) -> None:
        """Let so many bytes more come."""
        self._most = self._left = most

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._file.fileno())

    def readinto(self, buffer: Any) -> int | None:
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
        count: int | None = self._file.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            raise too_long(self._most)
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
