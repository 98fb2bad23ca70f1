"""What was made here: what no server may have yet, and what has no file yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from gitops.adapters.gitrepo.objects import pack as packing
from gitops.adapters.gitrepo.objects.codec import GitObject, Patched, read_commit_head, write_loose

_MANY = 64  # objects; more of them are one pack
_BESIDE = 400  # bytes that an object takes beside its own


class MadeObjects:
    """New objects, and how they hang together.

    Attributes:
        objects: id -> kind and body.
        grew: tree -> the one that it was made from.
    """

    def __init__(self) -> None:
        self.objects: dict[str, GitObject] = {}
        self.grew: dict[str, str] = {}
        self._with: dict[str, tuple[str, ...]] = {}  # tree -> what was made for it

    def patched(self, tree: str, root: str | None, made: Patched) -> None:
        """Take note of what was made for `tree`, of the tree `root`."""
        self.objects.update(made.objects)
        self.grew |= made.grew
        self._with[tree] = (*made.objects, *self._with.get(root or "", ()))

    def shared(self, tips: Iterable[str]) -> None:
        """Take note that the server has `tips`; what others are about to push stays new."""
        for oid in self.lacking(tips):
            del self.objects[oid]
            self.grew.pop(oid, None)
            self._with.pop(oid, None)

    def clear(self) -> None:
        """Forget what nobody has pushed, or will."""
        self.objects.clear()
        self.grew.clear()
        self._with.clear()

    def lacking(self, tips: Iterable[str]) -> Mapping[str, GitObject]:
        """Return what belongs to `tips`; all else came from the server.

        Of trees the one comes first from which another was made.
        """
        found: dict[str, GitObject] = {}
        waiting = list(tips)
        while waiting:
            oid = waiting.pop()
            if oid in found or oid not in self.objects:
                continue
            found[oid] = kind, body = self.objects[oid]
            waiting += self._with.get(oid, ())
            if kind == "commit" and (head := read_commit_head(body)) is not None:
                waiting += [head[0], *head[1]]
        return found


class WaitingObjects:
    """What was made here and has no file yet: it gets one when git is to see it.

    A process that pushes by itself never shows git what it made, and a hundred commits are a
    thousand files. Until somebody asks git they stand in memory.

    Attributes:
        objects: id -> kind and body.
        size: bytes of memory that they take.
        packed: some of them came into a pack that nobody else knows of.

    Args:
        folder: where the objects of the store lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.objects: dict[str, GitObject] = {}
        self.size = 0
        self.packed = False

    def add(self, objects: Mapping[str, GitObject]) -> None:
        """Take in objects, for later."""
        for oid, one in objects.items():
            if oid not in self.objects:
                self.objects[oid] = one
                self.size += len(one[1]) + _BESIDE

    def write(self, *, as_pack: bool) -> None:
        """Give all that wait their files; `as_pack`: many of them one pack."""
        if as_pack and len(self.objects) > _MANY:
            packing.write_pack(self._folder / "pack", *packing.pack_up(self.objects))
            self.packed = True
        else:
            write_loose(self._folder, self.objects)
        self.objects.clear()
        self.size = 0
