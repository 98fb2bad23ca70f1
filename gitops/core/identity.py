"""Who writes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who writes: a Git author or committer."""

    name: str
    email: str
