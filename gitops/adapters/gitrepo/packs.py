"""Which objects a store has, without asking git: git would fetch what is missing, one by one.

An index (version 2, gitformat-pack) holds the ids of its pack, sorted, after a table that says how
many of them begin with each byte or a smaller one.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

_HEAD = b"\xfftOc\x00\x00\x00\x02"
_TABLE = len(_HEAD)
_IDS = _TABLE + 256 * 4


def missing(objects: Path, oids: Iterable[str]) -> list[str]:
    """Return those of `oids`, each once, that the folder `objects` does not hold."""
    wanted = [oid for oid in dict.fromkeys(oids) if not (objects / oid[:2] / oid[2:]).exists()]
    for path in (objects / "pack").glob("*.idx") if wanted else ():
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as index,
        ):
            if index[:_TABLE] == _HEAD:
                wanted = [oid for oid in wanted if not _holds(index, bytes.fromhex(oid))]
    return wanted


def _holds(index: mmap.mmap, oid: bytes) -> bool:
    def count(byte: int) -> int:
        at = _TABLE + byte * 4
        return int.from_bytes(index[at : at + 4]) if byte >= 0 else 0

    def id_at(number: int) -> bytes:
        at = _IDS + number * len(oid)
        return index[at : at + len(oid)]

    low, high = count(oid[0] - 1), count(oid[0])
    found = bisect_left(range(high), oid, low, high, key=id_at)
    return found < high and id_at(found) == oid
