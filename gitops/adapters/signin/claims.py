"""What an OpenID provider says of a person, read with care: what is odd is nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gitops.core.text.plain import one_line
from gitops.errors import Denied
from gitops.ports.sign_in import Account

_MOST_GROUPS = 2_000
_LONGEST = 200  # characters of a name


class ClaimNames(Struct, frozen=True):
    """Which claims are read.

    Attributes:
        user: the claim that names a person for ever; `email` only counts when it is verified.
        groups: where their groups are; dots go into claims that are objects.
        trusts_email: the provider vouches for addresses without saying so.
    """

    user: str = "email"
    groups: str = "groups"
    trusts_email: bool = False


def read_account(
    claims: Mapping[str, Any], names: ClaimNames, host: str, token: str | None, seconds: int
) -> Account:
    """Return the person that `claims` are about. Raises Denied where they name nobody.

    `host` makes an address for those who have none.
    """
    email = _text(claims.get("email"))
    verified = names.trusts_email or claims.get("email_verified") is True
    if names.user == "email" and email and not verified:
        raise Denied(
            "your address is not verified by the sign-in service",
            hint="have it verified there, or set signIn.userClaim or signIn.trustEmail",
        )
    user = _text(_at(claims, names.user))
    if not user:
        raise Denied(
            f"the sign-in service says no {names.user!r} of you",
            hint="ask for more with signIn.scopes, or name another claim with signIn.userClaim",
        )
    name = _text(claims.get("name")) or _text(claims.get("preferred_username")) or user
    own = email if verified else ""
    made = own or f"{_local(user)}@noreply.{host}"
    groups = read_groups(claims, names)
    return Account(user, one_line(name, _LONGEST), made, groups, token, seconds, email)


def read_groups(claims: Mapping[str, Any], names: ClaimNames) -> tuple[str, ...]:
    """Return the groups: a text is one, and whatever is neither text nor list is none."""
    found = _at(claims, names.groups)
    rows = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    texts = [one for row in rows[:_MOST_GROUPS] if (one := _text(row))]
    return tuple(dict.fromkeys(texts))


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """Return the claim of that name, else go in by its parts."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _text(value: Any) -> str:
    """A name must be seen as it is: nothing that cannot be printed, no blanks around it."""
    fits = isinstance(value, str) and len(value) <= _LONGEST and value.isprintable()
    return value if fits and value == value.strip() else ""


def _local(user: str) -> str:
    return "".join(
        one if one.isascii() and (one.isalnum() or one in "._-") else "-" for one in user
    )
