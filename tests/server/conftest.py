"""A server on the story of the demo, told once for all that only look; a repository for writes."""

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
from gitrepos import ENVIRON, Repo
from server_calls import crowd
from servers.git_http import GitServer

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


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """Eight apps in dev and prod."""
    for name, value in {**ENVIRON, "GIT_COMMITTER_NAME": "Gitops"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GITOPS_CACHE", "off")
    return crowd(Repo.bare(tmp_path / "m.git"))


@pytest.fixture
def server(repo: Repo) -> Iterator[GitServer]:
    """A Git server of its own."""
    with GitServer(repo.path.parent) as server:
        yield server
