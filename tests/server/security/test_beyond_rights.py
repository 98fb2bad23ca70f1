"""Whoever has some right, or none, tries to reach what their row of `access:` does not say."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from gitops.core.environments.environment import Environment, Overlay
from gitops.core.report import Proposal, WriteReport
from gitops.server.acts.preview import mark_of
from gitops.server.app import create_app
from gitops.server.service import Service
from gitops.server.settings import Listen, ServerSettings, parse_settings
from gitrepos import Repo
from server_calls import new_id, overlay
from servers.loopback import Handler, Loopback
from servers.openid import OpenIdServer

URL = "https://gitops.example.com"
CONFIG = b"""apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/dev", accepts: [main], deploy: auto}
  - {name: stage, overlay: "apps/{app}/stage", accepts: ["release/*"], after: [dev]}
  - name: prod
    overlay: "apps/{app}/prod"
    accepts: [main]
    deploy: auto
    change: pull-request
access:
  - {may: [deploy], environments: [dev], who: ["job:ci", "job:built"]}
  - may: [deploy, promote, rollback, undo, hold, resume, qa, close]
    environments: [dev, stage, prod]
    images: ["shop/a"]
    who: ["job:some"]
jobs:
  - {name: ci, issuer: static}
  - {name: some, issuer: static}
  - {name: idle, issuer: static}
  - {name: built, issuer: works, claims: {repository_id: "74"}}
"""
SETTINGS = "tokens:\n" + "".join(
    f'  - {{job: {name}, sha256: "{hashlib.sha256(f"token-of-{name}".encode()).hexdigest()}", '
    'expires: "2099-01-01"}\n'
    for name in ("ci", "some", "idle")
)


def pins(a: str, b: str) -> bytes:
    """Return an overlay with two images."""
    return overlay("shop/a", a) + f"  - name: shop/b\n    newTag: '{b}'\n".encode()


@pytest.fixture
def shop(repo: Repo) -> Repo:
    """One app with two images, in three environments."""
    places = ("dev", "stage", "prod")
    repo.commit({f"apps/shop/{one}/kustomization.yaml": pins("1", "1") for one in places})
    repo.commit({"gitops.yaml": CONFIG})
    return repo


@pytest.fixture(scope="module")
def issuer() -> Iterator[OpenIdServer]:
    """Whoever signs the tokens of jobs."""
    with OpenIdServer() as server:
        yield server


@pytest.fixture
def service(shop: Repo, issuer: OpenIdServer) -> Service:
    """The server of that shop."""
    told = f"issuers:\n  - {{name: works, kind: github, url: '{issuer.url}', audience: '{URL}'}}\n"
    file = parse_settings((SETTINGS + told).encode(), "s.yaml")
    return Service(replace(ServerSettings(str(shop.path), Listen("127.0.0.1", 8080)), file=file))


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    """Programs before the server, which has read Git."""
    with TestClient(create_app(service), base_url="http://127.0.0.1:8080") as client:
        deadline = time.monotonic() + 60
        while service.policy() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield client


def send(client: TestClient, job: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Send a verb as a job; return status and document."""
    headers = {"Authorization": f"Bearer {job if '.' in job else f'token-of-{job}'}"}
    answer = client.post(f"/v1/{path}", json=body, headers=headers)
    return answer.status_code, answer.json()


BY_BRANCH = {"images": ["shop/a:6.6"], "ref": "main"}


def test_a_branch_leads_nobody_to_where_they_may_not(client: TestClient, shop: Repo) -> None:
    """`ref` names no environment: what it leads to is asked for all the same, proposals too."""
    before = shop.git("for-each-ref")
    status, told = send(client, "idle", "deploy", BY_BRANCH)
    assert (403, "denied") == (status, told["error"]["code"])
    assert before == shop.git("for-each-ref")


