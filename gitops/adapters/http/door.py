"""Requests with bounded answers, one deadline, no redirect followed, lines kept open.

The standard library's client: a deploy asks one small question, a cleaner thousands. A proxy of the
environment is used for whatever is not this machine; the authorities are those that the rest of
gitops trusts.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from gitops.adapters.http.answers import AnswerRefused, BoundedResponse
from gitops.adapters.http.tls import ca_file
from gitops.core.text.hosts import is_loopback

if TYPE_CHECKING:
    import ssl
    from socket import socket

_ONCE = ("POST", "PATCH")  # on a new line, so that its end never makes a second one
_LONGEST_SILENCE = 15.0
"""Seconds that one answer may take, when the call has that many left."""


class NoResponse(Exception):
    """No answer came, or none that could be read; a write may have happened all the same.

    Attributes:
        late: the time was over.
        unsent: there was no connection, so nothing was sent.
    """

    def __init__(self, words: str, *, late: bool = False, unsent: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.late = late
        self.unsent = unsent


class _Unreached(OSError):
    """There is no connection."""


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


class _Answer(BoundedResponse):
    longest = 16 << 20  # of the wire; what is wanted of it is said for each request


class _Plain(HTTPConnection):
    response_class = _Answer


class _Secure(HTTPSConnection):
    response_class = _Answer


class _Proxy(Struct, frozen=True):
    host: str
    port: int
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"


class HttpDoor:
    """Sends requests, and is over when the time of a call is; for several threads."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._has_proxies = any(name.lower().endswith("_proxy") for name in environ)
        self._lock = threading.Lock()
        self._idle: dict[str, list[HTTPConnection]] = {}
        self._trust: ssl.SSLContext | None = None

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            lines = [line for idle in self._idle.values() for line in idle]
            self._idle.clear()
        for line in lines:
            line.close()

    def adopt(self, origin: str, sock: socket) -> None:
        """Take a connection to `origin` that somebody else made, for the next request."""
        line = self._open(urlsplit(origin))
        line.sock = sock
        with self._lock:
            self._idle.setdefault(origin, []).append(line)

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
        origin = f"{parts.scheme}://{parts.netloc}"
        target, word = self._target(parts)
        given = {"User-Agent": "gitops", "Accept-Encoding": "identity", **word, **headers}
        if any("\n" in value or "\r" in value for value in given.values()):
            # `http.client` would quote it in its error.
            raise NoResponse("a token or another header has a line end in it", unsent=True)
        while True:
            if deadline.left <= 0:
                raise NoResponse("the time for it is over", late=True, unsent=True)
            with self._lock:
                kept = None if method in _ONCE else self._idle.get(origin)
                line = kept.pop() if kept else None
            is_kept = line is not None
            line = line or self._open(parts)
            try:
                answer = _exchange(line, method, target, given, body, most, deadline)
            except BaseException as error:
                line.close()
                # A line that was kept may have been closed meanwhile; a new one says more.
                if is_kept and isinstance(error, (ConnectionError, HTTPException)):
                    continue
                if isinstance(error, (AnswerRefused, HTTPException, OSError, ValueError)):
                    raise _no_response(error, deadline) from None
                raise
            if line.sock is not None:
                with self._lock:
                    self._idle.setdefault(origin, []).append(line)
            return answer

    def _target(self, parts: SplitResult) -> tuple[str, Mapping[str, str]]:
        """Return what stands behind the method, and what a proxy that is asked itself is told."""
        proxy = self._proxy(parts) if parts.scheme == "http" else None
        if proxy is not None:
            return parts._replace(fragment="").geturl(), proxy.headers
        return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/", {}

    def _open(self, parts: SplitResult) -> HTTPConnection:
        host, proxy = parts.hostname or "", self._proxy(parts)
        if parts.scheme == "http":
            return _Plain(proxy.host, proxy.port) if proxy else _Plain(host, parts.port)
        with self._lock:
            if self._trust is None:
                import ssl  # a server on this machine needs none

                self._trust = ssl.create_default_context(cafile=ca_file(self._environ))
        if proxy is None:
            return _Secure(host, parts.port, context=self._trust)
        line = _Secure(proxy.host, proxy.port, context=self._trust)
        line.set_tunnel(host, parts.port, dict(proxy.headers))
        return line

    def _proxy(self, parts: SplitResult) -> _Proxy | None:
        if not self._has_proxies or is_loopback(parts.netloc):
            return None
        from urllib.request import getproxies, proxy_bypass  # takes time, and most have no proxy

        found = getproxies()
        text = found.get(parts.scheme) or found.get("all")
        if not text or proxy_bypass(parts.hostname or ""):
            return None
        try:
            where = urlsplit(text if "://" in text else f"http://{text}")
            who = f"{unquote(where.username or '')}:{unquote(where.password or '')}"
            word = {"Proxy-Authorization": f"Basic {b64encode(who.encode()).decode()}"}
            return _Proxy(where.hostname or "", where.port or 80, word if where.username else {})
        except ValueError:
            raise NoResponse("the proxy of the environment is no URL") from None


def _exchange(
    line: HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | None,
    most: int,
    deadline: Deadline,
) -> Response:
    seconds = max(min(deadline.left, _LONGEST_SILENCE), 0.01)
    line.timeout = seconds
    if line.sock is None:
        try:
            line.connect()
        except OSError as error:
            raise _Unreached(str(error) or type(error).__name__) from error
    line.sock.settimeout(seconds)
    line.request(method, target, body, dict(headers))
    # The time of the answer begins with it; what connecting took is over.
    line.sock.settimeout(max(min(deadline.left, _LONGEST_SILENCE), 0.01))
    with line.getresponse() as answer:
        content = answer.read(most + 1)
        if len(content) > most:
            line.close()
            raise AnswerRefused(f"it is longer than {most} bytes")
        told = {key.lower(): value for key, value in answer.getheaders()}
        return Response(answer.status, told, content)


def _no_response(error: Exception, deadline: Deadline) -> NoResponse:
    unsent = isinstance(error, _Unreached)
    cause = error.__cause__ if unsent else error
    late = isinstance(cause, TimeoutError) or deadline.left <= 0
    return NoResponse(str(error) or type(error).__name__, late=late, unsent=unsent)
