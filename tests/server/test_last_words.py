"""The last words of pods on an overlay's page: read once, and told when a page did not wait."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gitops.errors import Unavailable
from gitops.server.board import last_words
from gitops.server.board.last_words import LastWordsReader
from loops import finish

CELL: Any = SimpleNamespace(
    label="web/dev", environment=None, applications=[SimpleNamespace(state="degraded", ref="web")]
)


@pytest.mark.parametrize("fails", [False, True])
def test_a_page_that_gave_up_is_told(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    """Once it was read; where it could not be, nobody is sent to ask for it again and again."""
    monkeypatch.setattr(last_words, "_PATIENCE", 0.0)
    told: list[str] = []

    async def look() -> Any:
        answers = asyncio.Event()

        async def run(_read: Any) -> tuple[()]:
            await answers.wait()
            if fails:
                raise Unavailable("too much is asked for at once")
            return ()

        anything: Any = object()
        reader = LastWordsReader(run, lambda: anything, told.append)
        found = await reader.of(anything, CELL)
        assert told == []
        answers.set()
        await asyncio.sleep(0.01)
        return found

    assert finish(look(), 10) is None
    assert told == ([] if fails else ["web/dev"])