def test_a_branch_is_followed_to_where_one_may(client: TestClient, shop: Repo) -> None:
    """Where a job may it deploys; what else follows the branch is named, with the reason."""
    for dry in (True, False):
        status, told = send(client, "ci", "deploy", {**BY_BRANCH, "dryRun": dry})
        assert (200, "planned" if dry else "committed") == (status, told.get("outcome")), told
        assert ["shop/dev"] == [f"{one['app']}/{one['environment']}" for one in told["changes"]]
        (skipped,) = told["skipped"]
        assert "prod" == skipped["environment"]
        assert "only job:some may deploy to prod; you are job:ci" == skipped["reason"]
    assert "gitops/" not in shop.git("for-each-ref")
    again = send(client, "ci", "deploy", BY_BRANCH)
    assert (200, "unchanged", 1) == (again[0], again[1]["outcome"], len(again[1]["skipped"]))
    shop.commit(
        {
            "gitops.yaml": CONFIG.replace(
                b'overlay: "apps/{app}/dev", accepts: [main]',
                b'overlay: "apps/{app}/dev", accepts: [x]',
            )
        }
    )
    status, told = send(client, "ci", "deploy", {**BY_BRANCH, "images": ["shop/a:6.7"]})
    assert (403, "denied") == (status, told["error"]["code"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("environments/stage/promote", {}),
        ("environments/shop/stage/promote", {"names": ["shop/b"]}),
        ("environments/dev/rollback", {}),
        ("environments/dev/hold", {"reason": "x"}),
        ("environments/dev/qa", {"verdict": "pass", "release": "newest"}),
    ],
)
def test_images_bound_every_verb(
    client: TestClient, shop: Repo, path: str, body: dict[str, Any]
) -> None:
    """A row with `images:` allows nothing that touches another one, or nobody knows what."""
    shop.commit({"apps/shop/dev/kustomization.yaml": pins("2", "2")})
    before = shop.git("for-each-ref")
    status, told = send(client, "some", path, body)
    assert (403, "denied") == (status, told["error"]["code"])
    assert "you may touch the images shop/a only" in told["error"]["message"]
    assert before == shop.git("for-each-ref")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("environments/stage/promote", {}),
        ("environments/dev/rollback", {}),
        ("deploy", {"images": ["shop/a:3"], "to": ["dev", "prod"]}),
    ],
)
def test_what_touches_those_images_alone(
    client: TestClient, shop: Repo, path: str, body: dict[str, Any]
) -> None:
    """It goes on, named or not."""
    shop.commit({"apps/shop/dev/kustomization.yaml": pins("2", "1")})
    status, told = send(client, "some", path, body)
    assert 200 == status, told


def test_a_right_that_is_taken_away_while_a_call_waits(
    client: TestClient, service: Service, shop: Repo
) -> None:
    """What counts is the policy of the tip that is written on."""
    body = {"images": ["shop/a:2"], "to": ["dev"]}
    assert 200 == send(client, "ci", "deploy", body)[0]
    writer = service.desk.writer
    assert writer is not None
    headers = {"Authorization": "Bearer token-of-ci", "Prefer": "respond-async"}
    with writer.stopped():
        later = {**body, "images": ["shop/a:3"]}
        taken = client.post("/v1/deploy", json=later, headers=headers)
        assert 202 == taken.status_code
        shop.commit({"gitops.yaml": CONFIG.replace(b'"job:ci", ', b"")})
    call = writer.find(taken.json()["id"])
    assert call is not None
    outcome = call.wait(60)
    assert outcome is not None
    assert "denied" == getattr(outcome.error, "code", None)


def test_what_gitops_yaml_said_long_ago(client: TestClient, shop: Repo) -> None:
    """It gave nobody a right when the release was made: that bars no way back to it."""
    shop.commit({"apps/shop/dev/kustomization.yaml": pins("2", "1")})
    status, told = send(client, "some", "environments/shop/dev/rollback", {})
    assert (200, "committed") == (status, told.get("outcome"))


@pytest.mark.parametrize(
    ("ref", "status"),
    [("refs/heads/main", 200), ("refs/tags/v1", 403), ("refs/heads/mine", 409), (None, 200)],
)
def test_a_tag_is_no_way_past_accepted_branches(
    client: TestClient, issuer: OpenIdServer, ref: str | None, status: int
) -> None:
    """Whoever may push to the source may push a tag; what no token can say is not asked for."""
    claims = {"aud": URL, "repository_id": "74", "ref": ref, "sha": "c" * 40, "event_name": "push"}
    token = issuer.token(claims)
    body = {"images": ["shop/a:7"], "to": ["dev"]}
    found, told = send(client, token, "deploy", body)
    assert status == found, told
    assert status != 403 or "is of refs/tags/v1" in told["error"]["message"]


