"""The branches below `gitops/`: which there are, and the ledger's, where it came along with a tip.

Others may push branches below `gitops/`, of any size: none is fetched but by its whole name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gitops.adapters.gitrepo.command.messages import AnswerKind, PushVerdict
from gitops.core.ledger import LEDGER_BRANCH
from gitops.ports import RefUpdate

_PREFIX = "gitops/"
_FEW = 2  # proposals that are asked for by fetching them
_REF = "refs/gitops/beside/ledger"

OWN = f"refs/heads/{_PREFIX}"
"""Begins the full names of branches of our own."""

BESIDE = {f"refs/heads/{LEDGER_BRANCH}": _REF}
"""The ref of the ledger, and where it is put; where there is none a fetch by git fails, see
`lacks_ledger`."""


def is_own(branch: str) -> bool:
    """Say whether `branch` is one of our own."""
    return branch.startswith(_PREFIX)


def lacks_ledger(verdict: PushVerdict) -> bool:
    """Say whether a fetch that asked for the ledger failed for nothing but that there is none."""
    missing = verdict.kind is AnswerKind.NO_BRANCH
    return missing and f"refs/heads/{LEDGER_BRANCH}" in verdict.words


class OwnBranches:
    """Which branches below `gitops/` there are, listed once where a call asks for many of them.

    Most environments have no proposal: a fetch for each would ask the server as often for nothing.
    """

    def __init__(self, refs: Mapping[str, str] | None = None, ledger: str | None = None) -> None:
        """`refs`: ref -> id, as a listing has just told it.

        `ledger`: the ledger's commit as it was when the tip was read, "" where there is none.
        """
        self._asked: set[str] = set()
        self._refs = refs
        self._ledger = ledger

    def moved(self, updates: Iterable[RefUpdate]) -> None:
        """Take note of a push that landed: what was listed before it is old."""
        if self._refs is not None:
            moved = {one.ref: one.new for one in updates}
            refs = {**self._refs, **moved}
            self._refs = {ref: oid for ref, oid in refs.items() if oid is not None}

    def all(self, refs: Callable[[str], Mapping[str, str]]) -> Mapping[str, str]:
        """Return branch -> commit of all of them. `refs` lists the refs of a pattern."""
        if self._refs is None:
            self._refs = refs(f"{OWN}*")
        start = len(OWN) - len(_PREFIX)
        return {ref[start:]: oid for ref, oid in self._refs.items() if ref.startswith(OWN)}

    def find(self, branch: str, refs: Callable[[str], Mapping[str, str]]) -> str | None:
        """Return the commit of `branch`, "" where there is no such branch, None for "ask".

        `refs` lists the refs of a pattern. Whoever asks twice wants to know anew: so does a call
        that is planned again, of all that it asked for, and one listing serves that again.
        """
        if not is_own(branch):
            return None
        if branch == LEDGER_BRANCH and self._ledger is not None:
            commit, self._ledger = self._ledger, None
            self._asked.add(branch)
            return commit
        if branch in self._asked:
            self._asked.clear()
            self._refs = None
        self._asked.add(branch)
        if self._refs is None:
            if branch == LEDGER_BRANCH or len(self._asked) <= _FEW:
                return None
            self._refs = refs(f"{OWN}*")
        return self._refs.get(f"refs/heads/{branch}", "")


def beside(told: Mapping[str, str] | None, store: Path, *, lacks: bool) -> tuple[OwnBranches, str]:
    """Return what is known of branches of our own, and the commit of a ledger that came along.

    Args:
        told: what the server said of its refs; None: nothing.
        lacks: the server has no ledger.
    """
    ref = store / _REF
    came = ref.read_text().strip() if ref.is_file() and not lacks else ""
    ledger = told.get(f"refs/heads/{LEDGER_BRANCH}", "") if told is not None else came
    return OwnBranches(told, ledger), ledger if ledger == came else ""
