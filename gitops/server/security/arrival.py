"""Connections that send no whole request in time are closed: each takes a file handle from all."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_WITHIN: Final = 15.0  # seconds
_MOST_FILES: Final = 65_536
_FOR_OURSELVES: Final = 256  # handles that Git, clusters and registries have at the least


class TimelyRequests(H11Protocol):
    """uvicorn's protocol, with a time for the head of each request."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first one."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEADERS_WITHIN, transport.close)

    def data_received(self, data: bytes) -> None:
        """Take it in; what is whole by then is waited for no longer."""
        super().data_received(data)
        is_whole = self.conn.their_state is not h11.IDLE or not self.conn.trailing_data[0]
        if is_whole and self._late is not None:
            self._late.cancel()
            self._late = None
        elif not is_whole and self._late is None:
            self._late = self.loop.call_later(HEADERS_WITHIN, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)


def most_connections() -> int:
    """Ask for as many file handles as may be had; return how many connections that allows."""
    import resource  # where there are such limits: not on every system

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = _MOST_FILES if soft == resource.RLIM_INFINITY else soft
    return max(files - _FOR_OURSELVES, files // 2)
