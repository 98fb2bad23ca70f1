"""`/v1`: the verbs for programs, with the documents and words of the command line."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from gitops.server.app import create_app
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings, parse_settings
from gitrepos import Repo
from server_calls import new_id, path_of

HERE = Listen("127.0.0.1", 8080)


@pytest.fixture
def client(repo: Repo) -> Iterator[TestClient]:
    """A client of a server on the repository."""
    service = Service(ServerSettings(str(repo.path), HERE))
    with TestClient(create_app(service), base_url="http://127.0.0.1:8080") as made:
        made.app_service = service
        yield made


def test_a_deploy_and_the_way_back(client: TestClient, repo: Repo) -> None:
    """Deploy, roll back, undo and resume by the API: each a commit, in the words of `-o json`."""
    done = client.post("/v1/deploy", json={"images": ["shop/a1:2"], "to": ["dev"], "reason": "why"})
    assert 200 == done.status_code, done.text
    document = done.json()
    assert ("deploy", "committed", repo.head()) == (
        document["action"],
        document["outcome"],
        document["commit"],
    )
    assert "Gitops-Via: api" in repo.git("log", "-1", "--format=%B")
    again = client.post("/v1/environments/dev/deploy", json={"images": ["shop/a1:2"]})
    assert "unchanged" == again.json()["outcome"]

    bad = document["commit"]
    back = client.post("/v1/environments/a1/dev/rollback", json={"bad": bad}).json()
    assert "committed" == back["outcome"]
    twice = client.post("/v1/environments/a1/dev/rollback", json={"bad": bad}).json()
    assert "unchanged" == twice["outcome"]
    assert "was taken back already" in twice["notes"][0]
    assert 200 == client.post("/v1/environments/a1/dev/undo", json={}).status_code
    assert b"newTag: '2'" in repo.show(path_of("a1"))


def test_an_idempotency_key_is_done_once(client: TestClient, repo: Repo) -> None:
    """The same key again is the same answer, with another body it is refused."""
    key = {"Idempotency-Key": new_id()}
    body = {"images": ["shop/a1:2"], "to": ["dev"]}
    first = client.post("/v1/deploy", json=body, headers=key).json()
    assert first == client.post("/v1/deploy", json=body, headers=key).json()
    assert first["id"] == key["Idempotency-Key"]
    other = client.post("/v1/deploy", json={**body, "to": ["prod"]}, headers=key)
    assert (422, "usage") == (other.status_code, other.json()["error"]["code"])
    assert first == client.get(f"/v1/calls/{first['id']}").json()
    assert 404 == client.get(f"/v1/calls/{new_id()}").status_code


def test_a_call_is_held_to_what_a_dry_run_said(client: TestClient, repo: Repo) -> None:
    """What would do anything else by now is refused, and says what that is: also rollback, undo."""

    def sent(verb: str, **body: object) -> tuple[int, dict[str, Any]]:
        answer = client.post(f"/v1/environments/a1/dev/{verb}", json=body)
        return answer.status_code, answer.json()

    sent("deploy", images=["shop/a1:2"])
    shown = sent("rollback", dryRun=True)[1]["mark"]
    sent("deploy", images=["shop/a1:3"])
    before = repo.head()
    status, told = sent("rollback", seen=shown)
    assert (409, "refused") == (status, told["error"]["code"])
    assert "a1/dev: shop/a1 3 -> 2" == told["error"]["reasons"][0]
    assert before == repo.head()

    assert (
        "committed" == sent("rollback", seen=sent("rollback", dryRun=True)[1]["mark"])[1]["outcome"]
    )
    shown = sent("undo", dryRun=True)[1]["mark"]
    assert "committed" == sent("rollback")[1]["outcome"]
    assert 409 == sent("undo", seen=shown)[0]
    none = sent("resume", dryRun=True)[1]
    assert 200 == sent("resume", seen=none["mark"])[0]


def test_a_call_that_nobody_waits_for(client: TestClient) -> None:
    """`Prefer: respond-async` answers at once with where to ask."""
    body = {"images": ["shop/a1:2"], "to": ["dev"]}
    taken = client.post("/v1/deploy", json=body, headers={"Prefer": "respond-async"})
    assert 202 == taken.status_code
    found = client.get(taken.headers["Location"], headers={"Prefer": "wait=10"})
    assert "committed" == found.json()["outcome"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/deploy", {"images": ["shop/a1:2"], "to": ["moon"]}, 404, "not-found"),
        ("/v1/deploy", {"images": ["shop/a1:2"]}, 400, "usage"),
        ("/v1/deploy", {"images": [], "to": ["dev"]}, 400, "usage"),
        ("/v1/deploy", {"images": ["shop/a1:7"], "to": ["prod"]}, 409, "refused"),
        ("/v1/environments/dev/hold", {}, 400, "usage"),
        ("/v1/environments/dev/hold", {"reason": "x", "everything": True}, 400, "usage"),
        ("/v1/environments/*/rollback", {}, 400, "usage"),
        ("/v1/environments/dev/reboot", {}, 404, "not-found"),
    ],
)
def test_errors_have_their_status_and_word(
    client: TestClient, path: str, body: dict[str, object], status: int, code: str
) -> None:
    """By the table of the docs, each as a JSON document."""
    answer = client.post(path, json=body)
    assert (status, code) == (answer.status_code, answer.json()["error"]["code"]), answer.text


def test_what_is_no_json_is_refused(client: TestClient) -> None:
    """A form of another site is no call; neither is what does not parse, or is too large."""
    form = client.post("/v1/deploy", data={"images": "shop/a1:2"})
    assert (403, "denied") == (form.status_code, form.json()["error"]["code"])
    kind = {"Content-Type": "application/json"}
    for content in (b"{", b"[]", b'{"images": ["' + b"a" * 300_000 + b'"]}', b"\xff"):
        assert 400 == client.post("/v1/deploy", content=content, headers=kind).status_code


def test_reading(client: TestClient, repo: Repo) -> None:
    """Status, history, differences, who asks and the description of it all."""
    client.post("/v1/deploy", json={"images": ["shop/a1:2"], "to": ["dev"]})
    there = client.get("/v1/environments", params={"environment": "a1/dev"}).json()
    assert ["a1"] == [one["app"] for one in there["environments"]]
    past = client.get("/v1/environments/a1/dev/history", params={"limit": 1}).json()
    assert repo.head() == past["releases"][0]["commit"]
    differ = client.get("/v1/environments/a1/dev/diff", params={"other": "a1/prod"}).json()
    assert ["shop/a1"] == [one["image"] for one in differ["differences"]]
    wait_for_policy(client.app_service)
    audit = client.get("/v1/audit").json()
    assert "deploy" == audit["entries"][0]["action"]
    assert "loopback" == client.get("/v1/whoami").json()["via"]
    description = client.get("/v1/openapi.json").json()
    assert "/v1/environments/{environment}/rollback" in description["paths"]
    assert "bad" in description["components"]["schemas"]["RollbackBody"]["properties"]


def test_what_is_asked_in_another_way(client: TestClient) -> None:
    """Another method is 405 with those that there are; an endless number is none."""
    for method, path, there in (
        ("PUT", "/v1/deploy", "POST"),
        ("POST", "/v1/whoami", "GET, HEAD"),
        ("DELETE", "/v1/environments/a1/dev/hold", "POST"),
    ):
        headers = {"Sec-Fetch-Site": "same-origin"}
        answer = client.request(method, path, headers=headers)
        assert (405, there) == (answer.status_code, answer.headers["allow"])
        assert "openapi.json" in answer.json()["error"]["hint"]
    for text in ("0000000001" + "0" * 5000, "000000001555", "0", "1001", "-1", "x"):
        answer = client.get("/v1/environments/a1/dev/history", params={"limit": text})
        assert (400, "usage") == (answer.status_code, answer.json()["error"]["code"])


def test_a_dry_run_writes_nothing(client: TestClient, repo: Repo) -> None:
    """It has the files as they would be."""
    head = repo.head()
    body = {"images": ["shop/a1:2"], "to": ["dev"], "dryRun": True}
    document = client.post("/v1/deploy", json=body).json()
    assert "planned" == document["outcome"]
    assert "newTag: '2'" in document["diffs"][0]["after"]
    assert head == repo.head()


def test_a_server_that_only_shows(repo: Repo) -> None:
    """Nobody acts on one that was started with --read-only."""
    service = Service(ServerSettings(str(repo.path), HERE, read_only=True))
    with TestClient(create_app(service), base_url="http://127.0.0.1:8080") as client:
        answer = client.post("/v1/environments/dev/hold", json={"reason": "x"})
    assert (403, "denied") == (answer.status_code, answer.json()["error"]["code"])


ACCESS = b"""
access:
  - {may: [deploy], environments: [dev], images: ["shop/a1"], who: ["job:ci"]}
