"""A person who uses the page, or a machine that calls it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Via = Literal["loopback", "oidc", "github", "proxy", "argocd", "job", "token"]


class Person(Struct, frozen=True):
    """Who asks, and how that is known.

    Attributes:
        id: what `access:` names them by: `user:ana@example.com`.
        groups: `shop:oncall`, as whoever signed them in says.
        via: how they came in.
        token: their own token for the forge; never shown.
    """

    id: str
    name: str
    email: str
    groups: tuple[str, ...] = ()
    via: Via = "loopback"
    token: str | None = None

    def __repr__(self) -> str:
        return f"Person(id={self.id!r}, via={self.via!r})"
