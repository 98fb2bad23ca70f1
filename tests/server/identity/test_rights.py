"""What people may do, by the policy of now; and asking again who they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gitops.core.environments.environment import Config, Environment
from gitops.core.environments.rows import AccessRow
from gitops.errors import Denied, Unavailable
from gitops.server.identity.person import Person, Unproved
from gitops.server.identity.rights import may, require, wants_fresh
from identity_world import PROD, ROW, World, come_back, sign_in_settings
from loops import finish
from servers.openid import OpenIdServer

ANA = Person("user:ana", "Ana", "ana@example.com", ("shop:oncall",), "oidc", "of-ana")
CONFIG = Config(None, (PROD,), access=(ROW,))


@pytest.fixture
def provider() -> Iterator[OpenIdServer]:
    """A provider that knows Ana."""
    with OpenIdServer() as server:
        server.claims = {"preferred_username": "ana", "groups": ["shop:oncall"]}
        server.user_info = {"sub": "7", "preferred_username": "ana", "groups": ["shop:oncall"]}
        yield server


def signed_in(folder: Path, provider: OpenIdServer) -> tuple[World, Person]:
    """Return a server, and Ana as she is known to it."""
    world = World(sign_in_settings(folder, provider.url, userClaim="preferred_username"))
    client = world.client()
    query = provider.sign_in(client.get("/sign-in").headers["location"])
    assert come_back(client, query).status_code == 303
    sent = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
    person = finish(world.identity.person([(b"cookie", sent.encode())], "10.1.2.3"))
    assert person is not None
    return world, person


def test_rights_are_those_of_the_row() -> None:
    """For people who signed in; whoever runs the server may what their credentials can."""
    assert may(CONFIG, ANA, "rollback", "prod", "shop")
    assert not may(CONFIG, ANA, "undo", "prod", "shop")
    assert not may(None, ANA, "rollback", "prod", "shop")
    assert not may(CONFIG, None, "rollback", "prod", "shop")
    assert may(None, replace(ANA, via="loopback"), "undo", "prod", "shop")


def test_from_argo_cd_only_its_application() -> None:
    """A call for test with the header of prod is refused, whatever the row says."""
    row = AccessRow(("rollback",), ("prod", "test"), ("group:argocd:gitops-rollback",))
    config = Config(None, (PROD,), access=(row,))
    groups = ("argocd:gitops-rollback",)
    person = Person("user:argocd:a", "a", "", groups, "argocd", application=("test", "shop"))
    assert may(config, person, "rollback", "test", "shop")
    for place in (("prod", "shop"), ("test", "pay"), ("test", None)):
        decision = may(config, person, "rollback", *place)
        assert (False, True) == (decision.allowed, "shop/test's" in decision.why)


def test_the_error_says_why() -> None:
    """Nobody is 401, somebody without the right 403."""
    with pytest.raises(Unproved):
        require(CONFIG, None, "rollback", "prod", "shop")
    with pytest.raises(Denied, match="nobody may undo a rollback of prod here"):
        require(CONFIG, ANA, "undo", "prod", "shop")
    with pytest.raises(Denied, match="an author never approves"):
        require(CONFIG, ANA, "approve", "prod", "shop", authors=["Ana@example.com"])


def test_when_the_service_is_asked_again() -> None:
    """For what somebody else's word hangs on."""
    dev = Environment("dev", "d")
    assert [True, True, True, False] == [
        *(wants_fresh("approve", dev), wants_fresh("override", dev)),
        *(wants_fresh("rollback", PROD), wants_fresh("rollback", dev)),
    ]


def test_groups_are_asked_for_again(provider: OpenIdServer, tmp_path: Path) -> None:
    """Who left the group since they signed in no longer approves."""
    world, person = signed_in(tmp_path, provider)
    assert ("shop:oncall",) == person.groups
    assert provider.user_info is not None
    provider.user_info["groups"] = []

    fresh, note = finish(world.identity.ask_again(person, "approve", PROD))
    assert ((), None) == (fresh.groups, note)
    assert not may(CONFIG, fresh, "approve", "prod")
    assert (person, None) == finish(world.identity.ask_again(person, "hold", PROD))


def test_the_service_is_away(provider: OpenIdServer, tmp_path: Path) -> None:
    """An approval waits; a rollback goes on with the groups of the sign-in, and says so."""
    world, person = signed_in(tmp_path, provider)
    provider.silent = True
    with pytest.raises(Unavailable):
        finish(world.identity.ask_again(person, "approve", PROD))
    same, note = finish(world.identity.ask_again(person, "rollback", PROD))
    assert person == same
    assert note is not None
    assert "the groups are those of the sign-in" in note


def test_a_token_that_is_over(provider: OpenIdServer, tmp_path: Path) -> None:
    """Then one signs in again to approve; the service may know one by another name by now."""
    world, person = signed_in(tmp_path, provider)
    for gone in (replace(person, token=None), replace(person, token="revoked")):
        with pytest.raises(Unproved):
            finish(world.identity.ask_again(gone, "approve", PROD))
    assert provider.user_info is not None
    provider.user_info["preferred_username"] = "ben"
    with pytest.raises(Unproved, match="another name"):
        finish(world.identity.ask_again(person, "approve", PROD))


def test_others_prove_it_every_time() -> None:
    """Whom a proxy signs in, nobody else can be asked about."""
    person = replace(ANA, via="proxy", token=None)
    world = World()
    assert (person, None) == finish(world.identity.ask_again(person, "approve", PROD))
