"""What is remembered of one repository between two calls, and how it is written down. Pure.

It is a small shallow clone: the newest known commit of a few branches, with all of their files.
Most objects are in packs, which are files of their own; the few that came since the last pack are
held here, so that a call which adds five objects writes a few kilobytes.

The form: lines of words, an empty line, then the bodies of the objects, one after the other,
compressed together. An object's id is not written down: it is the hash of what is read.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from msgspec import Struct

from gitops.adapters.gitrepo.objects.codec import RAW_LENGTH

_FORM = "gitops-remembers 2"
_HASH = r"[0-9a-f]{64}"
_ID = r"[0-9a-f]{40}|[0-9a-f]{64}"
_LARGEST = 64 * 1024 * 1024  # bytes of bodies; more cannot have been kept


class Remembered(Struct, frozen=True):
    """One repository as an earlier call left it.

    Attributes:
        algorithm: `sha1` or `sha256`.
        tips: branch -> commit.
        default: the branch that the remote's HEAD named; None when nobody asked.
        asked: when the remote was asked for that, seconds since 1970.
        misses: how often in a row a push was tried on a remembered tip that was not the newest.
        packs: names of the files of each pack, and of its index.
        objects: kind and body of every object of the tips that is in no pack.
        cut: commits in the packs, beside the tips, whose parents were left out.
    """

    algorithm: str = "sha1"
    tips: Mapping[str, str] = {}
    default: str | None = None
    asked: int = 0
    misses: int = 0
    packs: tuple[tuple[str, str], ...] = ()
    objects: tuple[tuple[str, bytes], ...] = ()
    cut: tuple[str, ...] = ()


def render(remembered: Remembered) -> bytes:
    """Write it down."""
    lines = [_FORM, remembered.algorithm, f"{remembered.asked} {remembered.misses}"]
    lines += [f"default {remembered.default}"] if remembered.default is not None else []
    lines += (f"pack {pack} {index}" for pack, index in remembered.packs)
    lines += (f"tip {commit} {branch}" for branch, commit in remembered.tips.items())
    lines += (f"cut {commit}" for commit in remembered.cut)
    lines += (f"{kind} {len(body)}" for kind, body in remembered.objects)
    bodies = b"".join(body for _, body in remembered.objects)
    head = "\n".join(lines).encode("utf-8", "surrogateescape")
    return head + b"\n\n" + zlib.compress(bodies, 1)


def parse(content: bytes) -> Remembered:
    """Read what `render` wrote. Raises ValueError for anything else, also for other versions."""
    head, _, packed = content.partition(b"\n\n")
    form, algorithm, counts, *rest = head.decode("utf-8", "surrogateescape").split("\n")
    asked, misses = (int(word) for word in counts.split(" "))
    if form != _FORM or algorithm not in RAW_LENGTH:
        raise ValueError("another version of gitops wrote this")
    default = None
    tips: dict[str, str] = {}
    packs: list[tuple[str, str]] = []
    sizes: list[tuple[str, int]] = []
    cut: list[str] = []
    for line in rest:
        match line.split(" ", 2):
            case ["pack", pack, index] if re.fullmatch(_HASH, pack) and re.fullmatch(_HASH, index):
                packs.append((pack, index))
            case ["default", branch] if branch:
                default = branch
            case ["tip", commit, branch] if re.fullmatch(_ID, commit) and branch:
                tips[branch] = commit
            case ["cut", commit] if re.fullmatch(_ID, commit):
                cut.append(commit)
            case ["blob" | "tree" | "commit" as kind, size]:
                sizes.append((kind, int(size)))
            case _:
                raise ValueError(f"nobody knows what {line!r} means")
    stream = zlib.decompressobj()
    try:
        bodies = stream.decompress(packed, _LARGEST)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    objects: list[tuple[str, bytes]] = []
    at = 0
    for word, length in sizes:
        objects.append((word, bodies[at : at + length]))
        at += length
    if not stream.eof or at != len(bodies) or any(length < 0 for _, length in sizes):
        raise ValueError("it is not whole")
    lots = tuple(packs), tuple(objects), tuple(cut)
    return Remembered(algorithm, tips, default, asked, misses, *lots)
