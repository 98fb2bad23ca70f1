"""A small HTTP server that speaks JSON: routes, and a look at every request and answer."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Call:
    """A request: where it came in, and what it says."""

    verb: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]
    base: str


@dataclass
class Reply:
    """An answer."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Stop(Exception):
    """Raised by a handler: the answer is this one."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.reply = Reply(status, body)


Handler = Callable[..., Reply]
Watch = Callable[[Call, Reply], None]


class JsonServer:
    """Answers from `routes`: (verb, path pattern with `{name}`s) -> handler(call, *parts).

    Attributes:
        url: `http://127.0.0.1:PORT`.
        faults: what went wrong inside, and what a watch found: a test must look.
        calls: how many requests came.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.calls = 0
        self.watches: list[Watch] = []
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        self._lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> JsonServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def route(self, verb: str, pattern: str, handler: Handler) -> None:
        """Add a route; each `{}` takes one part between slashes, which may be quoted."""
        parts = re.escape(pattern).replace(r"\{\}", "([^/]+)")
        self._routes.append((verb, re.compile(parts), handler))

    def answer(self, call: Call) -> Reply:
        """Return the answer to a request; one after the other, as a database would."""
        with self._lock:
            self.calls += 1
            try:
                reply = self._answer(call)
            except Stop as stop:
                reply = stop.reply
            except Exception as error:  # a fault of the test's own server must be seen
                self.faults.append(f"{call.verb} {call.path}: {error!r}")
                return Reply(500, {"message": repr(error)})
            for watch in self.watches:
                watch(call, reply)
            return reply

    def _answer(self, call: Call) -> Reply:
        for verb, pattern, handler in self._routes:
            found = pattern.fullmatch(call.path)
            if found and verb == call.verb:
                return handler(call, *map(unquote, found.groups()))
        return Reply(404, {"message": "Not Found"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def _handler(server: JsonServer) -> type[BaseHTTPRequestHandler]:
    class Handling(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def _take(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            base = f"http://{self.headers['Host']}"
            headers = {key.lower(): value for key, value in self.headers.items()}
            body = json.loads(text) if text else None
            reply = server.answer(Call(self.command, parts.path, query, body, headers, base))
            self._say(reply)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take

        def _say(self, reply: Reply) -> None:
            text = b"" if reply.body is None else json.dumps(reply.body).encode()
            with suppress(ConnectionError):
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
                self.wfile.flush()

    return Handling
