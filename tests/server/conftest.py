"""A server on the story of the demo, told once for all tests of the pages that only look."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gitops.server.app import create_app
from gitops.server.demo.story import tell_story
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings

ORIGIN = "http://127.0.0.1:8080"


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of the story; nobody writes to it."""
    return tell_story(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="session")
def shop(story: Path) -> Iterator[TestClient]:
    """A browser without JavaScript, as Ana, after the first look at Git."""
    service = Service(ServerSettings(str(story), Listen("127.0.0.1", 8080), demo=True))
    browser = {"Sec-Fetch-Site": "same-origin"}
    with TestClient(create_app(service), base_url=ORIGIN, headers=browser) as made:
        await_board(service)
        yield made


def await_board(service: Service) -> None:
    """Wait for the first look at Git."""
    deadline = time.monotonic() + 20
    while service.board.current() is None:
        assert time.monotonic() < deadline, service.board.trouble
        time.sleep(0.01)
