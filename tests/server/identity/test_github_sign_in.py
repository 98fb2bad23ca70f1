"""Signing in at GitHub, which is no OpenID provider: its API says who somebody is."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from identity_world import URL, World, come_back
from servers.loopback import Handler, Loopback

TEAM = {"slug": "oncall", "organization": {"login": "shop"}}


class FakeGitHub(Loopback):
    """OAuth and the three questions that are asked, with answers that a test changes."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.challenge = ""
        self.pages: list[str] = []
        super().__init__(_handler(self))


def _handler(hub: FakeGitHub) -> type[Handler]:
    class Answering(Handler):
        def do_GET(self) -> None:
            where = urlsplit(self.path)
            hub.pages.append(self.path)
            if self.headers["Authorization"] != "Bearer of-ana":
                return self._say(401, {"message": "Bad credentials"})
            page = int(parse_qs(where.query).get("page", ["1"])[0])
            found = hub.answers[where.path.removeprefix("/api/v3")]
            rows = found[(page - 1) * 100 : page * 100] if isinstance(found, list) else found
            return self._say(200, rows)

        def do_POST(self) -> None:
            sent = parse_qs(self.read_body().decode())
            digest = hashlib.sha256(sent["code_verifier"][0].encode()).digest()
            proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            fits = proof == hub.challenge and sent["client_secret"] == ["s3cret"]
            no = {"error": "bad_verification_code"}
            self._say(200, {"access_token": "of-ana"} if fits and sent["code"] == ["c"] else no)

        def _say(self, status: int, document: Any) -> None:
            self.say(status, (), json.dumps(document).encode())

    return Answering


@pytest.fixture
def hub() -> Iterator[FakeGitHub]:
    """A GitHub Enterprise Server where Ana is in one team."""
    with FakeGitHub() as server:
        server.answers = {
            "/user": {"login": "ana", "id": 7, "name": "Ana"},
            "/user/emails": [
                {"email": "old@example.com", "primary": False, "verified": True},
                {"email": "ana@example.com", "primary": True, "verified": True},
            ],
            "/user/teams": [TEAM],
        }
        yield server


def signed_in(hub: FakeGitHub, folder: Path, *, code: str = "c", more: str = "") -> tuple[Any, Any]:
    """Sign in; return the client and the answer to who came back."""
    (folder / "secret").write_text("s3cret")
    who = "who: ['group:shop']"
    client = World(
        f"publicUrl: {URL}\nsignIn: {{kind: github, url: '{hub.url}', clientId: x, {who}, "
        f"clientSecretFile: {folder}/secret{more}}}\n"
    ).client()
    asked = parse_qs(urlsplit(client.get("/sign-in").headers["location"]).query)
    assert ["read:org user:email"] == asked["scope"]
    hub.challenge = asked["code_challenge"][0]
    return client, come_back(client, {"code": code, "state": asked["state"][0]})


def test_login_and_teams(hub: FakeGitHub, tmp_path: Path) -> None:
    """Named by the login, with the verified primary address, in `ORG` and `ORG:TEAM`."""
    client, back = signed_in(hub, tmp_path)
    assert back.status_code == 303
    told = client.get("/").json()
    assert ("user:ana", "Ana", "ana@example.com", "github") == (
        *(told["id"], told["name"]),
        *(told["email"], told["via"]),
    )
    assert ["shop", "shop:oncall"] == told["groups"]


def test_named_by_address(hub: FakeGitHub, tmp_path: Path) -> None:
    """Only by one that is verified."""
    client, _ = signed_in(hub, tmp_path, more=", userClaim: email")
    assert "user:ana@example.com" == client.get("/").json()["id"]
    hub.answers["/user/emails"][1]["verified"] = False
    _, back = signed_in(hub, tmp_path, more=", userClaim: email")
    assert back.status_code == 403


def test_all_pages_of_teams(hub: FakeGitHub, tmp_path: Path) -> None:
    """Who is in many teams is in the last of them, too."""
    others = [{"slug": f"t{one}", "organization": {"login": "other"}} for one in range(130)]
    hub.answers["/user/teams"] = [*others, TEAM]
    client, _ = signed_in(hub, tmp_path)
    assert ["shop", "shop:oncall"] == client.get("/").json()["groups"]


def test_who_is_in_no_team_of_ours(hub: FakeGitHub, tmp_path: Path) -> None:
    """All the world has an account there: `signIn.who` keeps it out."""
    hub.answers["/user/teams"] = [{"slug": "shop", "organization": {"login": "evil"}}]
    _, back = signed_in(hub, tmp_path)
    assert (403, True) == (back.status_code, "lets in" in back.json()["error"])


def test_a_wrong_code(hub: FakeGitHub, tmp_path: Path) -> None:
    """GitHub says so with status 200."""
    _, back = signed_in(hub, tmp_path, code="other")
    assert (403, "GitHub says no: bad_verification_code") == (
        back.status_code,
        back.json()["error"],
    )


@pytest.mark.parametrize("answer", [[], {"login": 7}, {"id": 7}, {"login": "ana", "id": "7"}])
def test_an_odd_answer_is_nobody(hub: FakeGitHub, tmp_path: Path, answer: Any) -> None:
    """What is no person lets nobody in."""
    hub.answers["/user"] = answer
    _, back = signed_in(hub, tmp_path)
    assert back.status_code == 403


def test_an_author_is_known_by_every_address(hub: FakeGitHub, tmp_path: Path) -> None:
    """What is committed on its pages is by an address of its own; others are proved, too."""
    hub.answers["/user/emails"].append({"email": "no@example.com", "verified": False})
    client, _ = signed_in(hub, tmp_path)
    host = urlsplit(hub.url).hostname
    addresses = set(client.get("/").json()["addresses"])
    assert {"ana@example.com", "old@example.com"} < addresses
    assert {f"7+ana@users.noreply.{host}", f"ana@users.noreply.{host}"} < addresses
    assert "no@example.com" not in addresses
