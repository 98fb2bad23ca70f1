"""What was found out about overlays, kept for the next call: a copy that decides nothing."""

from __future__ import annotations

from typing import Protocol

LOOKS = "looks"
"""The page that says where images were looked up last (`actions/images/known.py`)."""


class Index(Protocol):
    """Pages about one repository, by their names.

    A page that comes back is one that a gitops of this user on this machine kept, whole; whatever
    else lies there is none. It may be old. Nothing raises: what cannot be kept is let go.
    """

    def page(self, name: str) -> bytes | None:
        """Return what was kept under `name` last, None when there is nothing."""
        ...

    def looked_at(self, branch: str, commit: str, time: float) -> None:
        """Take note that the pages of `branch` are from `commit` (made at `time`) or newer.

        The next call that begins with them asks for what came on top of it.
        """
        ...

    def keep(self, name: str, content: bytes) -> None:
        """Put `content` in place of the last page of that name."""
        ...
