"""The repositories that images are built from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol


class Sources(Protocol):
    """The repositories that images are built from, each named by its URL.

    All calls may raise NotFound (repository), Denied and its kinds, Unavailable, TimedOut.
    """

    def heads(self, url: str) -> Mapping[str, str]:
        """Return branch -> commit, as they are now."""
        ...

    def find(self, url: str, branch: str, commit: str) -> str | None:
        """Return all digits of `commit` (at least 7 of them) if it is on `branch`, else None."""
        ...

    def is_older(self, url: str, branch: str, commit: str, than: str) -> bool:
        """Say whether `commit` is an ancestor of `than`; False when one is not on `branch`."""
        ...

    def times(
        self, url: str, commits: Collection[str], *, typed: bool = False
    ) -> Mapping[str, datetime]:
        """Return when each of `commits` was committed; those that it does not have are left out.

        `commits` have all their digits. `typed`: the caller named `url`, not only `gitops.yaml`, so
        it may be a folder of this machine, and their credentials go there.
        """
        ...

    def create_branch(self, url: str, branch: str, commit: str, start: str) -> bool:
        """Make `branch` at `commit`, which is on branch `start`; False when it exists."""
        ...
