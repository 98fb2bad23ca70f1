"""What `gitops watch` tells, as it happens."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from gitops.core.environment import Overlay


class Event(Struct, frozen=True):
    """One thing that changed.

    Attributes:
        overlay: None for what is about all of them (Git cannot be reached).
        commit: the release that it is about, None when there is none.
        verdict: what was written to the ledger, None when nothing was.
        is_trouble: something could not be looked at, or not be written.
    """

    overlay: Overlay | None
    text: str
    commit: str | None = None
    verdict: Literal["stable", "degraded"] | None = None
    is_trouble: bool = False
