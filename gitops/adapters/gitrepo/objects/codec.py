"""Git objects as bytes: ids, trees, commits, and loose files. No process is started.

Formats: gitformat and `git help pack-format`; a tree sorts directories as if named `name/`.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import threading
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from sys import intern

from msgspec import Struct

from gitops.core.git.commit import Identity, check_path
from gitops.errors import ManifestError

TREE, FILE, LINK, MODULE = "40000", "100644", "120000", "160000"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
RAW_LENGTH = {"sha1": 20, "sha256": 32}
_WIDE = 50  # entries; what has fewer is sorted anew in no time

_ID = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_COMMIT_HEAD = re.compile(f"tree ({_ID})\n((?:parent {_ID}\n)*)".encode())


Read = Callable[[str], "TreeContent"]


class ObjectEntry(Struct, frozen=True):
    """One line of a tree: octal mode without leading zero, and the id in hex."""

    mode: str
    oid: str

    @property
    def is_file(self) -> bool:
        """It is a regular file, executable or not."""
        return self.mode.startswith(FILE[:3])


TreeContent = Mapping[str, ObjectEntry]


GitObject = tuple[str, bytes]
"""Kind and body."""

LARGE = 1 << 14
"""Bytes; what is larger is not worth the time in a store that is thrown away."""


LARGEST = 1 << 25
"""Bytes of one object: a pack of a few may hold gigabytes of zeros."""


def read_commit_head(body: bytes) -> tuple[str, tuple[str, ...]] | None:
    """Return the tree and the parents that a commit names; None for what Git would not write."""
    found = _COMMIT_HEAD.match(body)
    if found is None:
        return None
    return found[1].decode(), tuple(found[2].decode().split()[1::2])


def object_bytes(kind: str, body: bytes) -> bytes:
    """Return what is hashed and stored: header and body."""
    return _head(kind, body) + body


def _head(kind: str, body: bytes) -> bytes:
    return f"{kind} {len(body)}\0".encode()


def object_id(kind: str, body: bytes, algorithm: str = "sha1") -> str:
    """Return the id of an object, in hex."""
    made = hashlib.new(algorithm, _head(kind, body), usedforsecurity=False)
    made.update(body)  # which may be large: it is not copied
    return made.hexdigest()


def read_loose(objects: Path, oid: str) -> GitObject | None:
    """Return kind and body of a loose object below the folder `objects`, None where it is not."""
    try:
        whole = zlib.decompress((objects / oid[:2] / oid[2:]).read_bytes())
    except FileNotFoundError:
        return None
    head, _, body = whole.partition(b"\0")
    return head.split(b" ")[0].decode(), body


def write_loose(objects: Path, made: Mapping[str, GitObject]) -> None:
    """Write loose objects (id -> kind and body) below the folder `objects`; atomic, repeatable."""
    for oid, (kind, body) in made.items():
        folder = objects / oid[:2]
        place = folder / oid[2:]
        if place.exists():
            continue
        folder.mkdir(exist_ok=True)
        temporary = f"{place}.{threading.get_ident()}"
        try:
            with os.fdopen(os.open(temporary, _NEW, 0o444), "wb") as file:
                level = 1 if len(body) < LARGE else 0
                file.write(zlib.compress(object_bytes(kind, body), level))
            os.replace(temporary, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise


def parse_tree(body: bytes, length: int = 20) -> TreeContent:
    """Return name -> entry of a tree object; `length` is the size of a raw id in bytes.

    Raises ValueError for bytes that are no tree.
    """
    tree: dict[str, ObjectEntry] = {}
    at = 0
    while at < len(body):
        space = body.index(b" ", at)
        end = body.index(b"\0", space)
        # The same few names and modes stand in most trees, and many trees are remembered.
        name = intern(body[space + 1 : end].decode("utf-8", "surrogateescape"))
        mode = intern(body[at:space].decode())
        tree[name] = ObjectEntry(mode, body[end + 1 : end + 1 + length].hex())
        at = end + 1 + length
    if at != len(body):
        raise ValueError("the last id is cut off")
    return tree


def render_tree(tree: TreeContent) -> bytes:
    """Return the body of a tree object, in Git's order."""
    modes: dict[str, bytes] = {}
    lines: list[tuple[bytes, bytes]] = []
    for name, entry in tree.items():  # thousands, and mostly in order
        raw = name.encode("utf-8", "surrogateescape")
        mode = modes.get(entry.mode) or modes.setdefault(entry.mode, entry.mode.encode() + b" ")
        place = raw + b"/" if entry.mode == TREE else raw
        lines.append((place, b"%b%b\0%b" % (mode, raw, bytes.fromhex(entry.oid))))
    lines.sort()
    return b"".join([line for _, line in lines])


