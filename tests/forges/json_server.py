"""A small HTTP server that speaks JSON: routes, and a look at every request and answer."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from servers.loopback import Handler, Loopback


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


Route = Callable[..., Reply]
Watch = Callable[[Call, Reply], None]


class JsonServer(Loopback):
    """Answers from `routes`: (verb, path pattern with `{name}`s) -> handler(call, *parts).

    Attributes:
        url: `http://127.0.0.1:PORT`.
        faults: what went wrong inside, and what a watch found: a test must look.
        calls: how many requests came.
    """

    def __init__(self) -> None:
        super().__init__(_handler(self))
        self.faults: list[str] = []
        self.calls = 0
        self.watches: list[Watch] = []
        self._routes: list[tuple[str, re.Pattern[str], Route]] = []
        self._lock = threading.RLock()

    def route(self, verb: str, pattern: str, handler: Route) -> None:
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


def _handler(server: JsonServer) -> type[Handler]:
    class Handling(Handler):
        def _take(self) -> None:
            text = self.read_body()
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            base = f"http://{self.headers['Host']}"
            headers = {key.lower(): value for key, value in self.headers.items()}
            body = json.loads(text) if text else None
            reply = server.answer(Call(self.command, parts.path, query, body, headers, base))
            kind = {"Content-Type": "application/json; charset=utf-8"}
            answer = b"" if reply.body is None else json.dumps(reply.body).encode()
            self.say(reply.status, [*kind.items(), *reply.headers.items()], answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take

    return Handling
