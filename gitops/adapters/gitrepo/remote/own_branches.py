"""The ledger's branch, where it came along with a tip.

Others may push branches below `gitops/`, of any size: none is fetched but by its whole name.
"""

from __future__ import annotations

from pathlib import Path

from gitops.core.ledger.records import LEDGER_BRANCH

_PREFIX = "gitops/"
_REF = "refs/gitops/beside/ledger"

BESIDE = f"+refs/heads/{LEDGER_BRANCH}:{_REF}"
"""The refspec that brings it; where there is none the fetch fails, see `lacks_ledger`."""


def is_own(branch: str) -> bool:
    """Say whether `branch` is one of our own."""
    return branch.startswith(_PREFIX)


def lacks_ledger(words: str) -> bool:
    """Say whether a fetch failed since there is no ledger yet."""
    return f"refs/heads/{LEDGER_BRANCH}" in words


class OwnBranches:
    """The ledger as it was when the tip was read. Who asks twice wants to know anew."""

    def __init__(self, store: Path | None, *, lacks: bool = False) -> None:
        """Read it from the store that the fetch was made into; None: nothing came.

        `lacks`: the server said that there is none.
        """
        self._commit: str | None = None
        if store is not None:
            ref = store / _REF
            self._commit = ref.read_text().strip() if ref.is_file() and not lacks else ""

    def take(self, branch: str) -> str | None:
        """Return the commit of `branch`, "" where there is no such branch, None for "ask"."""
        if branch != LEDGER_BRANCH:
            return None
        commit, self._commit = self._commit, None
        return commit
