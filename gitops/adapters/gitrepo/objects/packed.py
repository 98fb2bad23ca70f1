"""A few objects out of packs, read in process: no git is started for them.

A pack and its index may have been written by anybody: an object counts only when its bytes are what
its id says. Whatever is not read here is git's to read.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from gitops.adapters.gitrepo.objects import pack as packing
from gitops.adapters.gitrepo.objects.codec import LARGEST, GitObject, object_id, offset_in

_MOST = 200  # objects: of more git reads each in a tenth of the time
_LONGEST = 64  # deltas one upon the other; git makes 50


class PackedObjects:
    """Packs of SHA-1 ids; what of them cannot be opened is left alone."""

    def __init__(self, packs: Iterable[Path]) -> None:
        """`packs`: their paths, without the ending."""
        self._left = _MOST
        self._open: list[tuple[mmap.mmap, mmap.mmap]] = []
        for path in packs:
            with suppress(OSError, ValueError):
                self._open.append((_mapped(f"{path}.idx"), _mapped(f"{path}.pack")))

    def find(self, names: Sequence[str]) -> list[GitObject] | None:
        """Return kind and body of each object; None where that is git's to do."""
        self._left -= len(names)
        if self._left < 0:
            return None
        found: list[GitObject] = []
        for name in names:
            try:
                one = self._read(name)
            except (packing.BadPack, ValueError):
                return None
            if one is None or object_id(*one) != name:
                return None
            found.append(one)
        return found

    def _read(self, name: str) -> GitObject | None:
        """Return what lies under an id: its last delta upon the one before, and so on."""
        deltas: list[bytes] = []
        place = self._place(bytes.fromhex(name))
        while place is not None and len(deltas) < _LONGEST:
            pack, start = place
            kind, base, data = packing.entry_at(pack, start, LARGEST)
            if kind is not None:
                for delta in reversed(deltas):
                    data = packing.apply_delta(data, delta, LARGEST)
                return kind, data
            deltas.append(data)
            place = (pack, base) if isinstance(base, int) else self._place(base)
        return None

    def _place(self, oid: bytes) -> tuple[mmap.mmap, int] | None:
        for index, pack in self._open:
            if (offset := offset_in(index, oid)) is not None:
                return pack, offset
        return None


def _mapped(path: str) -> mmap.mmap:
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
