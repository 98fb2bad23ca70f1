"""Headers of every answer: what a browser may do with it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from gitops.server.security.refusals import App, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
"""Nothing inline, nothing evaluated, nothing from elsewhere, in nobody's frame."""

_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_SECURE: Final = {"strict-transport-security": "max-age=31536000"}


class SafeAnswers:
    """Adds the headers; what says itself how long it may be kept, is kept."""

    def __init__(self, app: App, *, is_https: bool) -> None:
        self._app = app
        headers = {**_HEADERS, **(_SECURE if is_https else {})}
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                kept = (
                    [] if own & {b"cache-control", b"etag"} else [(b"cache-control", b"no-store")]
                )
                message["headers"] = [*message["headers"], *self._headers, *kept]
            await send(message)

        await self._app(scope, receive, with_headers)