jobs:
  - {name: ci, issuer: static}
"""
SETTINGS = """
tokens:
  - {job: ci, sha256: "%s", expires: "2099-01-01"}
"""


def test_a_job_does_what_its_row_says(repo: Repo) -> None:
    """Its token lets it write those images there and nothing else; no longer when the row goes."""
    digest = hashlib.sha256(b"s3cret-of-the-job").hexdigest()
    config = repo.show("gitops.yaml")
    repo.commit({"gitops.yaml": config + ACCESS})
    settings = ServerSettings(str(repo.path), HERE)
    settings = replace(settings, file=parse_settings((SETTINGS % digest).encode(), "s.yaml"))
    service = Service(settings)
    deploy = {"images": ["shop/a1:2"], "to": ["a1/dev"]}
    other = {"images": ["shop/a2:2"], "to": ["a2/dev"]}
    with TestClient(create_app(service), base_url="http://127.0.0.1:8080") as client:
        client.headers["Authorization"] = "Bearer s3cret-of-the-job"
        wait_for_policy(service)
        assert "job:ci" == client.get("/v1/whoami").json()["id"]
        assert "committed" == client.post("/v1/deploy", json=deploy).json()["outcome"]
        assert "ci" == repo.git("log", "-1", "--format=%an").strip()
        assert 403 == client.post("/v1/deploy", json=other).status_code
        assert 403 == client.post("/v1/environments/dev/rollback", json={}).status_code
        repo.commit({"gitops.yaml": config + ACCESS.replace(b"a1", b"a3")})
        again = client.post("/v1/deploy", json={**deploy, "images": ["shop/a1:3"]})
        assert 403 == again.status_code
        wrong = client.get("/v1/whoami", headers={"Authorization": "Bearer wrong"})
        assert 401 == wrong.status_code
    assert b"newTag: '2'" in repo.show(path_of("a1"))


def wait_for_policy(service: Service) -> None:
    """Wait for the first look at Git."""
    deadline = time.monotonic() + 20
    while service.policy() is None and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_folder_that_no_document_can_name(client: TestClient, repo: Repo) -> None:
    """One whose name is no UTF-8 is no app, and takes nobody's board away."""
    repo.commit({'"apps/\\377/overlays/dev/kustomization.yaml"': b"images: []\n"})
    answer = client.get("/v1/environments")
    assert 200 == answer.status_code
    apps = {one["app"] for one in answer.json()["environments"]}
    assert {f"a{number}" for number in range(8)} == apps
