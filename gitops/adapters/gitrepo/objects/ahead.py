"""Objects in memory before anybody asks for them: many go through git's pipe at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gitops.adapters.gitrepo.objects.pack import GitObject
from gitops.adapters.gitrepo.objects.reader import TOO_LARGE, BatchReader

_LOT = 500  # names that fit into a pipe, so that nobody waits for room in it
_ROOM = 1 << 26  # bytes that are read before they are asked for
_NEXT = 16  # of those that are expected are read together, and forgotten together
_EXPECTED = 100_000  # names that are remembered


class ObjectsAhead:
    """What was read, or made, and may be asked for. It changes no answer, only what they cost.

    Args:
        reader: asks git.
    """

    def __init__(self, reader: BatchReader) -> None:
        self._reader = reader
        self._here: dict[str, GitObject] = {}
        self._size = 0  # bytes in `_here`: a process that lives long has many
        self._order: list[str] = []
        self._places: dict[str, int] = {}
        self._next: dict[str, GitObject] = {}

    def get(self, name: str) -> GitObject | None:
        """Return an object that is in memory, or is expected; None for any other."""
        found = self._here.get(name) or self._next.get(name)
        if found is None and name in self._places:
            place = self._places[name]
            self._next = self._read(self._order[place : place + _NEXT])
            found = self._next.get(name)
        return found

    def add(self, objects: Mapping[str, GitObject]) -> None:
        """Remember objects."""
        for oid, one in objects.items():
            if oid not in self._here:
                self._here[oid] = one
                self._size += len(one[1])

    def read(self, oids: Iterable[str]) -> list[str]:
        """Read objects that will be asked for one by one; return those that are new in memory."""
        wanted = [oid for oid in dict.fromkeys(oids) if oid not in self._here]
        if not wanted:
            return []
        for start in range(0, len(wanted), _LOT):
            if self._size >= _ROOM:
                break
            self.add(self._read(wanted[start : start + _LOT]))
        return [oid for oid in wanted if oid in self._here]

    def let_go(self, oids: Iterable[str]) -> None:
        """Forget objects."""
        for oid in oids:
            gone = self._here.pop(oid, None)
            self._size -= len(gone[1]) if gone is not None else 0

    def expect(self, oids: Sequence[str]) -> None:
        """Be told what will be asked for in this order: a few are read at a time."""
        if len(self._order) + len(oids) > _EXPECTED:
            self._order, self._places = [], {}
        if 1 < len(oids) <= _EXPECTED:
            start = len(self._order)
            self._order += oids
            self._places |= {oid: start + place for place, oid in enumerate(oids)}

    def _read(self, oids: Sequence[str]) -> dict[str, GitObject]:
        answers = zip(oids, self._reader.ask(oids), strict=True)
        return {oid: one for oid, one in answers if one and one is not TOO_LARGE}
