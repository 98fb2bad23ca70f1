"""What was made here, and no server may have yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile

from gitops.adapters.gitrepo.objects.codec import GitObject, Patched


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
            if kind == "commit":
                waiting += [body[5 : body.index(b"\n")].decode(), *parents_of(body)]
        return found


def parents_of(commit: bytes) -> tuple[str, ...]:
    """Return the parents that the body of a commit names."""
    lines = iter(commit.split(b"\n")[1:])  # the first line is the tree
    named = takewhile(lambda line: line.startswith(b"parent "), lines)
    return tuple(line[7:].decode() for line in named)
