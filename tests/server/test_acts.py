"""Acts on the page: seen first, done once, and never on something else than was seen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from starlette.testclient import TestClient

from gitops.core.text.page_links import TAKEN
from gitops.server.acts.requests import BODIES
from gitops.server.app import create_app
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings
from gitrepos import Repo
from server_calls import CONFIG, overlay, path_of

BROWSER = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def service(repo: Repo) -> Service:
    """A server on the repository, whose app a1 has two releases in dev."""
    repo.commit({path_of("a1"): overlay("shop/a1", "2")}, message="a1 2")
    return Service(ServerSettings(str(repo.path), Listen("127.0.0.1", 8080)), every=0.2)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    """A browser without JavaScript."""
    app = create_app(service)
    with TestClient(app, base_url="http://127.0.0.1:8080", headers=BROWSER) as made:
        await_board(service)
        yield made


def await_board(service: Service) -> None:
    """Wait for the first look at Git."""
    wait_until(lambda: service.board.current() is not None)


def fields_of(page: str) -> dict[str, str]:
    """Return the fields of the form that posts, as a browser would send them."""
    form = re.search(r'<form[^>]*method="post".*?</form>', page, re.DOTALL)
    assert form, page
    found = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        given = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if given.get("type") != "radio" or " checked" in tag:
            found[given["name"]] = unescape(given.get("value", ""))
    return found


def shown(client: TestClient, address: str) -> dict[str, str]:
    """Open the page of an act, and return its form."""
    page = client.get(address)
    assert page.status_code == 200, page.text
    return fields_of(page.text)


def count(repo: Repo) -> int:
    """How many commits there are."""
    return int(repo.git("rev-list", "--count", "main"))


def test_a_rollback_in_two_clicks_and_undone(client: TestClient, repo: Repo) -> None:
    """The preview says what changes, the press does it, the page follows; Undo takes it back."""
    page = client.get("/e/dev/a1/rollback")
    assert "What changes" in page.text
    assert "a hold goes with it" in page.text
    before = count(repo)
    assert before == count(repo)
    done = client.post("/e/dev/a1/rollback", data={**fields_of(page.text), "reason": "INC-7"})
    assert done.status_code == 200, done.text
    assert "a1/dev is rolled back" in done.text
    assert b"newTag: '1'" in repo.show(path_of("a1"))
    message = repo.git("log", "-1", "--format=%B")
    assert "Gitops-Via: page" in message
    assert "INC-7" in message
    undo = re.search(r'href="([^"]*/undo\?rollback=[^"]*)"', done.text)
    assert undo
    back = client.post("/e/dev/a1/undo", data=shown(client, unescape(undo[1])))
    assert "is undone" in back.text, back.text
    assert b"newTag: '2'" in repo.show(path_of("a1"))
    assert before + 2 == count(repo)


def test_a_second_click_and_a_second_person(client: TestClient, repo: Repo) -> None:
    """The same form twice, and two browsers on one button: one commit, and both are told."""
    one, two = (shown(client, "/e/dev/a1/rollback") for _ in range(2))
    before = count(repo)
    first = client.post("/e/dev/a1/rollback", data=one)
    assert first.url == client.post("/e/dev/a1/rollback", data=one).url
    other = client.post("/e/dev/a1/rollback", data=two)
    assert other.status_code == 200
    assert "was taken back already" in other.text
    assert "Nothing was written" in other.text
    assert before + 1 == count(repo)


def test_a_tab_that_slept_over_a_change(client: TestClient, repo: Repo) -> None:
    """Something newer runs: nothing is done, and the new preview is shown, ready for a press."""
    form = shown(client, "/e/dev/a1/rollback")
    repo.commit({path_of("a1"): overlay("shop/a1", "3")}, message="a1 3")
    before = count(repo)
    answer = client.post("/e/dev/a1/rollback", data=form)
    assert 409 == answer.status_code
    assert "is newer" in answer.text
    assert before == count(repo)
    now = fields_of(answer.text)
    assert now["bad"] == repo.head()
    assert client.post("/e/dev/a1/rollback", data=now).status_code == 200
    assert b"newTag: '2'" in repo.show(path_of("a1"))


def test_other_acts(client: TestClient, repo: Repo) -> None:
    """Hold, resume, deploy, promote, QA: each shown first, each by its form."""
    held = client.post("/e/dev/a1/hold", data={**shown(client, "/e/dev/a1/hold"), "reason": "x y"})
    assert "a1/dev is held" in held.text, held.text
    assert b"x y" in repo.show(".gitops/holds/a1/dev.yaml")
    again = client.post("/e/dev/a1/resume", data=shown(client, "/e/dev/a1/resume"))
    assert "is resumed" in again.text, again.text
    asks = client.get("/e/dev/a1/deploy")
    assert "<option>shop/a1</option>" in asks.text
    form = shown(client, "/e/dev/a1/deploy?image=shop/a1&tag=9")
    assert "Deployed to a1/dev" in client.post("/e/dev/a1/deploy", data=form).text
    form = shown(client, "/e/prod/a1/promote")
    assert "Promoted to a1/prod" in client.post("/e/prod/a1/promote", data=form).text
    assert b"newTag: '9'" in repo.show(path_of("a1", "prod"))
    form = {**shown(client, "/e/prod/a1/qa"), "verdict": "pass", "note": "fine"}
    said = client.post("/e/prod/a1/qa", data=form)
    assert "is recorded" in said.text, said.text
    assert "qa-passed" in repo.git("show", "gitops/ledger:a1/prod.jsonl")


def test_a_promotion_that_became_another_one(client: TestClient, repo: Repo) -> None:
    """What was shown is what is done: an environment before that moved on is shown anew."""
    form = shown(client, "/e/prod/a1/promote")
    repo.commit({path_of("a1"): overlay("shop/a1", "4")}, message="a1 4")
    answer = client.post("/e/prod/a1/promote", data=form)
    assert 409 == answer.status_code
    assert "something has changed since you looked" in answer.text
    assert b"newTag: '1'" in repo.show(path_of("a1", "prod"))


def test_confirm_says_how_it_is_asked(client: TestClient, service: Service, repo: Repo) -> None:
    """`name` asks to type it; with `off` one press is enough, which says what it takes back."""
    named = CONFIG.replace(b"accepts: [main]}", b"accepts: [main], confirm: name}")
    repo.commit({"gitops.yaml": named})
    wait_until(lambda: 'name="typed"' in client.get("/e/dev/a1/rollback").text)
    form = shown(client, "/e/dev/a1/rollback")
    wrong = client.post("/e/dev/a1/rollback", data={**form, "typed": "dev"})
    assert 400 == wrong.status_code
    assert "type a1/dev" in wrong.text
    repo.commit({"gitops.yaml": named.replace(b"confirm: name", b"confirm: off")})
    wait_until(lambda: 'method="post" action="/e/dev/a1/rollback"' in client.get("/e/dev/a1").text)
    verdict = {**shown(client, "/e/dev/a1/qa"), "verdict": "fail", "note": "x"}
    client.post("/e/dev/a1/qa", data=verdict)
    wait_until(lambda: 'method="post"' in client.get("/").text)
    ids = {fields_of(client.get("/").text)["id"] for _ in range(2)}
    assert len(ids) == 2  # each press is one of its own, also from the board
    form = fields_of(client.get("/e/dev/a1").text)
    assert "is rolled back" in client.post("/e/dev/a1/rollback", data=form).text


def wait_until(seen: Callable[[], bool]) -> None:
    """Wait for the next look at Git to show it."""
    deadline = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_rule_is_passed_over_on_purpose(client: TestClient, repo: Repo) -> None:
    """What a rule refuses asks for a reason; that is shown, goes with the form, and into Git."""
    address = "/e/prod/a1/deploy?image=shop/a1&tag=9"
    refused = client.get(address)
    assert "This cannot be done now" in refused.text
    assert 'name="override"' in refused.text
    assert 'method="post"' not in refused.text

    form = shown(client, f"{address}&override=a+real+emergency")
    assert "a real emergency" in client.get(f"{address}&override=a+real+emergency").text
    done = client.post("/e/prod/a1/deploy", data=form)
    assert "Deployed to a1/prod" in done.text, done.text
    assert "a real emergency" in repo.git("log", "-1", "--format=%B", "main")


def test_an_app_may_be_called_like_an_act(repo: Repo) -> None:
    """Its pages and its acts have addresses of their own; those of the environment stay."""
    files = {path_of(app): overlay(f"shop/{app}", "1") for app in ("hold", "r", "acts")}
    repo.commit(files)
    service = Service(ServerSettings(str(repo.path), Listen("127.0.0.1", 8080)))
    app = create_app(service)
    with TestClient(app, base_url="http://127.0.0.1:8080", headers=BROWSER) as client:
        await_board(service)
        assert {*BODIES, "acts", "r"} == TAKEN
        for name in ("hold", "r", "acts"):
            assert f'href="/e/dev/~{name}"' in client.get("/").text
            page = client.get(f"/e/dev/~{name}")
            assert f"shop/{name}" in page.text or f'href="/a/{name}"' in page.text
            found = re.search(rf'href="(/e/dev/~{name}/r/[0-9a-f]+)"', page.text)
            assert found is not None
            assert client.get(found[1]).status_code == 200
        assert "Hold hold/dev" in client.get("/e/dev/~hold/hold").text
        assert "Hold dev" in client.get("/e/dev/hold").text
        form = {**shown(client, "/e/dev/~hold/hold"), "reason": "x y"}
        assert "hold/dev is held" in client.post("/e/dev/~hold/hold", data=form).text


def test_what_cannot_be_done_is_said(client: TestClient, repo: Repo) -> None:
    """A form that is not whole, nothing to go back to, no such place: words, and no commit."""
    before = count(repo)
    assert 400 == client.post("/e/dev/a1/rollback", data={"bad": "1" * 40}).status_code
    assert "This cannot be done now" in client.get("/e/dev/a5/rollback").text
    assert 404 == client.get("/e/moon/rollback").status_code
    assert 404 == client.get("/e/dev/nothing/hold").status_code
    elsewhere = client.post("/e/dev/a1/hold", data={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert 403 == elsewhere.status_code
    assert before == count(repo)