class Patched(Struct):
    """What a patch made.

    Attributes:
        objects: id -> kind and body.
        grew: new tree -> the tree that it was made from.
    """

    objects: dict[str, GitObject] = {}
    grew: dict[str, str] = {}


def patch_tree(
    root: str | None,
    files: Mapping[str, bytes | None],
    read: Read,
    algorithm: str = "sha1",
    *,
    body_of: Callable[[str], bytes] | None = None,
) -> tuple[str, Patched]:
    """Return the id of `root`'s tree with `files` replaced (None deletes), and what is new.

    Only the trees on the paths are read, with `body_of` the bytes of some of them as well. Modes of
    existing files are kept, new ones are 100644, folders that become empty vanish. Raises
    ManifestError for a path that is no regular file, or leads through something that is no folder.
    """
    for path in files:
        check_path(path)
    patch = _Patch(read, algorithm, body_of)
    return patch.tree(root, patch.entries(root, files)), patch.made


class _Patch:
    """The work of `patch_tree`."""

    def __init__(self, read: Read, algorithm: str, body_of: Callable[[str], bytes] | None) -> None:
        self.made = Patched()
        self._read = read
        self._algorithm = algorithm
        self._body_of = body_of

    def _add(self, kind: str, body: bytes) -> str:
        oid = object_id(kind, body, self._algorithm)
        self.made.objects[oid] = (kind, body)
        return oid

    def tree(self, old: str | None, tree: TreeContent) -> str:
        """Add the tree that `old` became."""
        body = self._replaced(old, tree) if old is not None else None
        oid = self._add("tree", body if body is not None else render_tree(tree))
        if old is not None and old != oid:
            self.made.grew[oid] = old
        return oid

    def _replaced(self, old: str, tree: TreeContent) -> bytes | None:
        """Return the body where nothing but a few ids of a wide tree are new: no need to sort."""
        if self._body_of is None or len(tree) < _WIDE:
            return None
        before = self._read(old)
        if before.keys() != tree.keys():
            return None
        body = self._body_of(old)
        for name, entry in tree.items():
            was = before[name]
            if was is entry:
                continue
            line = f"{was.mode} {name}\0".encode("utf-8", "surrogateescape")
            told = line + bytes.fromhex(was.oid)
            if was.mode != entry.mode or body.count(told) != 1:
                return None
            body = body.replace(told, line + bytes.fromhex(entry.oid))
        return body

    def entries(self, root: str | None, files: Mapping[str, bytes | None]) -> TreeContent:
        """Return `root` with `files` replaced; add blobs, and the trees below it."""
        leaves: dict[str, bytes | None] = {}
        below: dict[str, dict[str, bytes | None]] = {}
        for path, content in files.items():
            head, slash, rest = path.partition("/")
            if slash:
                below.setdefault(head, {})[rest] = content
            else:
                leaves[head] = content
        tree = dict(self._read(root)) if root is not None else {}
        for name, content in leaves.items():
            old = tree.get(name)
            if old is not None and (old.mode in (TREE, LINK, MODULE) or name in below):
                raise ManifestError("is not a regular file", path=name)
            if content is None:
                tree.pop(name, None)
            else:
                tree[name] = ObjectEntry(old.mode if old else FILE, self._add("blob", content))
        for name, inner in below.items():
            old = tree.get(name)
            if old is not None and old.mode != TREE:
                raise ManifestError("is not a folder", path=name)
            if old is None and all(content is None for content in inner.values()):
                continue
            was = old.oid if old is not None else None
            try:
                found = self.entries(was, inner)
            except ManifestError as error:
                raise ManifestError(error.problem, path=f"{name}/{error.path}") from None
            if found:
                tree[name] = ObjectEntry(TREE, self.tree(was, found))
            else:
                del tree[name]
        return tree


