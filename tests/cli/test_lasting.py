"""Commands that go on look for garbage as they go."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gitops.cli.commands import serve
from gitops.cli.lasting import ALLOCATIONS, last


class Circle:
    """Something that holds itself, as a call and what it read do."""

    alive = 0

    def __init__(self) -> None:
        self.me = self
        Circle.alive += 1

    def __del__(self) -> None:
        Circle.alive -= 1


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave the other tests as they were, beginning as a call does (`gitops/__main__.py`)."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_garbage_does_not_pile_up() -> None:
    """Of many calls that are over only the last few are still there."""
    last()
    for _ in range(10 * ALLOCATIONS):
        Circle()
    assert Circle.alive < 2 * ALLOCATIONS


def test_the_server_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on for weeks."""
    seen: list[int] = []
    monkeypatch.setattr(
        "gitops.server.run.serve", lambda *_: seen.append(gc.get_threshold()[0]), raising=True
    )
    serve._run(serve.ServeOptions(listen="127.0.0.1:0"), "/nowhere")
    assert [ALLOCATIONS] == seen