def test_an_id_of_somebody_else(client: TestClient, service: Service) -> None:
    """After a restart, too, it is not answered as if one's own call had landed."""
    headers = {"Authorization": "Bearer token-of-ci", "Idempotency-Key": new_id()}
    body = {"images": ["shop/a:2"], "to": ["dev"]}
    assert 200 == client.post("/v1/deploy", json=body, headers=headers).status_code
    writer = service.desk.writer
    assert writer is not None
    for forget_pushes in (False, True):
        writer._known.clear()
        if forget_pushes:
            writer._landed._branches.clear()
        again = client.post("/v1/deploy", json=body, headers=headers)
        assert (200, "committed") == (again.status_code, again.json()["outcome"])
        writer._known.clear()
        others = headers | {"Authorization": "Bearer token-of-some"}
        answer = client.post("/v1/deploy", json=body, headers=others)
        assert (422, "usage") == (answer.status_code, answer.json()["error"]["code"])
        writer._known.clear()
        hold = {"reason": "x"}
        answer = client.post("/v1/environments/dev/hold", json=hold, headers=headers)
        assert 403 == answer.status_code


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("deploy", {"images": ["shop/a:2"], "to": ["stage"]}),
        ("deploy", {"images": ["shop/a:3"], "to": ["dev"]}),
        ("deploy", {"images": ["shop/a:2"], "ref": "main"}),
        ("environments/dev/deploy", {"images": ["shop/a:2"], "reason": "again"}),
    ],
)
def test_a_key_is_for_one_call_after_a_restart_too(
    client: TestClient, service: Service, shop: Repo, path: str, body: dict[str, Any]
) -> None:
    """What landed under it is told for the very same call, and for no other of the same caller."""
    headers = {"Authorization": "Bearer token-of-some", "Idempotency-Key": new_id()}
    first = {"images": ["shop/a:2"], "to": ["dev"]}
    landed = client.post("/v1/deploy", json=first, headers=headers).json()
    assert "committed" == landed["outcome"]
    writer = service.desk.writer
    assert writer is not None
    writer._known.clear()
    writer._landed._branches.clear()
    head = shop.head()
    other = client.post(f"/v1/{path}", json=body, headers=headers)
    assert (422, "usage") == (other.status_code, other.json()["error"]["code"])
    writer._known.clear()
    again = client.post("/v1/deploy", json=first, headers=headers).json()
    assert (landed["commit"], head) == (again["commit"], shop.head())


def test_what_is_approved_is_what_was_seen() -> None:
    """Of several proposals, too, no other head passes for the one that was shown."""
    overlay_of_prod = Overlay(Environment("prod", "apps/{app}/prod"), "shop")

    def report(action: str, head: str) -> WriteReport:
        proposals = (Proposal(overlay_of_prod, "gitops/prod/shop", head),)
        return WriteReport(action, "planned", "main", "r", proposals=proposals)

    assert mark_of(report("approve", "a" * 40)) != mark_of(report("approve", "b" * 40))
    assert mark_of(report("promote", "a" * 40)) == mark_of(report("promote", "b" * 40))


def test_nobody_has_the_server_ask_a_registry_of_theirs(client: TestClient, shop: Repo) -> None:
    """Without a right, neither a dry run nor a preview reaches a host that the caller names."""
    asked: list[str] = []

    class Nothing(Handler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.say(404, [], b"{}")

        do_HEAD = do_GET

    with Loopback(Nothing) as registry:
        shop.commit({"gitops.yaml": CONFIG + b"registries: {}\n"})
        image = f"shop/a={registry.url.removeprefix('http://')}/x:1"
        body = {"images": [image], "ref": "main", "dryRun": True}
        status, told = send(client, "idle", "deploy", body)
        assert (403, "denied") == (status, told["error"]["code"])
        headers = {"Authorization": "Bearer token-of-idle"}
        page = client.get("/e/dev/shop/deploy", params={"image": image}, headers=headers)
        assert 200 == page.status_code
        assert [] == asked
        send(client, "ci", "deploy", {**body, "ref": None, "to": ["dev"]})
        assert asked
