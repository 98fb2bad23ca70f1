"""Middleware that counts each request, and logs who asked for what and how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gitops.core.text.plain import one_line
from gitops.server.telemetry.metrics import Metrics

_log = logging.getLogger("gitops.server.requests")
QUIET = ("/healthz", "/readyz", "/metrics", "/static")
_KNOWN = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class NotedAnswer:
    """Passes an answer on, and keeps its status: 500 where none has begun."""

    def __init__(self, send: Send) -> None:
        self.status = 500
        self._send = send

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Pass a part of it on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class TellsRequests:
    """Tells of each request when it is answered, the outermost of all."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer, begun = NotedAnswer(send), time.monotonic()
        try:
            await self._app(scope, receive, answer)
        finally:
            self._tell(scope, answer.status, time.monotonic() - begun)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = method_of(scope), route_of(scope)
        self._metrics.answered(method, route, status, seconds)
        if route in QUIET and status != 500:  # not ready is an answer, too
            return
        person = scope.get("state", {}).get("person")
        _log.log(
            logging.ERROR if status >= 500 else logging.INFO,
            "%s %s %s",
            method,
            one_line(scope["path"], 200),
            status,
            extra={
                "method": method,
                "route": route,
                "path": one_line(scope["path"], 200),
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                "person": person.id if person is not None else None,
            },
        )


def method_of(scope: Scope) -> str:
    """Return the method, or `other` for what is none."""
    return str(scope["method"]) if scope["method"] in _KNOWN else "other"


def route_of(scope: Scope) -> str:
    """Return the pattern that a path fits: their number is ours, not a stranger's."""
    found = scope.get("route")
    if found is not None:
        return str(found.path)
    return "/static" if scope["path"].startswith("/static/") else "none"
