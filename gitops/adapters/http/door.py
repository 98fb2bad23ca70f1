"""Requests to one machine at a time: bounded answers, one deadline, no redirect followed unasked.

httpx2's transport is used without its client, which would carry credentials and cookies on its own
terms, and takes a quarter more time. A proxy of the environment is used for whatever is not this
machine; the authorities are those that the rest of gitops trusts.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import httpx2
from msgspec import Struct

from gitops.adapters.http.tls import ca_file
from gitops.core.images.name import is_loopback

USER_AGENT = "gitops"
_LONGEST_SILENCE = 15.0
"""Seconds that nothing may come, when the call has that many left."""


class NoResponse(Exception):
    """No answer came, or none that could be read; a write may have happened all the same."""

    def __init__(self, words: str, *, late: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.late = late


class Response(Struct, frozen=True):
    """One answer.

    Attributes:
        headers: names in lower case.
        body: whole, or `b""` of a HEAD.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Deadline:
    """When one call must be over, on the machine's monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; below zero when it is over."""
        return self.end - time.monotonic()


class HttpDoor:
    """Sends requests, and hangs up when the time of a call is over; for several threads.

    Args:
        within: seconds that a call may take, from which the watch over late ones is derived.
    """

    def __init__(self, environ: Mapping[str, str], within: float) -> None:
        self._environ = environ
        self._lock = threading.Lock()
        self._transports: dict[str, httpx2.HTTPTransport] = {}
        self._sockets: WeakSet[Any] = WeakSet()
        self._open: dict[int, Deadline] = {}
        self._pause = min(0.25, within / 4)
        self._done = threading.Event()
        self._watch: threading.Thread | None = None
        self._trust: ssl.SSLContext | None = None

    def close(self) -> None:
        """Hang up."""
        self._done.set()
        with self._lock:
            transports, self._transports = list(self._transports.values()), {}
        for transport in transports:
            transport.close()

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        most: int,
        deadline: Deadline,
    ) -> Response:
        """Send one request and return the answer, of at most `most` bytes. Raises NoResponse."""
        parts = urlsplit(url)
        if deadline.left <= 0:
            raise NoResponse("the time for it is over", late=True)
        with self._lock:
            transport = self._transport(parts)
            self._open[id(deadline)] = deadline
        silence = max(min(deadline.left, _LONGEST_SILENCE), 0.01)
        try:
            request = httpx2.Request(
                method,
                url,
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers},
                content=body,
                extensions={
                    "timeout": dict.fromkeys(("connect", "read", "write", "pool"), silence),
                    "trace": self._see,
                },
            )
            answer = transport.handle_request(request)
            try:
                return _read(answer, most, deadline)
            finally:
                answer.close()
        except httpx2.TimeoutException:
            raise NoResponse("nothing came in time", late=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            if deadline.left <= 0:
                raise NoResponse("it was not over in time", late=True) from None
            raise NoResponse(_cause(error)) from None
        except ValueError as error:  # headers that are none
            raise NoResponse(str(error)) from None
        finally:
            with self._lock:
                self._open.pop(id(deadline), None)

    def _transport(self, parts: SplitResult) -> httpx2.HTTPTransport:
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._transports:
            if self._watch is None:
                self._watch = threading.Thread(target=self._cut_late_ones, daemon=True)
                self._watch.start()
            if parts.scheme == "https" and self._trust is None:
                self._trust = ssl.create_default_context(cafile=ca_file(self._environ))
            self._transports[origin] = httpx2.HTTPTransport(
                verify=self._trust if self._trust is not None else False,
                trust_env=False,
                proxy=self._proxy(parts),
            )
        return self._transports[origin]

    def _proxy(self, parts: SplitResult) -> str | None:
        if is_loopback(parts.netloc):
            return None
        named = getproxies()
        if proxy_bypass(parts.hostname or ""):
            return None
        return named.get(parts.scheme) or named.get("all")

    def _see(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember each connection, so that it can be cut."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            socket = info["return_value"].get_extra_info("socket")
            if socket is not None:
                with self._lock:
                    self._sockets.add(socket)

    def _cut_late_ones(self) -> None:
        """End answers that drip: each byte comes in time, and the last one never would."""
        import socket

        while not self._done.wait(self._pause):
            with self._lock:
                late = any(deadline.left <= 0 for deadline in self._open.values())
                lines = list(self._sockets) if late else []
            for line in lines:
                try:
                    line.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


def _read(answer: httpx2.Response, most: int, deadline: Deadline) -> Response:
    headers = {key.lower(): value for key, value in answer.headers.items()}
    if headers.get("content-encoding", "identity") != "identity":
        raise NoResponse("it is compressed, which nobody asked for")
    content = bytearray()
    for chunk in answer.stream:  # type: ignore[union-attr]
        content += chunk
        if len(content) > most:
            raise NoResponse(f"it is longer than {most} bytes")
        if deadline.left <= 0:
            break
    if deadline.left <= 0:  # also what was cut: an answer without a length ends there
        raise NoResponse("it was not over in time", late=True)
    return Response(answer.status_code, headers, bytes(content))


def _cause(error: Exception) -> str:
    """Return what went wrong at first."""
    reason: BaseException = error
    while reason.__context__ is not None:
        reason = reason.__context__
    return str(reason) or type(reason).__name__
