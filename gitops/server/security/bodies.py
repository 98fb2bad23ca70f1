"""Bodies of requests end: by their size, and in time, however they are sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.requests import Request

from gitops.server.security.refusals import (
    App,
    BodyTooLarge,
    BodyTooSlow,
    Receive,
    Refuse,
    Scope,
    Send,
    values_of,
)

FORM = 64 << 10  # bytes of what a page sends
DOCUMENT = 1 << 20  # bytes of what programs send
LONGEST = 30.0  # seconds until all of it is there
_PROGRAMS = ("/v1/", "/hooks/")


class BodyBounds:
    """Refuses what says that it is larger, and cuts off what turns out to be."""

    def __init__(self, app: App, *, refuse: Refuse) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on with a body that ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = DOCUMENT if scope["path"].startswith(_PROGRAMS) else FORM
        error = BodyTooLarge(f"the request has more than {most >> 10} KiB")
        if any(
            not one.isdecimal() or int(one[:20]) > most
            for one in values_of(scope, b"content-length")
        ):
            await self._refuse(Request(scope), error)(scope, receive, send)
            return
        left, begun, more = most, False, True
        end = time.monotonic() + LONGEST

        async def bounded() -> MutableMapping[str, Any]:
            nonlocal left, more
            try:
                patience = max(end - time.monotonic(), 0.0) if more else None
                message = await asyncio.wait_for(receive(), patience)
            except TimeoutError:
                raise BodyTooSlow(f"the request took longer than {LONGEST:.0f} s") from None
            more = bool(message.get("more_body"))
            left -= len(message.get("body", b""))
            if left < 0:
                raise error
            return message

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, bounded, watched)
        except (BodyTooLarge, BodyTooSlow) as found:
            if begun:
                raise
            await self._refuse(Request(scope), found)(scope, receive, send)
