"""Every link of every page followed: nothing is written by looking."""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from starlette.routing import Route
from starlette.testclient import TestClient

from gitops.server.acts.requests import BODIES
from gitops.server.app import create_app
from gitops.server.security.answers import POLICY
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings, parse_settings
from manifests import Manifests

HERE = "http://127.0.0.1:8080"
MOST = 150  # pages; the links of the sample are some dozens
_STREAMS = ("/events", "/v1/events")
_ALIKE = 3  # addresses of one act that are followed in the story, and releases
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


def test_looking_at_every_act_changes_nothing(story: Path) -> None:
    """What any act would do is shown to whoever follows links, and stays undone."""
    before = everything(story)
    service = Service(ServerSettings(str(story), Listen("127.0.0.1", 8080), demo=True))
    with TestClient(create_app(service), HERE, follow_redirects=False) as client:
        end = time.monotonic() + 60
        while service.board.current() is None and time.monotonic() < end:
            time.sleep(0.01)
        forms = {kind for kind, page in walk(client) if 'name="mark"' in page}
    assert set(BODIES) - {"promote"} == forms - {""}  # no promotion is open in the story
    assert before == everything(story)


def everything(repository: Path) -> str:
    """Return each ref with what it names, and how many objects there are."""
    asked = ("for-each-ref", "count-objects")
    return "".join(
        subprocess.run(
            ["git", "-C", str(repository), one], capture_output=True, text=True, check=True
        ).stdout
        for one in asked
    )


def walk(client: TestClient) -> Iterator[tuple[str, str]]:
    """Follow links from the board, a few of each kind; yield each page with its kind."""
    waiting = ["/", "/e/dev/mail/deploy?image=shop/mail&tag=9.9.9"]
    seen: set[str] = set()
    kinds = Counter[str]()
    while waiting:
        path = waiting.pop(0)
        parts = urlsplit(path).path.split("/")
        kind = next((part for part in parts if part in {*BODIES, "r"}), "")
        if path in seen or (kind and kinds[kind] >= _ALIKE):
            continue
        seen.add(path)
        kinds[kind] += 1
        answer = client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        if "text/html" in answer.headers["content-type"]:
            yield kind, answer.text
            waiting += links_of(path, answer.text)


def test_a_stranger_learns_nothing(manifests: Manifests, tmp_path: Path) -> None:
    """No page and no document says what there is, not even in its frame or in its error."""
    (tmp_path / "secret").write_text("s" * 40)
    settings = (
        "trustedProxies: [192.0.2.1]\n"
        f"proxySignIn: {{secretHeader: X-Secret, secretFile: {tmp_path}/secret}}\n"
    )
    file = parse_settings(settings.encode(), "settings.yaml")
    service = Service(ServerSettings(str(manifests.path), Listen("127.0.0.1", 8080), file=file))
    app = create_app(service)
    commit = manifests.git("rev-parse", "main").strip()
    with TestClient(app, HERE, follow_redirects=False) as client:
        end = time.monotonic() + 20
        while service.board.current() is None and time.monotonic() < end:
            time.sleep(0.01)
        for path in own_paths(app.routes):
            answer = client.get(path)
            if path not in ("/healthz", "/readyz", "/metrics", "/favicon.ico"):
                assert answer.status_code in (401, 404), path
            for secret in (manifests.path.name, commit[:7], "shop/api", "overlays"):
                assert secret not in answer.text, path
        for path in _STREAMS:
            assert client.get(path).status_code == 401


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
        waiting += links_of(path, answer.text)
    return seen


def links_of(path: str, page: str) -> list[str]:
    """Return the paths of ours that a page leads to."""
    found = []
    for link in re.findall(r"(?:href|src|hx-get)=\"([^\"]*)\"", page):
        where = urlsplit(urljoin(f"{HERE}{path}", unescape(link)))
        if f"{where.scheme}://{where.netloc}" == HERE:
            found.append(where.path + (f"?{where.query}" if where.query else ""))
    return found
