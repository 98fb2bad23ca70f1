"""What the browser keeps."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.adapters.signin.jose import Sealing
from gitops.errors import Refused
from gitops.ports.sign_in import Account
from gitops.server.identity.cookies import MOST, SESSION, SIGN_IN, Cookies, read_cookies
from identity_world import Clock

KEY, OTHER = os.urandom(32), os.urandom(40)
ACCOUNT = Account("ana@example.com", "Ana", "ana@example.com", ("shop:oncall",), "t" * 700, 600)
KNOWN = frozenset({"group:shop:oncall"})


def cookies(*keys: bytes, now: float = 1000.0) -> tuple[Cookies, Clock]:
    """Return what makes cookies, and its clock."""
    clock = Clock(now)
    return Cookies(Sealing(keys or (KEY,)), 8 * 3600.0, clock), clock


def value_of(header: str) -> str:
    """Return what a browser sends of a header that sets a cookie."""
    return header.partition(";")[0]


def test_a_session_is_over_after_its_time() -> None:
    """8 hours; the person's own token an hour at the most, or what the service says."""
    made, clock = cookies()
    sent = value_of(made.signed_in(ACCOUNT, "oidc", KNOWN))
    person = made.person(sent)
    assert person is not None
    assert ("user:ana@example.com", "t" * 700) == (person.id, person.token)
    clock.now += 601
    assert (later := made.person(sent)) is not None
    assert later.token is None
    clock.now += 8 * 3600
    assert made.person(sent) is None


def test_keys_are_replaced() -> None:
    """The first seals, all open; without the old one everybody signs in anew."""
    old, _ = cookies(KEY)
    sent = value_of(old.signed_in(ACCOUNT, "oidc", KNOWN))
    both, _ = cookies(OTHER, KEY)
    assert both.person(sent) is not None
    assert cookies(OTHER)[0].person(sent) is None
    fresh = value_of(both.signed_in(ACCOUNT, "oidc", KNOWN))
    assert cookies(OTHER)[0].person(fresh) is not None
    assert old.person(fresh) is None


def test_one_kind_is_not_another() -> None:
    """A sign-in that was begun is no session, though sealed with the same key."""
    made, _ = cookies()
    begun = value_of(made.signing_in("state", "nonce", "verifier", "/"))
    assert made.person(begun.replace(SIGN_IN, SESSION, 1)) is None
    session = value_of(made.signed_in(ACCOUNT, "oidc", KNOWN))
    assert made.sign_in(session.replace(SESSION, SIGN_IN, 1)) is None


def test_two_of_a_name_are_none() -> None:
    """A cookie that somebody put beside ours decides nothing."""
    made, _ = cookies()
    sent = value_of(made.signed_in(ACCOUNT, "oidc", KNOWN))
    assert made.person(f"a=b; {sent}; c=d") is not None
    assert made.person(f"{sent}; {sent}") is None


def test_sixty_groups() -> None:
    """Those that mean nothing are left out; a token that has no room is; then it is a page."""
    made, _ = cookies()
    many = tuple(f"cn=team-{number:03},ou=groups,dc=example,dc=com" for number in range(60))
    account = Account("ana", "Ana", "a@example.com", many, "t" * 700)
    few = made.signed_in(account, "oidc", KNOWN | {f"group:{many[7]}"})
    assert (person := made.person(value_of(few))) is not None
    assert (many[7],) == person.groups
    assert person.token is not None

    all_of = frozenset(f"group:{one}" for one in many)
    large = made.signed_in(account, "oidc", all_of)
    assert len(value_of(large)) <= MOST
    assert (person := made.person(value_of(large))) is not None
    assert (many, None) == (person.groups, person.token)

    more = tuple(f"{one},c=kr" * 2 for one in many)
    with pytest.raises(Refused, match="60 groups"):
        made.signed_in(
            Account("ana", "Ana", "", more), "oidc", frozenset(f"group:{one}" for one in more)
        )


@given(st.text(max_size=60), st.integers(0, 400), st.characters(max_codepoint=127))
def test_whatever_a_browser_sends(text: str, place: int, other: str) -> None:
    """Nothing but what was sealed here is anybody, and nothing is an error."""
    made, _ = cookies()
    assert made.person(text) is None
    assert made.person(f"{SESSION}={text}") is None
    sent = value_of(made.signed_in(ACCOUNT, "oidc", KNOWN))
    at = len(SESSION) + 1 + place
    if sent[at] != other and not other.isspace():
        changed = f"{sent[:at]}{other}{sent[at + 1 :]}"
        found = made.person(changed)
        # The last character of base64 has bits that mean nothing.
        assert found is None or found == made.person(sent)
    assert read_cookies(sent).keys() == {SESSION}
