"""What the browser keeps for us: who signed in, and a sign-in under way. Sealed, never stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from gitops.errors import Refused
from gitops.ports.sign_in import Account, Seal
from gitops.server.identity.person import Person

SESSION: Final = "__Host-gitops"
SIGN_IN: Final = "__Host-gitops-signin"
MOST: Final = 4_000
"""Characters of name and value: browsers drop what has more than 4,096, without a word."""

_SIGN_IN_SECONDS: Final = 600
_TOKEN_SECONDS: Final = 3600.0
_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"


class SignedIn(Struct, frozen=True, tag="session", array_like=True):
    """Who signed in.

    Attributes:
        until: when they must sign in again, in seconds of Unix time.
        token: their own token at the service, None where it was too long to keep.
        token_until: when it is forgotten.
    """

    id: str
    name: str
    email: str
    groups: tuple[str, ...]
    via: Literal["oidc", "github"]
    until: float
    token: str | None = None
    token_until: float = 0.0
    claimed: str = ""


class SigningIn(Struct, frozen=True, tag="sign-in", array_like=True):
    """A sign-in under way: what must fit when the browser comes back."""

    state: str
    nonce: str
    verifier: str
    back_to: str
    until: float


T = TypeVar("T", SignedIn, SigningIn)


class Cookies:
    """Makes and reads both.

    Args:
        lifetime: seconds that one stays signed in.
        now: returns Unix time in seconds.
    """

    def __init__(self, seal: Seal, lifetime: float, now: Callable[[], float]) -> None:
        self._seal = seal
        self._lifetime = lifetime
        self._now = now

    def signed_in(
        self, account: Account, via: Literal["oidc", "github"], known: Collection[str]
    ) -> str:
        """Return the header of a new session; of the groups, those that are in `known` are kept.

        Raises Refused where it would be too large all the same.
        """
        now = self._now()
        groups = tuple(one for one in account.groups if f"group:{one}" in known)
        until = now + self._lifetime
        token_until = min(now + min(account.seconds or _TOKEN_SECONDS, _TOKEN_SECONDS), until)
        name = f"user:{account.user}"
        made = SignedIn(
            id=name,
            name=account.name,
            email=account.email,
            groups=groups,
            via=via,
            until=until,
            token=account.token,
            token_until=token_until,
            claimed=account.claimed if account.claimed != account.email else "",
        )
        value = self._sealed(made)
        if len(SESSION) + len(value) > MOST:
            value = self._sealed(msgspec.structs.replace(made, token=None))
        if len(SESSION) + len(value) > MOST:
            raise Refused(
                f"you are in {len(groups)} groups that gitops.yaml names, which is more than a "
                "browser can keep",
                hint="name fewer groups in `access:`",
            )
        return f"{SESSION}={value}; Max-Age={int(self._lifetime)}; {_ATTRIBUTES}"

    def signing_in(self, state: str, nonce: str, verifier: str, back_to: str) -> str:
        """Return the header that begins a sign-in."""
        until = self._now() + _SIGN_IN_SECONDS
        value = self._sealed(SigningIn(state, nonce, verifier, back_to, until))
        return f"{SIGN_IN}={value}; Max-Age={_SIGN_IN_SECONDS}; {_ATTRIBUTES}"

    def person(self, header: str) -> Person | None:
        """Return who signed in, None where that is over or was never so."""
        found = self._read(header, SESSION, SignedIn)
        if found is None:
            return None
        token = found.token if self._now() < found.token_until else None
        return Person(
            id=found.id,
            name=found.name,
            email=found.email,
            groups=found.groups,
            via=found.via,
            token=token,
            claimed=found.claimed,
        )

    def sign_in(self, header: str) -> SigningIn | None:
        """Return the sign-in under way."""
        return self._read(header, SIGN_IN, SigningIn)

    def _sealed(self, content: SignedIn | SigningIn) -> str:
        return self._seal.seal(msgspec.json.encode(content))

    def _read(self, header: str, name: str, kind: type[T]) -> T | None:
        value = read_cookies(header).get(name)
        content = self._seal.open(value) if value is not None and len(value) < 8_192 else None
        if content is None:
            return None
        try:
            # The tag in it says what it is: a cookie of one kind never passes for another.
            found = msgspec.json.decode(content, type=kind)
        except msgspec.MsgspecError:
            return None
        return found if self._now() < found.until else None


def forgotten(name: str) -> str:
    """Return the header that takes a cookie away."""
    return f"{name}=; Max-Age=0; {_ATTRIBUTES}"


def read_cookies(header: str) -> Mapping[str, str]:
    """Return the cookies of a request; of two with one name none counts."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for part in header.split(";"):
        name, sign, value = part.strip().partition("=")
        if sign and name in found:
            twice.add(name)
        found[name] = value
    return {name: value for name, value in found.items() if name not in twice}
