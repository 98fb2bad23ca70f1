"""Clients of httpx, with answers that end.

Its time limits are those of one read, and nothing between its reads can be asked. So a watch stands
beside each request, and when the time is over it hangs up.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx

from gitops.adapters.http.answers import LONGEST_OF_FORGES, check_encoding, too_long


class Watchdog:
    """Hangs up on a server whose answer does not end; belongs to one client.

    Args:
        seconds: returns the time that the next request may take, with its answer.

    Attributes:
        is_over: the last request was ended because of its time.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._sockets: list[Any] = []
        self._timer: threading.Timer | None = None
        self.is_over = False

    def begin(self, request: Any) -> None:
        """Watch a request; for the client's `event_hooks`."""
        self.end()
        seconds = self._seconds()
        phases = ("connect", "read", "write", "pool")
        request.extensions = {
            **request.extensions,
            "timeout": dict.fromkeys(phases, seconds),
            "trace": self._trace,
        }
        request.headers["Accept-Encoding"] = "identity"
        self.is_over = False
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def read(self, response: Any) -> None:
        """Read an answer to its end; for the client's `event_hooks`."""
        check_encoding(response.headers.get("content-encoding"))
        response.stream = _Stream(response.stream, LONGEST_OF_FORGES)
        response.read()

    def end(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()

    def _trace(self, event: str, info: Any) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            found = info["return_value"].get_extra_info("socket")
            self._sockets = [one for one in self._sockets if one.fileno() >= 0] + [found]

    def _hang_up(self) -> None:
        self.is_over = True
        for one in self._sockets:
            with suppress(OSError):
                # Not `SSLSocket.shutdown`: that takes the layer above away from who is reading.
                socket.socket.shutdown(one, socket.SHUT_RDWR)


class _Stream(httpx.SyncByteStream):
    """The bytes of an answer, up to so many."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream = stream
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        left = self._most
        for part in self._stream:
            left -= len(part)
            if left < 0:
                raise too_long(self._most)
            yield part

    def close(self) -> None:
        self._stream.close()
