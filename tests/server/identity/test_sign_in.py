"""Signing in with OpenID Connect, and what a provider may say without letting anybody in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from gitops.core.environments.rows import AccessRow
from gitops.server.identity.cookies import SESSION, SIGN_IN
from identity_world import World, come_back, sign_in_settings
from servers.openid import OpenIdServer

ANA = {"email": "ana@example.com", "email_verified": True, "name": "Ana", "groups": ["shop:oncall"]}


@pytest.fixture(scope="module")
def running() -> Iterator[OpenIdServer]:
    """A provider for the whole file."""
    with OpenIdServer() as server:
        yield server


@pytest.fixture
def provider(running: OpenIdServer) -> OpenIdServer:
    """The same, with Ana signing in as is usual."""
    running.claims, running.user_info, running.said = dict(ANA), None, {}
    running.signs, running.silent = "RS256", False
    running.published = [running.key]
    running.calls.clear()
    return running


def says_no(answer: Any, status: int, words: str) -> None:
    """Check an answer that lets nobody in."""
    assert status == answer.status_code, answer.text
    assert words in answer.json()["error"]


def signed_in(world: World, provider: OpenIdServer, back_to: str = "/e/prod") -> tuple[Any, Any]:
    """Sign in; return the client, and the answer to whoever came back."""
    client = world.client()
    begun = client.get("/sign-in", params={"next": back_to})
    assert begun.status_code == 303, begun.text
    return client, come_back(client, provider.sign_in(begun.headers["location"]))


def test_ana_signs_in(provider: OpenIdServer, tmp_path: Path) -> None:
    """Code, PKCE, state and nonce; she comes back where she was, and is herself from then on."""
    world = World(sign_in_settings(tmp_path, provider.url))
    client = world.client()
    assert client.get("/e/prod").status_code == 401
    begun = client.get("/sign-in", params={"next": "/e/prod?x=1"})
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert ["S256"] == asked["code_challenge_method"]
    assert ["https://gitops.example.com/sign-in/back"] == asked["redirect_uri"]
    back = come_back(client, provider.sign_in(begun.headers["location"]))

    assert (303, "/e/prod?x=1") == (back.status_code, back.headers["location"])
    told = client.get("/e/prod").json()
    assert ("user:ana@example.com", "Ana", "oidc") == (told["id"], told["name"], told["via"])
    assert (["shop:oncall"], "of-ana") == (told["groups"], told["token"])
    for cookie in back.headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-gitops")
        assert cookie.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")
        assert "ana" not in cookie


def test_signing_out(provider: OpenIdServer, tmp_path: Path) -> None:
    """The browser forgets; a link cannot do it."""
    client, _ = signed_in(World(sign_in_settings(tmp_path, provider.url)), provider)
    client.get("/sign-out")
    assert client.get("/").status_code == 200
    done = client.post("/sign-out", headers={"Sec-Fetch-Site": "same-origin"})

    assert done.status_code == 303
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"groups": None}, []),
        ({"groups": "shop:oncall"}, ["shop:oncall"]),
        ({"groups": {"shop:oncall": True}}, []),
        ({"groups": ["/shop:oncall", "SHOP:ONCALL", "shop:oncall ", 7, None]}, []),
        ({"groups": ["unknown", "shop:oncall", "shop:oncall"]}, ["shop:oncall"]),
        ({"groups": [["shop:oncall"]]}, []),
    ],
)
def test_odd_groups(
    provider: OpenIdServer, tmp_path: Path, claims: dict[str, Any], groups: list[str]
) -> None:
    """Missing is none, a text is one, comparison is exact, what gitops.yaml does not name goes."""
    provider.claims |= claims
    client, _ = signed_in(World(sign_in_settings(tmp_path, provider.url)), provider)

    assert groups == client.get("/").json()["groups"]


def test_groups_in_a_nested_claim(provider: OpenIdServer, tmp_path: Path) -> None:
    """As Keycloak has roles."""
    provider.claims |= {"realm_access": {"roles": ["Shop"]}, "groups": ["shop:oncall"]}
    settings = sign_in_settings(tmp_path, provider.url, groupsClaim="realm_access.roles")
    client, _ = signed_in(World(settings), provider)

    assert ["Shop"] == client.get("/").json()["groups"]


def test_groups_that_only_the_user_info_has(provider: OpenIdServer, tmp_path: Path) -> None:
    """It is asked when the token has none, and must speak of the same person."""
    provider.claims["groups"] = None
    provider.user_info = {"sub": "7", "groups": ["shop:oncall"], "email": "evil@example.com"}
    client, _ = signed_in(World(sign_in_settings(tmp_path, provider.url)), provider)
    told = client.get("/").json()
    assert (["shop:oncall"], "user:ana@example.com") == (told["groups"], told["id"])

    provider.user_info["sub"] = "8"
    _, back = signed_in(World(sign_in_settings(tmp_path, provider.url)), provider)
    says_no(back, 403, "speaks of two people")


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"nonce": "another"}, "of another sign-in"),
        ({"nonce": None}, "of another sign-in"),
        ({"aud": "another"}, "for somebody else"),
        ({"aud": ["gitops", "another"]}, "for somebody else"),
        ({"azp": "another"}, "for somebody else"),
        ({"iss": "https://evil.example"}, "from somebody else"),
        ({"exp": 1}, "is over"),
        ({"exp": None}, "until when it is good"),
        ({"exp": "tomorrow"}, "until when it is good"),
        ({"iat": 9_999_999_999}, "not good yet"),
        ({"sub": None}, "about nobody"),
        ({"email_verified": False}, "not verified"),
        ({"email_verified": "true"}, "not verified"),
        ({"email": None}, "says no 'email'"),
        ({"email": "ana@example.com\nevil"}, "says no 'email'"),
    ],
)
def test_tokens_that_let_nobody_in(
    provider: OpenIdServer, tmp_path: Path, claims: dict[str, Any], words: str
) -> None:
    """Each ends in a page that says why, and in no session."""
    provider.claims |= claims
    client, back = signed_in(World(sign_in_settings(tmp_path, provider.url)), provider)

    says_no(back, 403, words)
    assert client.get("/").status_code == 401


def test_a_token_that_another_signed(provider: OpenIdServer, tmp_path: Path) -> None:
    """Same name of the key, another key; the client's secret as key; no signature at all."""
    provider.published = [provider.new_key("one")]
    _, back = signed_in(World(sign_in_settings(tmp_path, provider.url)), provider)
    says_no(back, 403, "not signed by whom it names")

    provider.published = [provider.key]
    provider.signs = "HS256"
    _, back = signed_in(World(sign_in_settings(tmp_path, provider.url)), provider)
    says_no(back, 403, "not signed as it must be")


