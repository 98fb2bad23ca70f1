"""The pages on the story of the demo: each tells what Git says, and where to go on."""

from __future__ import annotations

import csv
import gettext
import hashlib
import io
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gitops.server.app import create_app
from gitops.server.pages.board_page import ShownBoard, shown_board
from gitops.server.pages.language import choose_language
from gitops.server.pages.render import STATIC
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings
from gitrepos import Repo

ROOT = Path(__file__).parents[2]
KOREAN = ROOT / "gitops/server/pages/locales/ko/LC_MESSAGES/gitops.po"
PAGES = [
    *(
        "/",
        "/e/prod",
        "/e/prod/api",
        "/a/web",
        "/proposals",
        "/holds",
        "/images",
        "/data",
        "/releases",
        "/alerts",
    ),
    *("/audit", "/preferences", "/?q=web&show=bad", "/e/stage/payments", "/insights"),
    *("/insights?environment=prod&since=30d", "/insights?environment=prod&app=mail&since=7d"),
]
VOID = {"meta", "link", "input", "br", "path", "circle", "rect", "img"}


class _Checker(HTMLParser):
    """Notes what a strict policy forbids, ids that stand twice, and elements left open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.wrong += [f"{tag} {name}" for name in given if name == "style" or name[:2] == "on"]
        if tag == "script" and "src" not in given:
            self.wrong.append("inline script")
        if (name := given.get("id")) is not None:
            self.ids.append(name)
        if tag == "a" and (href := given.get("href")):
            self.links.add(href)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes another element")


def checked(page: str) -> _Checker:
    """Return what was found on a page."""
    checker = _Checker()
    checker.feed(page)
    return checker


def text_of(page: str) -> str:
    """Return what stands on a page, without elements."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


@pytest.mark.parametrize("address", PAGES)
def test_pages_are_sound(shop: TestClient, address: str) -> None:
    """Nothing inline that a strict policy forbids, no id twice, nothing left open."""
    answer = shop.get(address)

    assert answer.status_code == 200
    found = checked(answer.text)
    assert found.wrong == []
    assert len(found.ids) == len(set(found.ids))
    assert found.open == []


def test_every_link_leads_somewhere(shop: TestClient) -> None:
    """All links of all pages that lead to pages of this room are there, and change nothing."""
    seen: set[str] = set()
    wait = ["/"]
    while wait:
        address = wait.pop()
        releases = sum("/r/" in one for one in seen)
        if address in seen or not address.startswith("/") or _is_act(address):
            continue
        if "/r/" in address and releases >= 10:
            continue
        seen.add(address)
        answer = shop.get(address)
        assert answer.status_code == 200, address
        if answer.headers["content-type"].startswith("text/html"):
            wait += checked(answer.text).links

    assert len([one for one in seen if "/r/" in one]) == 10
    assert "/audit.csv" in seen


def _is_act(address: str) -> bool:
    verbs = "rollback|undo|hold|resume|promote|approve|close|qa|deploy"
    return re.search(rf"/({verbs})(\?|$)", address) is not None


def test_the_board_tells_what_needs_a_look(shop: TestClient) -> None:
    """Degraded, held, proposed and behind stand in their cells, and as numbers in the filters."""
    page = shop.get("/")

    assert "<title>(2) shop · gitops</title>" in page.text
    assert "favicon-bad" in page.text
    text = text_of(page.text)
    assert "Needs a look 2" in text
    assert "Held 2" in text
    assert "1.4.0 proposed" in text
    assert 'href="/e/dev/web/rollback"' in page.text


