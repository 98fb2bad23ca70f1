"""Branches of our own (`gitops/…`: the ledger, proposals) that came along with a tip."""

from __future__ import annotations

from pathlib import Path

_PREFIX = "gitops/"
_REFS = "refs/gitops/beside/"

BESIDE = f"+refs/heads/{_PREFIX}*:{_REFS}*"
"""The refspec that brings them; where there is none it brings nothing."""


def is_own(branch: str) -> bool:
    """Say whether `branch` is one of our own."""
    return branch.startswith(_PREFIX)


class OwnBranches:
    """The branches as they were when the tip was read. Who asks twice wants to know anew."""

    def __init__(self, store: Path | None) -> None:
        """Read them from the store that the fetch was made into; None: none came."""
        self._came = store is not None
        self._told: set[str] = set()
        self._commits: dict[str, str] = {}
        if store is not None:
            files = [path for path in (store / _REFS).rglob("*") if path.is_file()]
            self._commits = {
                _PREFIX + path.relative_to(store / _REFS).as_posix(): path.read_text().strip()
                for path in files
            }

    def take(self, branch: str) -> str | None:
        """Return the commit of `branch`, "" where there is no such branch, None for "ask"."""
        if not self._came or not is_own(branch) or branch in self._told:
            return None
        self._told.add(branch)
        return self._commits.get(branch, "")
