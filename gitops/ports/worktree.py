"""The caller's own checkout."""

from __future__ import annotations

from typing import Protocol


class WorkTree(Protocol):
    """The caller's own checkout, for environments with `change: work-tree`."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file of the checkout, None when there is none."""
        ...

    def replace(self, path: str, content: bytes) -> None:
        """Replace a file atomically, keeping its mode. Never follows a link out of the checkout."""
        ...
