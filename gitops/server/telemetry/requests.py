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
        status, begun = 500, time.monotonic()

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._tell(scope, status, time.monotonic() - begun)

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
