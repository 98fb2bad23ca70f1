"""The board in memory: looks that fail, streams that are told, and a stop with all of them open."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gitops.errors import Unavailable
from gitops.server.board import keeper as keeping
from gitops.server.board.hub import EventHub
from gitops.server.board.keeper import BoardKeeper
from loops import finish

sys.path.insert(0, str(Path(__file__).parent))
from live import serving


class _Look:
    """A board whose mark can be changed, or a Git that is away."""

    def __init__(self) -> None:
        self.mark = "one"
        self.trouble: str | None = None

    def __call__(self) -> Any:
        if self.trouble is not None:
            raise Unavailable(self.trouble)
        return self

    def __repr__(self) -> str:
        return self.mark


def test_git_that_is_away_is_told_once_and_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen stays; after a minute everybody is told, and again when Git is back."""
    now = [0.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    look, told = _Look(), []
    keeper = BoardKeeper(look, told.append)

    keeper._once()
    look.trouble = "no connection"
    for _ in range(6):
        now[0] += 15
        keeper._once()

    assert keeper.current() is look
    assert keeper.trouble == "no connection"
    assert keeper.is_stale
    assert len(told) == 2

    look.trouble = None
    keeper._once()
    keeper._once()
    assert (keeper.trouble, keeper.is_stale, len(told)) == (None, False, 3)


def test_a_bug_in_a_look_does_not_end_all_others() -> None:
    """The next look is made, whatever the one before raised."""
    keeper = BoardKeeper(lambda: 1 / 0, lambda _: None)  # type: ignore[arg-type, return-value]

    keeper._once()

    assert keeper.current() is None
    assert "bug" in (keeper.trouble or "")


def test_a_slow_listener_keeps_the_newest_of_each_kind() -> None:
    """However much is published, what waits for one tab stays small."""

    async def listen() -> list[tuple[str, str]]:
        hub = EventHub()
        hub.open()
        listener, leave = hub.subscribe()
        for number in range(1_000):
            hub.publish("board", str(number))
        hub.publish("seen", "now")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        taken = await listener.take()
        leave()
        assert hub.listening == 0
        return taken

    assert finish(listen()) == [("board", "999"), ("seen", "now")]


def test_it_stops_with_streams_open(story: Path) -> None:
    """uvicorn alone would wait for them for ever; each gets an end, and soon."""
    with serving(str(story)) as service:
        address = ("127.0.0.1", service.settings.listen.port)
        opened = [socket.create_connection(address, timeout=10) for _ in range(20)]
        for one in opened:
            one.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % address[1])
            while b"event: board" not in one.recv(65_536):
                pass
        begun = time.monotonic()

    assert time.monotonic() - begun < 3
    for one in opened:
        rest = b""
        while chunk := one.recv(65_536):
            rest += chunk
        assert rest.endswith(b"0\r\n\r\n")
        one.close()
