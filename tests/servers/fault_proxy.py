"""An HTTP server before another one, which can be told to lose answers, or to be busy."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from servers.loopback import Handler, Loopback

_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


@dataclass(frozen=True)
class Passed:
    """A request that came, and the status that it was answered with (0: the answer was lost)."""

    method: str
    path: str
    status: int


@dataclass
class Fault:
    """What happens to the next request that fits, in place of a plain answer.

    Attributes:
        fits: says which requests are meant.
        cut: let it happen, then close the connection without a word.
        status, headers, body: answered without asking the server.
        hang: never answer, until the proxy ends.
        times: how many requests.
    """

    fits: Callable[[str, str], bool]
    cut: bool = False
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b'{"message": "no"}'
    hang: bool = False
    times: int = 1


class FaultProxy(Loopback):
    """Passes everything on to `upstream`; a context manager.

    Args:
        upstream: `http://` or `https://`, with host, port and possibly a folder.
        below: a folder that callers put before every path, and the server does not have.
        as_itself: tell the server its own name, not ours; then its answers hold its own URLs.

    Attributes:
        faults: those that still wait for their request.
        passed: what came so far.
        before: called with method and path before a request is passed on.
    """

    def __init__(self, upstream: str, *, below: str = "", as_itself: bool = False) -> None:
        super().__init__(_handler(self))
        self.upstream = urlsplit(upstream)
        self.below = below
        self.as_itself = as_itself
        self.faults: list[Fault] = []
        self.passed: list[Passed] = []
        self.before: Callable[[str, str], None] | None = None
        self._lock = threading.Lock()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that is meant for a request, and count it."""
        with self._lock:
            for fault in self.faults:
                if fault.fits(method, path):
                    fault.times -= 1
                    if not fault.times:
                        self.faults.remove(fault)
                    return fault
        return None


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(str(url.hostname), url.port)


def _handler(proxy: FaultProxy) -> type[Handler]:
    class Passing(Handler):
        def _pass(self) -> None:
            body = self.read_body()
            if proxy.before is not None:
                proxy.before(self.command, self.path)
            fault = proxy.take(self.command, self.path)
            if fault is not None and fault.hang:
                proxy.stopping.wait()
                self.close_connection = True
                return
            if fault is not None and fault.status:
                self._say(fault.status, list(fault.headers), fault.body)
                return
            status, headers, answer = self._upstream(body)
            if fault is not None and fault.cut:
                proxy.passed.append(Passed(self.command, self.path, 0))
                self.close_connection = True
                return
            self._say(status, headers, answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass

        def _upstream(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            to = _connection(proxy.upstream)
            path = proxy.upstream.path.rstrip("/") + self.path.removeprefix(proxy.below)
            headers = dict(self.headers.items())
            headers["Accept-Encoding"] = "identity"
            if proxy.as_itself:
                headers["Host"] = proxy.upstream.netloc
            try:
                to.request(self.command, path, body or None, headers)
                answer = to.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            finally:
                to.close()

        def _say(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            proxy.passed.append(Passed(self.command, self.path, status))
            self.say(status, [one for one in headers if one[0].lower() not in _HOP], body)

    return Passing