def render_commit(
    tree: str,
    parents: Sequence[str],
    author: Identity,
    committer: Identity,
    time: datetime,
    message: str,
) -> bytes:
    """Return the body of an unsigned commit object; times are written in UTC."""
    stamp = f"{int(time.timestamp())} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines.append(f"author {plain(author.name)} <{plain(author.email)}> {stamp}")
    lines.append(f"committer {plain(committer.name)} <{plain(committer.email)}> {stamp}")
    text = "\n".join(lines) + "\n\n" + message.rstrip("\n") + "\n"
    return text.replace("\0", "").encode("utf-8", "surrogateescape")


def read_message(body: bytes) -> tuple[str, float]:
    """Return the message of a commit object, and its time: seconds since 1970, 0 for nonsense."""
    head, _, message = body.partition(b"\n\n")
    committer = next((one for one in head.split(b"\n") if one.startswith(b"committer ")), b"")
    stamp = committer.rpartition(b"> ")[2].split(b" ")[0]
    seconds = float(stamp) if stamp.isdigit() and len(stamp) < 12 else 0.0
    return message.decode("utf-8", "replace"), seconds


def plain(text: str) -> str:
    """Return a name or address without what would break a commit's header."""
    return "".join(letter for letter in text if letter.isprintable() and letter not in "<>").strip()


INDEX_HEAD = b"\xfftOc\x00\x00\x00\x02"
"""Begins the index of a pack (version 2)."""

_TABLE = len(INDEX_HEAD)

_IDS = _TABLE + 256 * 4


def missing(objects: Path, oids: Iterable[str]) -> list[str]:
    """Return those of `oids`, each once, that the folder `objects` does not hold."""
    wanted = [oid for oid in dict.fromkeys(oids) if not (objects / oid[:2] / oid[2:]).exists()]
    for path in (objects / "pack").glob("*.idx") if wanted else ():
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as index,
        ):
            if index[:_TABLE] == INDEX_HEAD:
                wanted = [oid for oid in wanted if _number_of(index, bytes.fromhex(oid)) is None]
    return wanted


def offset_in(index: mmap.mmap, oid: bytes) -> int | None:
    """Return where the pack with this index has the object `oid`; None where it has it not.

    None, too, for an index of another version, and for what lies beyond 2 GB.
    """
    if index[:_TABLE] != INDEX_HEAD or (number := _number_of(index, oid)) is None:
        return None
    total = int.from_bytes(index[_IDS - 4 : _IDS])
    at = _IDS + total * (len(oid) + 4) + number * 4  # behind ids and checksums
    offset = int.from_bytes(index[at : at + 4])
    return offset if offset < 1 << 31 else None


def _number_of(index: mmap.mmap, oid: bytes) -> int | None:
    """Return how many ids stand before `oid` in an index; None where it is not there."""

    def count(byte: int) -> int:
        at = _TABLE + byte * 4
        return int.from_bytes(index[at : at + 4]) if byte >= 0 else 0

    def id_at(number: int) -> bytes:
        at = _IDS + number * len(oid)
        return index[at : at + len(oid)]

    low, high = count(oid[0] - 1), count(oid[0])
    found = bisect_left(range(high), oid, low, high, key=id_at)
    return found if found < high and id_at(found) == oid else None
