"""`/events`: one stream for each tab, which tells that something changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from gitops.core.text.plain import timestamp
from gitops.errors import Unavailable
from gitops.server.board.hub import BEAT
from gitops.server.workers import CALLER

if TYPE_CHECKING:
    from gitops.server.service import Service

MOST_STREAMS = 2_000
MOST_OF_ONE = 500
"""Of one caller: a person's tabs, or all who only look through one proxy."""

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event_routes(service: Service) -> list[BaseRoute]:
    """Return `/events`.

    Events: `board` (what is shown has changed; its data is the mark of the board), `seen` (the time
    of the last look at Git), `words` (what pods of an overlay said last was read after all; its
    label). Whoever shows an older board than the
    one that is known, or says nothing of it, is told at once: so nobody needs what they missed.
    """

    async def events(request: Request) -> Response:
        caller = CALLER.get()
        if service.hub.listening >= MOST_STREAMS or service.hub.listens(caller) >= MOST_OF_ONE:
            raise Unavailable("too many pages listen at once")
        mark = request.headers.get("last-event-id") or request.query_params.get("mark")
        return StreamingResponse(
            _stream(service, mark, caller), media_type="text/event-stream", headers=_HEADERS
        )

    return [Route(path, events, methods=["GET"]) for path in ("/events", "/v1/events")]


async def _stream(service: Service, mark: str | None, caller: str | None) -> AsyncIterator[str]:
    listener, leave = service.hub.subscribe(caller)
    try:
        yield ": hello\n\n"
        board = service.board.current()
        if board is not None and board.mark != mark:
            yield _event("board", board.mark)
        while not service.hub.closed:
            try:
                events = await asyncio.wait_for(listener.take(), BEAT)
            except TimeoutError:
                yield ": beat\n\n" + _seen(service.board.seen_at)
                continue
            for name, data in events:
                yield _event(name, data)
    finally:
        leave()


def _event(name: str, data: str) -> str:
    identity = f"id: {data}\n" if name == "board" else ""
    return f"{identity}event: {name}\ndata: {data}\n\n"


def _seen(moment: datetime | None) -> str:
    return _event("seen", timestamp(moment)) if moment is not None else ""
