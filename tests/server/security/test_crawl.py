"""Every link of every page followed: nothing is written by looking."""

from __future__ import annotations

import re
import time
from html import unescape
from urllib.parse import urljoin, urlsplit

from starlette.routing import Route
from starlette.testclient import TestClient

from gitops.server.app import create_app
from gitops.server.security.answers import POLICY
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings
from manifests import Manifests

HERE = "http://127.0.0.1:8080"
MOST = 150  # pages; the links of the sample are some dozens
_STREAMS = ("/events", "/v1/events")
_PARTS = {"env": "test", "environment": "test", "app": "shop", "verb": "hold"}


def test_every_get_changes_nothing(manifests: Manifests) -> None:
    """Chat and mail scanners follow every link, with whatever rights a browser has."""
    manifests.gitops("deploy", "shop/api:9.9.9", "--to", "test")
    before = manifests.git("for-each-ref")
    service = Service(ServerSettings(str(manifests.path), Listen("127.0.0.1", 8080)))
    app = create_app(service)
    with TestClient(app, HERE, follow_redirects=False) as client:
        end = time.monotonic() + 20
        while service.board.current() is None and time.monotonic() < end:
            time.sleep(0.01)
        seen = crawl(client, ["/", *own_paths(app.routes)])
    assert "/" in seen
    assert before == manifests.git("for-each-ref")


def own_paths(routes: list[object]) -> list[str]:
    """Return a path for each route that is no stream, with the sample's names filled in."""
    paths = [one.path for one in routes if isinstance(one, Route) and "GET" in (one.methods or ())]
    filled = [re.sub(r"{(\w+)[^}]*}", lambda it: _PARTS.get(it[1], "x"), path) for path in paths]
    return [path for path in filled if path not in _STREAMS]


def crawl(client: TestClient, paths: list[str]) -> set[str]:
    """Get every page that is linked; return the paths."""
    waiting, seen = list(paths), set()
    while waiting and len(seen) < MOST:
        path = waiting.pop(0)
        if path in seen or urlsplit(path).path in _STREAMS:
            continue
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code < 500 or answer.status_code == 503, f"{path}: {answer.text}"
        assert POLICY == answer.headers["content-security-policy"]
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        assert not re.search(r"<[^>]*\s(style|on\w+)=|<script>|<style", answer.text), path
        for link in re.findall(r"(?:href|src|hx-get)=\"([^\"]*)\"", answer.text):
            where = urlsplit(urljoin(f"{HERE}{path}", unescape(link)))
            if f"{where.scheme}://{where.netloc}" == HERE:
                waiting.append(where.path + (f"?{where.query}" if where.query else ""))
    return seen