def test_the_browser_must_be_the_one_that_began(provider: OpenIdServer, tmp_path: Path) -> None:
    """A link with somebody else's code signs nobody in: state is bound to the browser."""
    world = World(sign_in_settings(tmp_path, provider.url))
    evil, victim = world.client(), world.client()
    query = provider.sign_in(evil.get("/sign-in").headers["location"])
    assert come_back(victim, query).status_code == 401
    victim.get("/sign-in")
    assert come_back(victim, query).status_code == 401
    victim.get("/sign-in")
    assert come_back(victim, {**query, "state": "한"}).status_code == 401
    assert victim.get("/").status_code == 401


def test_a_planted_session_is_replaced(provider: OpenIdServer, tmp_path: Path) -> None:
    """Whoever puts their own session, or their own begun sign-in, into another's browser gains
    nothing by it: who signs in is themselves from then on, and what was planted names nobody
    else."""
    world = World(sign_in_settings(tmp_path, provider.url))
    provider.claims = {**ANA, "email": "eve@example.com", "groups": []}
    evil, _ = signed_in(world, provider)
    planted = evil.cookies[SESSION]
    evil.get("/sign-in")
    begun = evil.cookies[SIGN_IN]

    provider.claims = dict(ANA)
    victim = world.client()
    victim.cookies.set(SESSION, planted)
    assert victim.get("/").json()["id"] == "user:eve@example.com"
    state = provider.sign_in(victim.get("/sign-in").headers["location"])
    back = come_back(victim, state)
    assert f"{SESSION}=" in back.headers["set-cookie"]
    signed = victim.cookies.get(SESSION, domain="gitops.example.com")
    assert signed not in (None, planted)
    assert evil.get("/").json()["id"] == "user:eve@example.com"

    other = world.client()
    query = provider.sign_in(other.get("/sign-in").headers["location"])
    other.cookies.clear()
    other.cookies.set(SIGN_IN, begun)
    assert come_back(other, query).status_code == 401


def test_a_code_is_good_once(provider: OpenIdServer, tmp_path: Path) -> None:
    """Going back in the browser does not sign in again, nor in a circle."""
    client = World(sign_in_settings(tmp_path, provider.url)).client()
    query = provider.sign_in(client.get("/sign-in").headers["location"])
    assert come_back(client, query).status_code == 303
    assert come_back(client, query).status_code == 401


def test_a_sign_in_is_over_after_ten_minutes(provider: OpenIdServer, tmp_path: Path) -> None:
    """Who left the provider's page open begins again."""
    world = World(sign_in_settings(tmp_path, provider.url))
    client = world.client()
    query = provider.sign_in(client.get("/sign-in").headers["location"])
    world.clock.now += 601
    assert "too long ago" in come_back(client, query).json()["error"]


