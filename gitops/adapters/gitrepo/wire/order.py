"""What may be asked over the wire and what came, as values: they load nothing that speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
        small: without `contents`, files of fewer bytes than this come all the same.
        largest: bytes of the pack, at most; None: no limit.
        loose: a few objects are kept outside of a pack.
    """

    commits: Sequence[str]
    haves: Sequence[str] = ()
    depth: int | None = None
    since: float | None = None
    relative: bool = False
    contents: bool = True
    small: int = 0
    largest: int | None = None
    loose: bool = False


class Order(Struct, frozen=True):
    """A fetch of one branch, for the wire.

    Attributes:
        branch: None: what HEAD names.
        name: the full name of what is asked for.
        ref: where its newest commit is put.
        depth: how many commits come.
        since: a commit and its time (seconds since 1970): what came on top comes; None: `depth`.
        beside: other refs that come along where they are there -> where they are put.
        prefixes: what else is asked about.
        few: so many of the refs that are told of come along, where there are no more of them.
        likely: the branch that HEAD named a while ago.
        commit: where the branch is, if that was told already.
        haves: commits that are here with all of their files.
        loose: a few objects are kept outside of a pack.
        largest: bytes of the pack, at most.
        small: only files of fewer bytes than this, where the server leaves others out; 0: all.
    """

    branch: str | None
    name: str
    ref: str
    depth: int = 1
    since: tuple[str, float] | None = None
    beside: Mapping[str, str] = {}
    prefixes: tuple[str, ...] = ()
    few: int = 0
    likely: str | None = None
    commit: str | None = None
    haves: tuple[str, ...] = ()
    loose: bool = False
    largest: int | None = None
    small: int = 0


class Arrived(Struct, frozen=True):
    """What came over the wire.

    Attributes:
        branch: None: what HEAD names was asked for, and nobody said what that is.
        commit: the newest one; "" where git fetched it.
        refs: what was told of the prefixes; None: none were asked about.
        listed: the server was asked where things are.
        came: commits of those refs that came along.
        whole: no file was left out.
    """

    branch: str | None
    commit: str
    refs: Mapping[str, str] | None
    listed: bool
    came: frozenset[str] = frozenset()
    whole: bool = True


class NoBranch(Exception):
    """The server has no such branch; the text is its full name."""
