"""A server that answers so that nobody gets to the end of it: slowly, or without end."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_OPEN = OK + b"Connection: close\r\n\r\n"
_CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
_BLOCK = b"x" * (1 << 16)


def _forever(block: bytes, start: bytes = b"") -> Iterator[bytes]:
    yield start
    while True:
        yield block


def _bomb() -> Iterator[bytes]:
    packed = gzip.compress(b"[" + b" " * (1 << 22))
    yield OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed


def _nested() -> Iterator[bytes]:
    yield OK + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000


def _away() -> Iterator[bytes]:
    yield b"HTTP/1.1 301 Moved\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"


SLOW = {
    "in its headers": b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000,
    "in its body": _OPEN + b'{"a": "' + b"a" * 10_000,
    "in its chunks": _CHUNKED + b"000" * 10_000,
    "in its refusal": b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n" + b"a" * 10_000,
}
"""Answers that are sent a byte at a time, from the first header on or from the body on."""

ENDLESS = {
    "body": lambda: _forever(_BLOCK, _OPEN + b'{"a": "'),
    "chunks": lambda: _forever(b"10000\r\n" + _BLOCK + b"\r\n", _CHUNKED),
    "a size of a chunk": lambda: _forever(b"0" * (1 << 16), _CHUNKED),
    "headers": lambda: _forever(b"X-Header: " + b"a" * 60_000 + b"\r\n", OK),
    "a header": lambda: _forever(_BLOCK, OK + b"X-Header: "),
    "preliminary answers": lambda: _forever(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "a refusal": lambda: _forever(_BLOCK, b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n"),
    "what is packed": _bomb,
    "brackets": _nested,
    "redirects": _away,
}
"""Answers as fast as they are read, by what in them does not end."""


class Hostile:
    """Plays one answer to every request, on this machine; a context manager.

    Args:
        parts: makes the parts of the answer, for each request anew.
        pause: seconds between them.

    Attributes:
        sent: bytes that went out, of all answers.
        asked: set when a request has come.
    """

    def __init__(self, parts: object, pause: float = 0.0) -> None:
        self._parts = parts
        self._pause = pause
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = 0
        self.asked = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @classmethod
    def slow(cls, answer: bytes) -> Hostile:
        """Return one that sends a byte every 50 ms, after what may be the beginning of a body."""
        head, end, body = answer.partition(b"\r\n\r\n")
        start = head + end if end else b""
        rest = body if end else answer
        return cls(
            lambda: iter([start, *(rest[at : at + 1] for at in range(len(rest)))]), pause=0.05
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # Closing alone does not wake who waits for the next caller.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while not self._stopping.is_set():
                connection, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while not self._stopping.is_set():
                request = b""
                while b"\r\n\r\n" not in request:
                    got = connection.recv(1 << 16)
                    if not got:
                        return
                    request += got
                self.asked.set()
                for part in self._parts():  # type: ignore[operator]
                    connection.sendall(part)
                    self.sent += len(part)
                    if self._stopping.wait(self._pause):
                        return
