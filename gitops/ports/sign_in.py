"""Who somebody is, as another server says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct


class Account(Struct, frozen=True):
    """Somebody who signed in.

    Attributes:
        user: what rights name them by, without `user:`.
        email: an address that the service vouches for, "" without one.
        groups: in the service's words; () where it tells none.
        token: their own token at the service; a power of its own, so it is never shown.
        seconds: how long it is good for, 0 where that is not said.
        claimed: other addresses that may be theirs, with blanks between them: nobody vouches for
            them, and they are good for nothing but to know an author by.
    """

    user: str
    name: str
    email: str = ""
    groups: tuple[str, ...] = ()
    token: str | None = None
    seconds: int = 0
    claimed: str = ""

    def __repr__(self) -> str:
        return f"Account(user={self.user!r})"


class SignInService(Protocol):
    """A service that people sign in at with their browser.

    Calls may raise Unavailable (it does not answer, which says nothing of anybody), Denied (it
    says no, or what it says is no proof), and block for some seconds at most.
    """

    def address(self, state: str, nonce: str, challenge: str, back: str) -> str:
        """Return where to send the browser; `challenge` is the S256 of the verifier (PKCE)."""
        ...

    def exchange(self, code: str, verifier: str, nonce: str, back: str) -> Account:
        """Return who came back with `code`, which is good once."""
        ...

    def again(self, token: str) -> Account:
        """Ask anew who the owner of a token is, and in which groups."""
        ...


class TokenIssuers(Protocol):
    """The services that jobs have their tokens from."""

    def claims(self, issuer: str, audience: str, token: str) -> Mapping[str, Any]:
        """Return what `token` says when `issuer` (its URL) signed it for `audience`, in its time.

        Raises Denied, and Unavailable where the keys of the issuer cannot be had.
        """
        ...


class Seal(Protocol):
    """Hides what a browser keeps for us, and knows what it has hidden itself."""

    def seal(self, content: bytes) -> str:
        """Return `content` as text for a cookie; nobody else can read it or make such."""
        ...

    def open(self, text: str) -> bytes | None:
        """Return the content, None of whatever was not sealed here."""
        ...
