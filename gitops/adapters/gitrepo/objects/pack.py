"""Packs read and made in process, where they are small: no git is started for a few objects.

Formats: `git help gitformat-pack` (packs of version 2, their index of version 2). What is read is
hostile until it is hashed: sizes are bounded, and an id is what the bytes say, never what a pack
says.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

from msgspec import Struct

from gitops.adapters.gitrepo.objects.codec import INDEX_HEAD, LARGEST, GitObject, object_id

KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_NUMBERS = {kind: number for number, kind in KINDS.items()}
_OFFSET, _REFERENCE = 6, 7  # deltas on what stands before, and on an id
HEADER = 12  # bytes of a pack before its first object
_TRAILER = 20
_MOST_INFLATED = LARGEST  # bytes of all objects of one pack
_SHORT = 512  # bytes; what is shorter is put in whole
_INSERTED = 127  # bytes that one command of a delta may bring
_AT_ONCE = 0xFFFF  # bytes that one command may copy, in every Git there is
_COPIED = 1 << 31
_BITS = 63  # of a number: one without end takes hours to read
_WINDOW = 1 << 11  # bytes that are inflated at once: what comes of them is small

_SHIFTS = tuple(tuple(8 * bit for bit in range(4) if code >> bit & 1) for code in range(16))
"""Which bytes of a number a delta has: four bits of a command -> how far left each one goes."""


def _operands(code: int) -> tuple[int, int, int]:
    """Return how many bytes follow a command that copies, and the mask and length of its offset.

    The mask is -1 where a byte of a number is left out that is not its highest.
    """
    offset, length = _SHIFTS[code & 15], _SHIFTS[code >> 4 & 7]
    count = len(offset) + len(length)
    if (*offset, *length) != (*range(0, 8 * len(offset), 8), *range(0, 8 * len(length), 8)):
        return count, -1, 0
    return count, (1 << 8 * len(offset)) - 1, 8 * len(offset)


_COPIES = tuple(map(_operands, range(128, 256)))


class BadPack(Exception):
    """The bytes are no pack, or one that is not read in process."""


class PackedEntry(Struct, frozen=True):
    """Where one object lies in its pack, and the checksum of the bytes there."""

    oid: str
    offset: int
    crc: int


class ReadPack(Struct, frozen=True):
    """All that one pack holds.

    Attributes:
        name: the hash at its end, in hex.
        thin: some of its deltas build on what it does not hold.
    """

    name: str
    thin: bool
    objects: Mapping[str, GitObject]
    entries: Sequence[PackedEntry]


def count_of(head: bytes) -> int:
    """Return how many objects the pack with these first bytes says it has. Raises BadPack."""
    if len(head) < HEADER or head[:8] != b"PACK\0\0\0\2":
        raise BadPack("no pack of version 2")
    return int.from_bytes(head[8:HEADER])


def read_pack(pack: bytes, find: Callable[[str], GitObject | None]) -> ReadPack:
    """Return the objects of a whole pack of SHA-1 ids; `find` has what its deltas may build on.

    Raises BadPack.
    """
    body, name = pack[:-_TRAILER], pack[-_TRAILER:]
    if hashlib.sha1(body, usedforsecurity=False).digest() != name:
        raise BadPack("the pack is damaged")
    at_offset: dict[int, GitObject] = {}
    objects: dict[str, GitObject] = {}
    entries: list[PackedEntry] = []
    at, inflated, thin = HEADER, 0, False
    for _ in range(count_of(pack)):
        start = at
        kind, size, at = _head(body, at)
        base: GitObject | None = None
        if kind == _OFFSET:
            back, at = _distance(body, at)
            base = at_offset.get(start - back)
        elif kind == _REFERENCE:
            oid, at = body[at : at + 20].hex(), at + 20
            base = objects.get(oid)
            if base is None:
                base, thin = find(oid), True
        inflated += size
        if inflated > _MOST_INFLATED:
            raise BadPack("the pack holds more than is read in process")
        data, at = _inflate(body, at, size)
        if kind in KINDS:
            found = (KINDS[kind], data)
        elif base is not None:
            found = (base[0], apply_delta(base[1], data, _MOST_INFLATED - inflated))
            inflated += len(found[1])
        else:
            raise BadPack("a delta builds on what is not there")
        oid = object_id(*found)
        at_offset[start] = objects[oid] = found
        entries.append(PackedEntry(oid, start, zlib.crc32(body[start:at])))
    if at != len(body):
        raise BadPack("something stands behind the last object")
    return ReadPack(name.hex(), thin, objects, entries)


def entry_at(
    body: bytes | mmap.mmap, start: int, most: int
) -> tuple[str | None, int | bytes, bytes]:
    """Return the kind and the bytes of one object of a pack, at most `most` of them.

    Of a delta the kind is None, and the second value says where its base stands: offset or id.
    Raises BadPack.
    """
    if not HEADER <= start < len(body):
        raise BadPack("an object is not in the pack")
    number, size, at = _head(body, start)
    base: int | bytes = 0
    if number == _OFFSET:
        back, at = _distance(body, at)
        base = start - back if back > 0 else -1
    elif number == _REFERENCE:
        base, at = body[at : at + 20], at + 20
    elif number not in KINDS:
        raise BadPack("an object of a kind that nobody knows")
    if size > most:
        raise BadPack("an object is larger than is read in process")
    return KINDS.get(number), base, _inflate(body, at, size)[0]


def _head(body: bytes | mmap.mmap, at: int) -> tuple[int, int, int]:
    """Return kind and size of the object at `at`, and where it goes on."""
    try:
        byte = body[at]
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 128:
            at += 1
            byte = body[at]
            size |= (byte & 127) << shift
            shift += 7
            if shift > _BITS:
                raise BadPack("an object is larger than any can be")
    except IndexError:
        raise BadPack("the pack ends too early") from None
    return kind, size, at + 1


def _distance(body: bytes | mmap.mmap, at: int) -> tuple[int, int]:
    try:
        byte = body[at]
        back = byte & 127
        while byte & 128:
            at += 1
            byte = body[at]
            back = ((back + 1) << 7) | (byte & 127)
            if back >> _BITS:
                raise BadPack("a delta builds on what is not there")
    except IndexError:
        raise BadPack("the pack ends too early") from None
    return back, at + 1


def _inflate(body: bytes | mmap.mmap, at: int, size: int) -> tuple[bytes, int]:
    """Return the `size` bytes that are deflated at `at`, and where that ends."""
    reader = zlib.decompressobj()
    # What is given to it is copied where it is not used: a little more than most objects need.
    window = min(size + (size >> 3) + 64, _WINDOW)
    fed, made, length = at, None, 0
    try:
        while True:
            some = body[fed : fed + window]
            if not some:
                raise BadPack("the pack ends too early")
            data = reader.decompress(some, size + 1 - length)
            fed, length = fed + len(some), length + len(data)
            if length > size or reader.unconsumed_tail:
                raise BadPack("an object is larger than it says")
            if reader.eof and made is None:
                break
            # Of a large one no second copy is made, as joining its parts would.
            made = made or BytesIO()
            made.write(data)
            if reader.eof:
                data = made.getvalue()
                break
    except zlib.error as error:
        raise BadPack(f"an object is damaged: {error}") from None
    if len(data) != size:
        raise BadPack("an object is not as large as it says")
    return data, fed - len(reader.unused_data)


def apply_delta(base: bytes, delta: bytes, most: int) -> bytes:
    """Return what a delta makes of `base`, at most `most` bytes. Raises BadPack."""
    try:
        old, at = _size(delta, 0)
        new, at = _size(delta, at)
        if old != len(base) or new > most:
            raise BadPack("a delta does not fit")
        parts: list[bytes] = []
        made, end, number = 0, len(delta), int.from_bytes
        # A large file has a hundred thousand of these commands: no function is called for each.
        while at < end and made <= new:
            code = delta[at]
            at += 1
            if code & 128:
                count, mask, bits = _COPIES[code - 128]
                if mask >= 0:
                    word = number(delta[at : at + count], "little")
                    start, length = word & mask, word >> bits
                    at += count
                else:
                    start = length = 0
                    for shift in _SHIFTS[code & 15]:
                        start |= delta[at] << shift
                        at += 1
                    for shift in _SHIFTS[code >> 4 & 7]:
                        length |= delta[at] << shift
                        at += 1
                length = length or 0x10000
                if start + length > old:
                    raise BadPack("a delta does not fit")
                parts.append(base[start : start + length])
            elif code:
                length = code
                parts.append(delta[at : at + length])
                at += length
            else:
                raise BadPack("a delta has a command that nobody knows")
            made += length
    except IndexError:
        raise BadPack("a delta ends too early") from None
    whole = b"".join(parts)
    if len(whole) != new or at > end:
        raise BadPack("a delta does not fit")
    return whole


def _size(delta: bytes, at: int) -> tuple[int, int]:
    size = shift = 0
    while shift <= _BITS:
        byte = delta[at]
        size |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if not byte & 128:
            return size, at
    raise BadPack("a delta does not fit")


def make_pack(objects: Mapping[str, GitObject], grew: Mapping[str, str] = {}) -> bytes:
    """Return a pack with these objects, in their order.

    Args:
        grew: an object -> one that it differs little from; where that one stands before it in the
            pack, only what differs is put in.
    """
    parts, before = list[bytes](), set[str]()
    for oid, (kind, body) in objects.items():
        base = grew.get(oid, "")
        delta = _delta(objects[base][1], body) if base in before else None
        if delta is None:
            parts.append(_packed(_NUMBERS[kind], body))
        else:
            parts.append(_packed(_REFERENCE, delta, bytes.fromhex(base)))
        before.add(oid)
    return _sealed(parts)


def pack_up(objects: Mapping[str, GitObject]) -> tuple[ReadPack, bytes]:
    """Return a pack with objects that are what their ids say, and its bytes."""
    parts, entries, at = list[bytes](), list[PackedEntry](), HEADER
    for oid, one in objects.items():
        parts.append(part := _packed(_NUMBERS[one[0]], one[1]))
        entries.append(PackedEntry(oid, at, zlib.crc32(part)))
        at += len(part)
    whole = _sealed(parts)
    return ReadPack(whole[-_TRAILER:].hex(), False, objects, entries), whole


def _packed(number: int, body: bytes, base: bytes = b"") -> bytes:
    """Return one object of a pack: the number of its kind, and of a delta the id of its base."""
    rest = len(body) >> 4
    head = bytearray([number << 4 | len(body) & 15])
    while rest:
        head[-1] |= 128
        head.append(rest & 127)
        rest >>= 7
    return bytes(head) + base + zlib.compress(body, 1)


def _delta(base: bytes, body: bytes) -> bytes | None:
    """Return what makes `body` of `base`, where they differ in one short place; else None."""
    if min(len(base), len(body)) < _SHORT:
        return None
    begin = _alike(base, body)
    end = _alike(base[begin:][::-1], body[begin:][::-1])
    new = body[begin : len(body) - end]
    if len(new) > _INSERTED or max(len(base), len(body)) >= _COPIED:
        return None
    return b"".join(
        (
            _render_size(len(base)),
            _render_size(len(body)),
            _copy(0, begin),
            bytes([len(new)]) + new if new else b"",
            _copy(len(base) - end, end),
        )
    )


def _alike(one: bytes, other: bytes) -> int:
    """Return how many bytes are the same at the front."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _copy(start: int, size: int) -> bytes:
    """Return the command that copies `size` bytes, in as many parts as it takes."""
    parts = b""
    while size > 0:
        some = min(size, _AT_ONCE)
        parts += b"\xff" + start.to_bytes(4, "little") + some.to_bytes(3, "little")
        start, size = start + some, size - some
    return parts


