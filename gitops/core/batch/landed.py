"""What landed on a branch lately: ids, and how far back everything was looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from gitops.core.git.commit import CommitInfo
from gitops.core.git.message import trailers

_ID: Final = "Gitops-Id"


def looked_back(commits: Sequence[CommitInfo], bases: Iterable[str]) -> frozenset[str]:
    """Return those of `bases` since which everything on the branch is among `commits`.

    `commits` are the newest ones, the tip first, on all sides of merges; the others in no order.
    A side that leads to where nobody looked, and not to a base, makes that base count as too old.
    """
    parents = {info.commit: info.parents for info in commits}
    return frozenset(
        base for base in set(bases) if commits and _all_since(base, commits[0].commit, parents)
    )


def _all_since(base: str, tip: str, parents: Mapping[str, Sequence[str]]) -> bool:
    older = _reach(base, parents, frozenset())
    newer = _reach(tip, parents, older)
    ends = {parent for commit in newer for parent in parents.get(commit, ())} | {tip}
    return base in ends and newer <= parents.keys()


def _reach(start: str, parents: Mapping[str, Sequence[str]], without: Collection[str]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        commit = waiting.pop()
        if commit not in found and commit not in without:
            found.add(commit)
            waiting += parents.get(commit, ())
    return found


def landed(commits: Iterable[CommitInfo]) -> dict[str, CommitInfo]:
    """Return `Gitops-Id` -> the commit that holds it."""
    return {
        name: info
        for info in commits
        if _ID in info.message
        for name in trailers(info.message).get(_ID, ())
    }
