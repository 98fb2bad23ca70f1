"""What a registry asks for with 401, read from whatever it sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.adapters.registry.challenge import (
    Challenge,
    are_related,
    read_challenge,
    realm_problem,
    scope_for,
)
from gitops.core.images.name import ImageName

API = ImageName("registry.example.com", "shop/api")
WORDS = st.sampled_from(["Bearer", "Basic", " ", ",", '"', "=", "realm", "\\", "https://a", "x"])


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (
            'Bearer realm="https://a/t",service="s",scope="repository:x:pull"',
            Challenge("bearer", "https://a/t", "s", "repository:x:pull"),
        ),
        ('bearer Realm="https://a/t"', Challenge("bearer", "https://a/t")),
        ('Basic realm="r", Bearer realm="https://a/t"', Challenge("bearer", "https://a/t")),
        ('Basic realm="a \\"b\\""', Challenge("basic", 'a "b"')),
        ("Basic", Challenge("basic")),
        ("Negotiate", None),
        ("", None),
    ],
)
def test_challenges_are_read(header: str, wanted: Challenge | None) -> None:
    """Bearer where there is a choice; nothing for what we do not know."""
    assert read_challenge(header) == wanted


@given(st.text(max_size=200) | st.lists(WORDS, max_size=20).map("".join))
def test_any_header_is_read_or_is_none(header: str) -> None:
    """Nothing that a server sends ends the call."""
    found = read_challenge(header)
    if found is not None:
        realm_problem(found.realm, "registry.example.com")
        scope_for(API, "pull", found.scope)


@pytest.mark.parametrize(
    ("host", "realm", "wanted"),
    [
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("registry-1.docker.io", "https://auth.docker.io/token", True),
        ("ghcr.io", "https://ghcr.io/token", True),
        ("ghcr.io", "https://evil.io/token", False),
        ("registry.example.com", "https://example.com.evil.net/t", False),
        ("registry.example.com", "https://evilexample.com/t", False),
        ("10.0.0.1", "https://20.0.0.1/t", False),
        ("127.0.0.1:5000", "http://127.0.0.1:6000/t", True),
        ("registry", "https://other/t", False),
    ],
)
def test_whose_realm_may_have_the_password(host: str, realm: str, *, wanted: bool) -> None:
    """The same machine, or the same last two labels."""
    assert are_related(host, realm) is wanted


@pytest.mark.parametrize(
    "asked",
    ["repository:other/x:pull", "registry:catalog:*", "repository:shop/api:pull x", "", "a"],
)
def test_the_scope_is_about_this_repository(asked: str) -> None:
    """A registry that wants a token for something else does not get it."""
    assert scope_for(API, "pull", asked) == "repository:shop/api:pull"
    assert (
        scope_for(API, "pull", "repository:shop/api:pull,push") == "repository:shop/api:pull,push"
    )
