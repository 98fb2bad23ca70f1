"""Who writes."""

from __future__ import annotations

from msgspec import Struct


class Identity(Struct, frozen=True):
    """Who writes: a Git author or committer."""

    name: str
    email: str
