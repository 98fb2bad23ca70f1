"""Folders that were parsed, and are remembered: those that were asked for lately."""

from __future__ import annotations

from gitops.adapters.gitrepo.objects.codec import TreeContent

_BESIDE = 4  # entries that a tree counts for by itself


class RecentTrees:
    """Remembers trees by their ids.

    Attributes:
        entries: of all of them, and a few more for each, which takes as much by itself.
    """

    def __init__(self) -> None:
        self._trees: dict[str, TreeContent] = {}
        self.entries = 0

    def __contains__(self, oid: object) -> bool:
        return oid in self._trees

    def __len__(self) -> int:
        return len(self._trees)

    def find(self, oid: str) -> TreeContent | None:
        """Return a tree, None where it is not remembered; the latest that was asked for is last."""
        tree = self._trees.pop(oid, None)
        if tree is not None:
            self._trees[oid] = tree
        return tree

    def add(self, oid: str, tree: TreeContent, most: int) -> None:
        """Remember a tree beside at most so many entries of others."""
        self.entries += len(tree) + _BESIDE
        self.let_go(most)
        self._trees[oid] = tree

    def let_go(self, most: int) -> None:
        """Forget what was not asked for lately, so that there are at most so many entries."""
        gone: list[str] = []
        for oid, tree in self._trees.items():
            if self.entries <= most:
                break
            self.entries -= len(tree) + _BESIDE
            gone.append(oid)
        for oid in gone:
            del self._trees[oid]
