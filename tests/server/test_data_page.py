"""The page of the data checks, on a small repository with a test that reaches real data."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

import pytest
from starlette.testclient import TestClient

from gitops.ports.renderer import Build, BuildFile
from gitops.server.app import create_app
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings
from gitrepos import Repo
from server.conftest import ORIGIN, await_board

CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: test, overlay: overlays/test, database: dummy}
  - {name: prod, overlay: overlays/prod, database: real}
databases:
  - {class: real, hosts: ["*.prod-db.example.com"]}
  - {class: dummy, hosts: ["*.test-db.example.com"]}
"""
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata:\n  DB_HOST: %s\n"


class _Renderer:
    """Builds an overlay of one file, when it is let."""

    name = "kustomize"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.built = 0

    def build(self, files: Mapping[str, BuildFile], directory: str) -> Build:
        assert self.go.wait(60)
        self.built += 1
        return Build(files[f"{directory}/map.yaml"].content.decode())


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch) -> _Renderer:
    """What the server finds in place of kustomize."""
    made = _Renderer()
    monkeypatch.setattr("gitops.wiring.open_renderer", lambda **_: made)
    monkeypatch.setattr("gitops.server.board.data_checks._PATIENCE", 0.0)
    return made


@pytest.fixture
def page(repo: Repo) -> Iterator[TestClient]:
    """A browser on the server of that repository."""
    files: dict[str, bytes | None] = {"gitops.yaml": CONFIG.encode()}
    for name, host in (("test", "a.prod-db.example.com"), ("prod", "b.prod-db.example.com")):
        files[f"overlays/{name}/kustomization.yaml"] = b"resources: [map.yaml]\n"
        files[f"overlays/{name}/map.yaml"] = (MAP % host).encode()
    repo.commit(files, "start\n")
    service = Service(ServerSettings(str(repo.path), Listen("127.0.0.1", 8080)))
    with TestClient(create_app(service), base_url=ORIGIN) as made:
        await_board(service)
        yield made


def _settled(page: TestClient) -> str:
    """Return the page once it has been checked."""
    end = time.monotonic() + 60
    while "Refresh" in (answer := page.get("/data")).headers:
        assert time.monotonic() < end
    return answer.text


def test_an_environment_at_the_wrong_database_is_told_with_its_place(
    page: TestClient, renderer: _Renderer
) -> None:
    """While it is checked the page says so and comes again; then a tip is built once."""
    assert 'href="/data"' in page.get("/").text
    first = page.get("/data")
    assert "Being checked" in first.text
    assert first.headers["Refresh"] == "3"

    renderer.go.set()
    text = _settled(page)
    assert "real database: host a.prod-db.example.com" in text
    assert "<code>overlays/test/map.yaml:5</code>" in text
    assert "host b.prod-db.example.com" not in text
    assert "dummy data" in text
    assert "2 overlays were built" in text
    assert page.get("/data").text.count("dummy environment reaches") == 1
    assert renderer.built == 2


def test_without_kustomize_the_page_says_so(
    page: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is left waiting for what cannot be done."""
    monkeypatch.setattr("gitops.wiring.open_renderer", lambda **_: None)
    text = _settled(page)
    assert "It cannot be checked: no kustomize is at hand" in text
    assert "install kustomize or kubectl" in text


def test_without_databases_the_page_teaches(shop: TestClient) -> None:
    """It says what to write, and the navigation does not name it."""
    assert "databases: [{class: real" in shop.get("/data").text
    assert 'href="/data"' not in shop.get("/").text