def test_searches_keep_little_and_read_overlays_once(
    shop: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is remembered for its board: with no more than its page shows, whoever asks for what."""
    found: list[ShownBoard] = []

    def noted(*args: Any) -> ShownBoard:
        found.append(shown_board(*args))
        return found[-1]

    monkeypatch.setattr("gitops.server.pages.routes.shown_board", noted)
    assert 'href="/a/api"' in shop.get("/?q=inc-42&page=7").text
    monkeypatch.setattr("gitops.server.pages.board_page.describe_value", None)
    assert "Nothing fits" in shop.get("/?q=inc-43&page=7").text
    assert [(), ()] == [tuple(one.cells) for one in found]


def test_a_filter_and_a_search_show_what_fits(shop: TestClient) -> None:
    """Rows that fit stay; none is an empty state with the way back."""
    bad = text_of(shop.get("/?show=bad").text)
    nobody = shop.get("/?q=nobody+has+this").text

    assert "payments" in bad
    assert "mail" not in bad
    assert "Nothing fits" in nobody
    assert 'href="/a/api"' in shop.get("/?q=inc-42").text
    assert 'href="/a/mail"' not in shop.get("/?q=inc-42").text


def test_environments_are_hidden_and_shown(shop: TestClient) -> None:
    """The address says which; hidden ones count nowhere, and a search keeps them hidden."""
    page = shop.get("/?hide=dev,moon&show=bad").text

    assert 'data-env="dev"' not in page
    assert 'data-env="prod"' in page
    assert 'href="/?show=bad&amp;hide=moon"' in page
    assert 'name="hide" value="dev,moon"' in page
    assert "Needs a look 1" in text_of(page)
    assert 'href="/?hide=stage"' in shop.get("/").text


def test_images_say_where_they_run(shop: TestClient) -> None:
    """Each value with the overlays that pin it; a search finds by name and by tag."""
    text = text_of(shop.get("/images").text)
    assert "shop/worker" in text
    assert "worker/prod" in text

    found = shop.get("/images?q=shop/worker+1.3.4").text
    assert 'href="/e/prod/worker"' in found
    assert "shop/api" not in text_of(found).partition("Images shop/")[2]
    assert "Nothing fits" in shop.get("/images?q=nobody").text


def test_a_timeline_tells_who_why_and_what(shop: TestClient) -> None:
    """The rollback with its reason, what it put back, and what the watcher saw before."""
    text = text_of(shop.get("/e/prod/api").text)

    assert "Rolled back runs now stable shop/api 1.5.0 → to 1.4.0 INC-42" in text
    assert "gitops watch: Deployment api: CrashLoopBackOff" in text
    assert "Held by Ana" in text
    assert "Undo the rollback" in text


def test_a_release_shows_the_whole_commit(shop: TestClient) -> None:
    """Images before, then and now, and the message with its trailers."""
    page = shop.get("/e/prod/api").text
    found = re.search(r"/e/prod/api/r/[0-9a-f]{40}", page)
    assert found is not None

    text = text_of(shop.get(found[0]).text)

    assert "Gitops-Action: rollback" in text
    assert shop.get(found[0][:-33]).status_code == 200
    assert shop.get("/e/prod/api/r/0000000").status_code == 404
    assert shop.get("/e/prod/api/r/..%2f..%2fHEAD").status_code == 404


def test_proposals_of_the_person_come_first(shop: TestClient) -> None:
    """What waits, with what it would change."""
    text = text_of(shop.get("/proposals").text)

    assert "worker/prod shop/worker 1.3.4 → to 1.4.0 Dan" in text


def test_the_audit_says_who_did_what(shop: TestClient) -> None:
    """As a page, and as CSV and JSON with the same entries; filters are carried along."""
    page = shop.get("/audit?environment=prod&action=rollback")
    rows = list(csv.DictReader(io.StringIO(shop.get("/audit.csv?who=ana").text)))
    told = shop.get("/audit.json?action=rollback").json()

    assert "INC-42" in page.text
    assert 'href="/audit.csv?environment=prod&amp;action=rollback"' in page.text
    assert {row["author"] for row in rows} == {"Ana"}
    assert [one["environments"] for one in told["entries"]] == [["api/prod"]]
    assert told["entries"][0]["author"] == "Ana"
    assert told["more"] is False


@pytest.mark.parametrize(
    "address", ["/nowhere", "/e/none", "/e/prod/none", "/a/none", "/e/prod/%3Cscript%3E"]
)
def test_what_is_not_there_is_said(shop: TestClient, address: str) -> None:
    """A page with a way back, and nothing of the address as markup."""
    answer = shop.get(address)

    assert answer.status_code == 404
    assert "To the board" in answer.text
    assert "<script>" not in answer.text


def test_a_choice_of_language_and_colours_is_kept(shop: TestClient) -> None:
    """By a form, in cookies; what is none of the choices is dropped."""
    answer = shop.post(
        "/preferences", data={"language": "ko", "theme": "dark"}, follow_redirects=False
    )
    page = shop.get("/preferences")
    shop.post("/preferences", data={"language": "xx", "theme": "auto"})

    assert answer.status_code == 303
    assert '<html lang="ko" data-theme="dark">' in page.text
    assert '<html lang="en" data-theme="auto">' in shop.get("/").text


def test_vendored_files_are_what_was_published() -> None:
    """The digests of htmx and its extension are those that were taken from the package."""
    folder = STATIC / "vendor"
    told = dict(
        reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines()
    )

    assert told["htmx-4.0.1.min.js"].startswith("a0abb04f2f45a1f8")
    assert told["hx-sse-4.0.1.min.js"].startswith("18ef2761356ec1fe")
    assert told.keys() == {one.name for one in folder.glob("*.js")}
    for name, digest in told.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert "Zero-Clause BSD" in (folder / "LICENSE.htmx").read_text()


def test_files_are_kept_by_browsers(shop: TestClient) -> None:
    """Their address has a digest, so they may be kept for ever; pages are asked for again."""
    page = shop.get("/")
    address = re.search(r'href="(/static/gitops.css\?v=[0-9a-f]{10})"', page.text)

    assert address is not None
    assert "immutable" in shop.get(address[1]).headers["cache-control"]
    assert page.headers["cache-control"] == "no-cache"


def test_templates_never_trust_text() -> None:
    """No template switches escaping off."""
    folder = Path(STATIC).parent / "templates"
    texts = {one.name: one.read_text() for one in folder.glob("*.html")}

    assert texts
    assert [name for name, text in texts.items() if "|safe" in text.replace(" ", "")] == []
    assert [name for name, text in texts.items() if "autoescape" in text] == []


def test_every_text_is_translated() -> None:
    """The catalogues have all texts of templates and modules, and what is compiled is theirs."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "locales.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert gettext.GNUTranslations((KOREAN.with_suffix(".mo")).open("rb")).gettext("held") == "보류"


def test_translations_keep_what_is_filled_in() -> None:
    """Every place for a value stands in both languages."""
    entries = re.findall(r'^msgid "(.+)"\nmsgstr "(.*)"$', KOREAN.read_text(), re.MULTILINE)
    places = re.compile(r"%\([a-z]+\)s")

    assert len(entries) > 100
    assert [
        one for one, told in entries if sorted(places.findall(one)) != sorted(places.findall(told))
    ] == []


def test_a_page_in_korean(shop: TestClient) -> None:
    """The browser's language is enough; names and reasons stay as they are."""
    page = shop.get("/e/prod/api", headers={"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"})
    text = text_of(page.text)

    assert '<html lang="ko"' in page.text
    assert "Ana 님이 보류함 INC-42: checkout fails" in text
    assert "48분 전" in text or "분 전" in text


@pytest.mark.parametrize(
    ("cookie", "accepts", "language"),
    [
        (None, None, "en"),
        (None, "de", "en"),
        (None, "en;q=0.5, ko;q=0.8", "ko"),
        (None, "ko;q=0, en", "en"),
        (None, "ko;q=x", "en"),
        ("ko", "en", "ko"),
        ("xx", "ko", "ko"),
        ("../ko", "en", "en"),
    ],
)
def test_the_language_of_a_page(cookie: str | None, accepts: str | None, language: str) -> None:
    """What was chosen, else what the browser likes best of what there is."""
    assert choose_language(cookie, accepts) == language


def test_a_board_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """What is wrong with gitops.yaml stands there with its place, as the command line says it."""
    repo = Repo.bare(tmp_path / "m.git")
    repo.commit({"gitops.yaml": b"apiVersion: gitops/v1\nkind: Config\nenvironmentz: []\n"})
    service = Service(ServerSettings(str(repo.path), Listen("127.0.0.1", 8080)))
    with TestClient(create_app(service), base_url="http://127.0.0.1:8080") as browser:
        deadline = time.monotonic() + 60
        while service.board.trouble is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        page = browser.get("/").text
        assert "Nothing can be shown yet" in page
        assert "gitops.yaml:3:1" in page
