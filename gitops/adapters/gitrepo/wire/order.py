"""What may be asked over the wire, as values: loading them loads nothing that speaks."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Wanted(Struct, frozen=True):
    """What is to come.

    Attributes:
        commits: ids of commits, or of blobs.
        haves: commits that are here with all of their files.
        depth: how many commits of each line; None: as many as there are.
        since: only commits that are not older (seconds since 1970); None: all.
        relative: `depth` counts from where the history here ends.
        contents: files come too, not only folders.
        largest: bytes of the pack, at most; None: no limit.
        loose: a few objects are kept outside of a pack.
    """

    commits: Sequence[str]
    haves: Sequence[str] = ()
    depth: int | None = None
    since: float | None = None
    relative: bool = False
    contents: bool = True
    largest: int | None = None
    loose: bool = False