def _render_size(number: int) -> bytes:
    told = bytearray()
    while number > 127:
        told.append(number & 127 | 128)
        number >>= 7
    return bytes([*told, number])


def _sealed(parts: Sequence[bytes]) -> bytes:
    body = b"PACK\0\0\0\2" + len(parts).to_bytes(4) + b"".join(parts)
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def make_index(name: str, entries: Sequence[PackedEntry]) -> bytes:
    """Return the index of the pack called `name`, which is shorter than 2 GB."""
    ordered = sorted(entries, key=lambda entry: entry.oid)
    raw = [bytes.fromhex(entry.oid) for entry in ordered]
    counts = [0] * 256
    for oid in raw:
        counts[oid[0]] += 1
    total, table = 0, bytearray()
    for one in counts:
        total += one
        table += total.to_bytes(4)
    body = b"".join(
        (
            INDEX_HEAD,
            table,
            *raw,
            *(entry.crc.to_bytes(4) for entry in ordered),
            *(entry.offset.to_bytes(4) for entry in ordered),
            bytes.fromhex(name),
        )
    )
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def write_pack(folder: Path, pack: ReadPack, whole: bytes) -> None:
    """Write a pack of which `whole` are the bytes, and its index, into a folder that git reads."""
    stem = f"{folder}/pack-{pack.name}"
    # The index makes it a pack that git sees, so it comes last.
    for end, content in (("pack", whole), ("idx", make_index(pack.name, pack.entries))):
        temporary = Path(f"{stem}.{end}.new")
        temporary.write_bytes(content)
        os.replace(temporary, f"{stem}.{end}")
