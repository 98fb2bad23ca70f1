"""An HTTP server before another one, which can be told to lose answers, or to be busy."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import SplitResult, urlsplit

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


class FaultProxy:
    """Passes everything on to `upstream`; a context manager.

    Args:
        upstream: `http://` or `https://`, with host, port and possibly a folder.
        below: a folder that callers put before every path, and the server does not have.
        as_itself: tell the server its own name, not ours; then its answers hold its own URLs.

    Attributes:
        url: `http://127.0.0.1:PORT`, without a slash at the end.
        faults: those that still wait for their request.
        passed: what came so far.
        before: called with method and path before a request is passed on.
    """

    def __init__(self, upstream: str, *, below: str = "", as_itself: bool = False) -> None:
        self.upstream = urlsplit(upstream)
        self.below = below
        self.as_itself = as_itself
        self.faults: list[Fault] = []
        self.passed: list[Passed] = []
        self.before: Callable[[str, str], None] | None = None
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
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
            with suppress(ConnectionError):
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in _HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

    return Handler
