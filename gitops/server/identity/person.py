"""A person who uses the page, or a machine that calls it."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from gitops.core.git.commit import Identity
from gitops.core.text.plain import one_line
from gitops.errors import Denied

Via = Literal["loopback", "oidc", "github", "proxy", "argocd", "job", "token", "registry"]

RESERVED: Final = "argocd:"
"""Begins the names of people and groups that only Argo CD's proxy gives."""


class Person(Struct, frozen=True):
    """Who asks, and how that is known.

    Attributes:
        id: what `access:` names them by: `user:ana@example.com`, `job:shop-ci`.
        groups: `shop:oncall`, as whoever signed them in says.
        via: how they came in.
        token: their own token at the service where they signed in; never shown.
        server: the address of that service: no other gets the token.
        claimed: other addresses that may be theirs, with blanks between them: good for nothing but
            to know an author by.
        branch: of a job: the source branch that its token proves.
        commit: of a job: the source commit that its token proves.
        ref: of a job: what its token is of that is no branch: `refs/tags/v1`.
        application: of Argo CD: the environment and app that the call may be about.
    """

    id: str
    name: str
    email: str
    groups: tuple[str, ...] = ()
    via: Via = "loopback"
    token: str | None = None
    branch: str | None = None
    commit: str | None = None
    application: tuple[str, str | None] | None = None
    server: str | None = None
    claimed: str = ""
    ref: str | None = None

    def __repr__(self) -> str:
        return f"Person(id={self.id!r}, via={self.via!r})"

    @property
    def author(self) -> Identity:
        """Who they are to Git."""
        return Identity(one_line(self.name) or self.id, self.email)

    @property
    def names(self) -> tuple[str, ...]:
        """All that rights may call them; `mail:` is for telling an author, and never a right."""
        mails = (f"mail:{one}" for one in dict.fromkeys((self.email, *self.claimed.split())) if one)
        return (self.id, *(f"group:{one}" for one in self.groups), *mails)

    @property
    def addresses(self) -> frozenset[str]:
        """Addresses that an author who is this person may have, in small letters."""
        found = (self.email, *self.claimed.split(), self.id.partition(":")[2])
        return frozenset(one.casefold() for one in found if "@" in one)


class Unproved(Denied):
    """It is not known who asks; signing in is the way out."""

    http_status = 401
