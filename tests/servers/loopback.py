"""What the HTTP servers of the tests have in common: a port, a thread, and a quiet handler."""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Loopback:
    """An HTTP server of its own thread; a context manager.

    Attributes:
        port, url: where it listens; the URL is without a slash at the end.
        stopping: set when it ends, for handlers that wait.
    """

    def __init__(
        self,
        handler: type[BaseHTTPRequestHandler],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.stopping = threading.Event()
        self._server = _Server((host, port), handler)
        self.port: int = self._server.server_address[1]
        self.url = f"{'http' if tls is None else 'https'}://{host}:{self.port}"
        if tls is not None:
            # The thread of the connection shakes hands, so whoever stalls does so alone.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """A server whose `shutdown` always comes back."""

    request_queue_size = 256
    daemon_threads = True
    block_on_close = False

    def server_bind(self) -> None:
        """Bind; a caller that is gone before it is accepted would have it wait for the next one."""
        super().server_bind()
        self.socket.settimeout(1.0)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of callers that hang up, or that do not believe our certificate."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    """Keeps connections open, and answers in one piece; callers may have gone by then."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def read_body(self) -> bytes:
        """Return the body of the request, in chunks or in one piece."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def say(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Answer; the length of the body is added to the headers."""
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
