"""A GitHub App in place of a token: for the forge, and for Git as its credential helper."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from forges.json_server import Call, JsonServer, Reply
from gitops.adapters.forges.github.app import installation_token
from gitops.adapters.local.clock import SystemClock
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import choose_token
from gitops.errors import Denied, NotFound

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()
GIVEN = "ghs_0123456789abcdef"


class AppServer(JsonServer):
    """Knows one App, `74`, which is installed where `shop/manifests` is."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []
        root = "/api/v3"
        self.route("GET", f"{root}/repos/{{}}/{{}}/installation", self._installation)
        self.route("POST", f"{root}/app/installations/{{}}/access_tokens", self._token)

    def _known(self, call: Call) -> bool:
        kind, _, word = call.headers["authorization"].partition(" ")
        try:
            claims = jwt.decode(word, KEY.public_key(), algorithms=["RS256"], issuer="74")
        except jwt.PyJWTError:
            return False
        return kind == "Bearer" and claims["exp"] - claims["iat"] <= 600

    def _installation(self, call: Call, owner: str, name: str) -> Reply:
        if not self._known(call):
            return Reply(401, {"message": "A JSON web token could not be decoded"})
        if (owner, name) != ("shop", "manifests"):
            return Reply(404, {"message": "Not Found"})
        return Reply(200, {"id": 7})

    def _token(self, call: Call, number: str) -> Reply:
        assert self._known(call)
        self.asked.append((number, call.body))
        return Reply(201, {"token": GIVEN, "expires_at": "2026-01-05T10:00:00Z"})


@pytest.fixture
def server() -> Iterator[AppServer]:
    """Start GitHub's interface for Apps."""
    with AppServer() as started:
        yield started
        assert not started.faults, started.faults


def environ(server: AppServer, **other: str) -> dict[str, str]:
    """Return the variables of a job that has the App's key."""
    given = {"GITHUB_APP_ID": "74", "GITHUB_APP_PRIVATE_KEY": PEM}
    return {**given, "GITHUB_SERVER_URL": server.url, **other}


def token(server: AppServer, repository: str = "shop/manifests", **other: str) -> Any:
    """Return the token for a repository."""
    address = ForgeAddress("github", server.url, repository)
    chosen = choose_token(address, environ(server, **other)).token
    assert chosen is not None
    return installation_token(address, chosen, SystemClock(), 10.0, {})


def test_a_token_for_this_repository_alone(server: AppServer) -> None:
    """The App signs with its key, and asks for nothing but the repository that it writes."""
    found = token(server)

    assert (GIVEN, "token") == (found.secret, found.style)
    assert [("7", {"repositories": ["manifests"]})] == server.asked


def test_a_key_on_one_line(server: AppServer) -> None:
    r"""CI systems that keep secrets on one line write `\n` for its ends of lines."""
    found = token(server, GITHUB_APP_PRIVATE_KEY=PEM.replace("\n", "\\n"))

    assert GIVEN == found.secret


def test_not_installed_there(server: AppServer) -> None:
    """An App that is somewhere else is told so, and its key is in no text."""
    with pytest.raises(NotFound) as caught:
        token(server, "shop/other")

    assert "Not Found" in caught.value.message
    assert "PRIVATE" not in f"{caught.value} {caught.value.hint}"


def test_a_key_that_is_none(server: AppServer) -> None:
    """What cannot be read as a key is no crash."""
    with pytest.raises(Denied) as caught:
        token(server, GITHUB_APP_PRIVATE_KEY="-----BEGIN PRIVATE KEY-----\nMII\n-----END")

    assert "GITHUB_APP_PRIVATE_KEY" in caught.value.message


def test_an_app_belongs_to_its_server(server: AppServer) -> None:
    """An App of another server proves itself to nobody else."""
    address = ForgeAddress("github", "https://github.com", "shop/manifests")
    choice = choose_token(address, environ(server))

    assert choice.token is None
    assert "GITHUB_APP_ID is for" in choice.passed_over[0]


def fill(server: AppServer, question: str, **other: str) -> subprocess.CompletedProcess[str]:
    """Ask Git itself for credentials, with gitops as its helper."""
    helper = f"!{sys.executable} -m gitops credential"
    settings = {"credential.helper": helper, "credential.useHttpPath": "true"}
    variables = {"GIT_CONFIG_COUNT": str(len(settings)), "GIT_TERMINAL_PROMPT": "0"}
    for number, (key, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        ["git", "credential", "fill"],
        input=question,
        env={**os.environ, **environ(server, **other), **variables, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_git_gets_it(server: AppServer) -> None:
    """Git asks gitops, and pushes with what the App may write."""
    host = server.url.partition("://")[2]
    done = fill(server, f"protocol=http\nhost={host}\npath=shop/manifests.git\n\n")

    assert "username=x-access-token" in done.stdout.splitlines(), done.stderr
    assert f"password={GIVEN}" in done.stdout.splitlines()


def test_git_is_told_nothing_of_other_servers(server: AppServer) -> None:
    """A host that the App is not for gets no answer, and nobody is asked."""
    done = fill(server, "protocol=https\nhost=git.example.com\npath=shop/manifests.git\n\n")

    assert GIVEN not in done.stdout
    assert 0 == server.calls


def test_the_time_of_the_word_is_short() -> None:
    """What the App signs is no longer good than GitHub takes."""
    from gitops.adapters.forges.github.app import _signed
    from gitops.core.forges.token import ForgeToken

    now = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
    address = ForgeAddress("github", "https://github.com", "shop/manifests")
    word = _signed(address, ForgeToken(PEM, "GITHUB_APP_ID", "app", "74"), now)
    claims = jwt.decode(word, options={"verify_signature": False})

    assert (now - 60, now + 540, "74") == (claims["iat"], claims["exp"], claims["iss"])
