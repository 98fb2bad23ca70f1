"""What a merge makes of files: looked at from its three sides, and from what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from gitops.core.audit.merged_content import merges_to, settled
from gitops.core.git.commit import CommitInfo
from gitops.ports import Tree, TreeEntry

MergeText = Callable[[bytes, bytes, bytes], bytes | None]


class MergedTrees(Protocol):
    """The part of `ports.Evidence` that tells what a merge did."""

    def forks(self, one: str, other: str) -> tuple[str, ...]:
        """Return the newest commits that both have."""
        ...

    def at(self, commit: str) -> Tree:
        """Return the files of a commit."""
        ...

    def changed(self, before: str, after: str) -> tuple[str, ...]:
        """Return the paths that differ."""
        ...


class MergeSides(Struct, frozen=True):
    """A merge: the common ancestor, the branch, what comes in, and what landed."""

    base: Tree
    ours: Tree
    theirs: Tree
    landed: Tree

    def strange(self, paths: Iterable[str], merge_text: MergeText) -> tuple[str, ...]:
        """Return those of `paths` that landed with something else than a merge makes."""
        return tuple(path for path in paths if not self._is_merged(path, merge_text))

    def _is_merged(self, path: str, merge_text: MergeText) -> bool:
        trees = (self.base, self.ours, self.theirs, self.landed)
        base, ours, theirs, landed = (tree.entry(path) for tree in trees)
        sure, expected = settled(base, ours, theirs)
        if sure:
            return expected == landed
        contents = [
            tree.read(path) if _is_file(entry) else None
            for tree, entry in zip(trees, (base, ours, theirs, landed), strict=True)
        ]
        old, one, other, found = contents
        if old is None or one is None or other is None or found is None:
            return False
        return merges_to(old, one, other, found, path, merge_text)


def brings_nothing(evidence: MergedTrees, info: CommitInfo, own: frozenset[str]) -> bool:
    """Say whether a commit only merges the base into a branch, as "update branch" does.

    `own` are the commits that the branch has over its base. What such a merge resolved by hand, or
    wrote beside, makes it a commit like any other.
    """
    outside = [parent for parent in info.parents if parent not in own]
    inside = [parent for parent in info.parents if parent in own]
    if len(outside) != 1 or len(inside) != 1:
        return False
    forks = evidence.forks(inside[0], outside[0])
    if len(forks) != 1:
        return False
    paths = {
        *evidence.changed(forks[0], inside[0]),
        *evidence.changed(outside[0], info.commit),
    }
    trees = (evidence.at(one) for one in (forks[0], outside[0], inside[0], info.commit))
    return not MergeSides(*trees).strange(sorted(paths), lambda *_: None)


def _is_file(entry: TreeEntry | None) -> bool:
    return entry is not None and entry.kind == "file"