@pytest.mark.parametrize(
    "path",
    ["//evil.example/", "https://evil.example/", "/\\evil.example", "e/prod", "/a\nb", "", "/é"],
)
def test_nobody_is_led_elsewhere(provider: OpenIdServer, tmp_path: Path, path: str) -> None:
    """Only paths of ours come after the sign-in."""
    _, back = signed_in(World(sign_in_settings(tmp_path, provider.url)), provider, path)
    assert "/" == back.headers["location"]


def test_the_provider_says_no(provider: OpenIdServer, tmp_path: Path) -> None:
    """Its word is told, on one line, and there is no second try by itself."""
    client = World(sign_in_settings(tmp_path, provider.url)).client()
    state = provider.sign_in(client.get("/sign-in").headers["location"])["state"]
    back = come_back(client, {"state": state, "error": "access_denied\n<script>"})
    says_no(back, 401, "says no: access_denied <script>")


def test_a_provider_that_is_away(provider: OpenIdServer, tmp_path: Path) -> None:
    """503, never 401: nobody is signed out by it, and it is not asked in a loop."""
    world = World(sign_in_settings(tmp_path, provider.url))
    client, _ = signed_in(world, provider)
    provider.silent = True
    stranger = World(sign_in_settings(tmp_path, provider.url)).client()
    provider.calls.clear()

    assert [503, 503] == [stranger.get("/sign-in").status_code for _ in range(2)]
    assert 1 == len(provider.calls)
    assert client.get("/").status_code == 200


def test_signing_in_before_git_was_read(provider: OpenIdServer, tmp_path: Path) -> None:
    """Which groups mean something is not known: nobody is signed in with none by mistake."""
    world = World(sign_in_settings(tmp_path, provider.url))
    world.config = None
    _, back = signed_in(world, provider)
    assert back.status_code == 503


def test_only_those_who_may_look(provider: OpenIdServer, tmp_path: Path) -> None:
    """`signIn.who` bounds who gets in, also after it was changed."""
    settings = sign_in_settings(tmp_path, provider.url, who="['group:board']")
    _, back = signed_in(World(settings), provider)
    says_no(back, 403, "ana@example.com is nobody")

    provider.claims["groups"] = ["board"]
    client, back = signed_in(World(settings), provider)
    assert ["board"] == client.get("/").json()["groups"]
    other = World(settings.replace("group:board", "group:others")).client()
    other.cookies = client.cookies
    assert other.get("/").status_code == 401


def test_a_provider_of_another_name(provider: OpenIdServer, tmp_path: Path) -> None:
    """Who answers at the address must be who the settings name."""
    provider.said = {"issuer": "https://other.example"}
    client = World(sign_in_settings(tmp_path, provider.url)).client()
    assert client.get("/sign-in").status_code == 403


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_addresses_where_others_listen(provider: OpenIdServer, tmp_path: Path, name: str) -> None:
    """A provider that names plain HTTP elsewhere is not followed there."""
    provider.said = {name: "http://idp.example/x"}
    world = World(sign_in_settings(tmp_path, provider.url))
    client: TestClient = world.client()
    begun = client.get("/sign-in")
    if begun.status_code == 303:
        begun = come_back(client, provider.sign_in(begun.headers["location"]))
    says_no(begun, 403, "not https")


def test_an_address_that_nobody_vouches_for(provider: OpenIdServer, tmp_path: Path) -> None:
    """It writes no commits, and is no right; but whoever may be the author does not approve."""
    provider.claims |= {"email_verified": False, "preferred_username": "ana"}
    settings = sign_in_settings(tmp_path, provider.url, userClaim="preferred_username")
    world = World(settings)
    client, _ = signed_in(world, provider)
    sent = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
    person = world.identity.cookies.person(sent)
    assert person is not None
    assert ("user:ana", "ana@noreply.127.0.0.1") == (person.id, person.email)
    assert {"ana@example.com", "ana@noreply.127.0.0.1"} == person.addresses
    assert "user:ana@example.com" not in person.names


def test_nobody_is_called_as_argo_cd_calls_people(provider: OpenIdServer, tmp_path: Path) -> None:
    """Names and groups that only its proxy gives are not to be had by a name at the provider."""
    groups = ["argocd:gitops-rollback", "shop:oncall"]
    provider.claims |= {"preferred_username": "argocd:admin", "groups": groups}
    row = AccessRow(("rollback",), ("prod",), ("group:argocd:gitops-rollback", "group:shop:oncall"))
    world = World(sign_in_settings(tmp_path, provider.url), rows=[row])
    client, _ = signed_in(world, provider)
    assert ["shop:oncall"] == client.get("/").json()["groups"]
    named = sign_in_settings(tmp_path, provider.url, userClaim="preferred_username")
    says_no(signed_in(World(named), provider)[1], 403, "argocd:admin")
