"""Objects that were made here and have no file yet: they get one when git is to see them.

A process that pushes by itself never shows git what it made, and a hundred commits are a thousand
files. Until somebody asks git they stand in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gitops.adapters.gitrepo.objects import pack as packing
from gitops.adapters.gitrepo.objects.codec import GitObject, write_loose

_MANY = 64  # objects; more of them are one pack


class WaitingObjects:
    """What is not yet among the files of one store.

    Attributes:
        size: bytes that wait.
        packed: some of them came into a pack that nobody else knows of.

    Args:
        folder: where the objects of the store lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[str, GitObject] = {}
        self.size = 0
        self.packed = False

    def add(self, objects: Mapping[str, GitObject]) -> None:
        """Take in objects, for later."""
        for oid, one in objects.items():
            if oid not in self._waiting:
                self._waiting[oid] = one
                self.size += len(one[1])

    def get(self, oid: str) -> GitObject | None:
        """Return an object that has no file yet."""
        return self._waiting.get(oid)

    def write(self, *, as_pack: bool) -> None:
        """Give all that wait their files; `as_pack`: many of them one pack."""
        if as_pack and len(self._waiting) > _MANY:
            packing.write_pack(self._folder / "pack", *packing.pack_up(self._waiting))
            self.packed = True
        else:
            write_loose(self._folder, self._waiting)
        self._waiting, self.size = {}, 0
