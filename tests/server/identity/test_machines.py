"""Jobs that call the server, and tokens that are of none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gitops.core.environments.environment import Config
from gitops.core.environments.rows import JobRow
from identity_world import URL, World
from servers.openid import OpenIdServer

CLAIMS = {
    "aud": URL,
    "repository_id": "74",
    "ref": "refs/heads/main",
    "sha": "c" * 40,
    "event_name": "push",
}
WORD = "static-token-of-old"


@pytest.fixture(scope="module")
def issuer() -> Iterator[OpenIdServer]:
    """An issuer for the whole file."""
    with OpenIdServer() as server:
        yield server


@pytest.fixture
def world(issuer: OpenIdServer) -> World:
    """A server that knows it as `works`, and one fixed token."""
    issuer.silent, issuer.published = False, [issuer.key]
    digest = hashlib.sha256(WORD.encode()).hexdigest()
    return World(
        f"issuers:\n  - {{name: works, kind: github, url: '{issuer.url}', audience: '{URL}'}}\n"
        f"tokens:\n  - {{job: old, sha256: {digest}, expires: '2027-06-01'}}\n"
    )


def ask(client: TestClient, token: str) -> tuple[int, str]:
    """Return the status, and who one is or why nobody."""
    answer = client.get("/v1/whoami", headers={"Authorization": f"Bearer {token}"})
    told = answer.json()
    return answer.status_code, told.get("id") or told["error"]


def test_a_job_is_known_by_its_claims(world: World, issuer: OpenIdServer) -> None:
    """And its source is what the token says, not what the call says."""
    headers = {"Authorization": f"Bearer {issuer.token(CLAIMS)}"}
    told = world.client().get("/v1/whoami", headers=headers).json()
    assert ("job:shop-ci", "job", "main", "c" * 40) == (
        *(told["id"], told["via"]),
        *(told["branch"], told["commit"]),
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"repository_id": "75"},
        {"ref": "refs/heads/other"},
        {"ref": None},
        {"event_name": "pull_request_target"},
        {"event_name": "pull_request_review"},
        {"aud": "https://another.example.com"},
        {"exp": 1},
        {"iss": "https://token.actions.githubusercontent.com"},
    ],
)
def test_tokens_of_no_job(world: World, issuer: OpenIdServer, claims: dict[str, object]) -> None:
    """Somebody else's, an old one, one that was made for another service."""
    assert 401 == ask(world.client(), issuer.token(CLAIMS | claims))[0]


def test_a_token_signed_by_another(world: World, issuer: OpenIdServer) -> None:
    """The issuer's keys are those of the settings' address, never of the token's own."""
    with OpenIdServer() as evil:
        assert ask(world.client(), evil.token({**CLAIMS, "iss": issuer.url}))[0] == 401
        assert ask(world.client(), evil.token(CLAIMS))[0] == 401
        assert [] == evil.calls


def test_the_issuer_is_away(world: World, issuer: OpenIdServer) -> None:
    """503: the job tries again, and is nobody meanwhile."""
    issuer.silent = True
    assert ask(world.client(), issuer.token(CLAIMS))[0] == 503


def test_a_fixed_token(world: World) -> None:
    """Known by its hash, until its end, while gitops.yaml has the job."""
    client = world.client()
    assert (200, "job:old") == ask(client, WORD)
    assert (401, "nobody here knows this token") == ask(client, WORD + "x")
    assert ask(client, "")[0] == 401
    world.clock.now = datetime(2027, 6, 1, tzinfo=UTC).timestamp() - 1
    assert ask(client, WORD)[0] == 200
    world.clock.now += 1
    assert (401, "the token is over") == ask(client, WORD)


def test_a_job_that_is_taken_away(world: World, issuer: OpenIdServer) -> None:
    """The next call is refused: policy is read at every request."""
    client, token = world.client(), issuer.token(CLAIMS)
    assert ask(client, token)[0] == 200
    world.config = Config(None, jobs=(JobRow("old", "works", (("repository_id", "74"),)),))
    assert ask(client, WORD)[0] == 401
    assert (200, "job:old") == ask(client, token)
    world.config = None
    assert ask(client, token)[0] == 401


def test_a_wrong_token_is_not_forgiven(world: World) -> None:
    """Whoever shows one is judged by it alone, also where everybody could look."""
    client = world.client()
    assert client.get("/").json()["via"] == "loopback"
    assert ask(client, "wrong")[0] == 401


def test_where_no_job_is_known(tmp_path: Path) -> None:
    """The answer says what is missing."""
    status, words = ask(World().client(), WORD)
    assert (401, True) == (status, "no issuers" in words)
