"""Keys of issuers: kept, changed, and not asked for in a loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitops.adapters.signin.documents import Documents
from gitops.adapters.signin.keys import Discovered, Issuers
from gitops.errors import Denied, Unavailable
from identity_world import Clock
from servers.openid import OpenIdServer

NOW = 1_900_000_000.0


@pytest.fixture
def issuer() -> Iterator[OpenIdServer]:
    """An issuer whose tokens are good around NOW."""
    with OpenIdServer() as server:
        yield server


def token(issuer: OpenIdServer, **claims: object) -> str:
    """Return a token of the issuer."""
    return issuer.token({"iat": int(NOW), "exp": int(NOW) + 9_999, "aud": "us", **claims})


def test_keys_are_kept_for_an_hour(issuer: OpenIdServer) -> None:
    """One question for all tokens of that time."""
    clock = Clock(NOW)
    found = Discovered(issuer.url, Documents("it", {}), clock=clock)
    for seconds in (0, 1, 3599):
        clock.now = NOW + seconds
        found.claims(token(issuer, a=seconds))
    assert 1 == issuer.calls.count("/keys")
    clock.now = NOW + 3700
    found.claims(token(issuer))
    assert 2 == issuer.calls.count("/keys")


def test_a_new_key_is_found(issuer: OpenIdServer) -> None:
    """Of another kind, too; whoever sends names of keys that nobody has is asked for seldom."""
    clock = Clock(NOW)
    found = Discovered(issuer.url, Documents("it", {}), clock=clock)
    found.claims(token(issuer))
    old, issuer.key = issuer.key, issuer.new_key("two", curve=True)
    issuer.signs, issuer.published = "ES256", [old, issuer.key]
    with pytest.raises(Denied, match="does not have"):
        found.claims(token(issuer))
    clock.now = NOW + 61
    assert "us" == found.claims(token(issuer))["aud"]

    issuer.key, asked = issuer.new_key("three", curve=True), issuer.calls.count("/keys")
    for seconds in range(62, 182, 3):
        clock.now = NOW + seconds
        with pytest.raises(Denied):
            found.claims(token(issuer))
    assert issuer.calls.count("/keys") - asked <= 2


def test_an_issuer_that_is_away(issuer: OpenIdServer) -> None:
    """It says nothing of anybody; those who come right after are told without asking."""
    clock = Clock(NOW)
    found = Discovered(issuer.url, Documents("it", {}), clock=clock)
    issuer.silent = True
    for _ in range(5):
        with pytest.raises(Unavailable):
            found.claims(token(issuer))
    assert 1 == len(issuer.calls)
    issuer.silent = False
    clock.now += 6
    assert found.claims(token(issuer))


def test_a_token_is_for_us(issuer: OpenIdServer) -> None:
    """One that was made for another service is not passed on to this one."""
    issuers = Issuers({}, {}, clock=Clock(NOW))
    assert issuers.claims(issuer.url, "us", token(issuer))
    assert issuers.claims(issuer.url, "us", token(issuer, aud=["a", "us"]))
    for audience in ("them", None, {"us": 1}, ["u", "s"]):
        with pytest.raises(Denied, match="for somebody else"):
            issuers.claims(issuer.url, "us", token(issuer, aud=audience))


def test_keys_that_are_given(issuer: OpenIdServer) -> None:
    """Then nobody is asked, as for a cluster that the server does not reach."""
    keys = {"keys": [issuer.key.as_dict(private=False), {"kty": "oct", "k": "c2VjcmV0"}, 7]}
    issuers = Issuers({}, {issuer.url: keys}, clock=Clock(NOW))
    assert issuers.claims(issuer.url, "us", token(issuer))
    assert [] == issuer.calls


@pytest.mark.parametrize("text", ["", "a.b.c", "e30.e30.", "é.é.é", "." * 9, "W10.e30.e30"])
def test_what_is_no_token(issuer: OpenIdServer, text: str) -> None:
    """Refused as such, whatever it looks like."""
    issuers = Issuers({}, {issuer.url: {"keys": []}}, clock=Clock(NOW))
    with pytest.raises(Denied):
        issuers.claims(issuer.url, "us", text)
