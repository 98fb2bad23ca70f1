"""The manifest repository: what is read of it, and the one way to write to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

if TYPE_CHECKING:  # an adapter starts to fetch before YAML and the rules are loaded
    from gitops.core.git.commit import Identity
    from gitops.core.releases.history import OverlayVersion


class Snapshot(Protocol):
    """One commit's tree, read on demand. Never changes once taken."""

    @property
    def branch(self) -> str:
        """Short name of the branch that it is the tip of (`main`)."""
        ...

    @property
    def commit(self) -> str:
        """Id of the commit (all hex digits)."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the regular file at `path`, or None when there is none.

        Raises ManifestError for a symbolic link or a submodule at `path`.
        """
        ...

    def entries(self, directory: str) -> tuple[str, ...]:
        """Return the names in `directory` ("" is the root), sorted, folders ending in "/".

        A directory that does not exist has no entries.
        """
        ...

    def mark(self, path: str) -> str | None:
        """Return a mark of the file, or the folder with all that is in it, at `path`.

        Equal marks are equal contents, of the same kind; "" is nothing at all. None where nobody
        can tell. No file need be read for it.
        """
        ...

    def prepare(self, directories: Iterable[str], names: Sequence[str] = ()) -> None:
        """Be told which folders will be looked at, and which names in each of them be read.

        It changes no answer, only what they cost.
        """
        ...


class NewCommit(Struct, frozen=True):
    """A commit to be made: the tree of its first parent with some files replaced.

    Attributes:
        parents: commit ids known from a snapshot; the first one's tree is the base. Empty for a
            root commit (the first one of the ledger).
        files: path -> new bytes, or None to delete; modes of existing files are kept, new ones
            are 100644.
        time: committer and author time.
        base: commit whose tree is the base, when it is not the first parent (a merge that takes
            another side's tree); None for the first parent.
        author: None for the identity of whoever runs this.
    """

    parents: tuple[str, ...]
    files: Mapping[str, bytes | None]
    message: str
    time: datetime
    base: str | None = None
    author: Identity | None = None


class RefUpdate(Struct, frozen=True):
    """One branch to be moved from exactly `old` to `new`.

    Attributes:
        ref: full name (`refs/heads/main`).
        old: the commit that the branch must still be at; None: it must not exist.
        new: the commit to put there; None deletes the branch. The same as `old`: the branch stays,
            and nothing else moves unless it is there; for that nobody needs to be allowed to
            push to it.
    """

    ref: str
    old: str | None
    new: str | None


class Lost(Struct, frozen=True):
    """A push that lost a race: some ref was not at `old` any more. Nothing was changed.

    Attributes:
        gave_way: it was not made at all, for others wait (`Intents.give_way`).
    """

    words: str
    gave_way: bool = False


class Unproven(Exception):
    """Only a remembered tip counts now, and the call would have to ask the server.

    Not an error that anybody is told of: the work is done again on the newest tip.
    """


class Repository(Protocol):
    """One Git repository as gitops reads and writes it; where it lives is the adapter's matter.

    All calls may raise NotFound (repository, branch), Denied and its kinds, Unavailable, TimedOut.
    """

    def snapshot(self, branch: str | None = None) -> Snapshot:
        """Read the newest tip of `branch` (None: the default branch) from where it is kept.

        Raises TooLarge for a branch below `gitops/` that holds more than is read of one.
        """
        ...

    def remembered(self, branch: str | None = None) -> AbstractContextManager[Snapshot | None]:
        """Yield the tip of `branch` as an earlier call on this machine left it, or None.

        Nobody was asked, so it may be old; only a push that moves `branch` from exactly this commit
        proves that it was not. Inside of the block every other push, and whatever else would have
        to ask the server, raises Unproven.
        """
        ...

    def history(self, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """Yield the first-parent commits, newest first, that changed anything under `directory`.

        Lazy: reads deeper history only as far as the caller iterates. `commit` is a snapshot's. It
        ends at a commit without parents and nowhere else; where history goes on and nobody has it,
        the last version is not `complete`: at that commit the folder may or may not have changed.
        """
        ...

    def gather(self, commit: str, directories: Iterable[str]) -> None:
        """Be told that `history` of all these at `commit` is wanted: one reading serves them all.

        It changes no answer, only what they cost.
        """
        ...

    def find_intent(self, branch: str, intent: str, since: str) -> str | None:
        """Look on `branch`'s newest tip, back to `since`, for a commit with `Gitops-Id: intent`.

        Returns its id, or None, also where there is no such branch. Messages of merged commits
        count too.
        """
        ...

    def folders(self, commit: str, directory: str) -> Mapping[str, str]:
        """Return name -> id of the folders in `directory` of a snapshot's commit.

        Equal ids are equal contents, however deep.
        """
        ...

    def gather_branches(self, branches: Collection[str]) -> None:
        """Be told that `snapshot` of all these below `gitops/` is wanted: they are read at once.

        It changes no answer, only what they cost; where they hold too much together, each is read
        by itself.
        """
        ...

    def own_branches(self) -> Mapping[str, str]:
        """Return name -> commit of the branches below `gitops/`: the ledger, proposals.

        As they were when the newest tip was read, or since.
        """
        ...

    def message(self, commit: str) -> tuple[str, float]:
        """Return what a snapshot's commit says, and when it was made: seconds since 1970."""
        ...

    def create(self, commit: NewCommit) -> str:
        """Store the objects of `commit` where a push can take them, and return its id.

        Signed as Git is configured. Raises NotFound (`identity`) when nobody is known to be the
        author. Nothing is visible to others until `push`.
        """
        ...

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Move all `updates` at once, or none (several: atomic); None when they landed.

        Raises Unavailable when the answer was lost: it may have landed, see `find_intent`; and
        NoAtomicPush when several cannot be moved at once there.
        """
        ...

    def describe(self) -> str:
        """Return what messages call this repository: its URL or path, without secrets."""
        ...

    def address(self) -> str:
        """Return the URL, or the absolute path, that others may know it by, without secrets."""
        ...


Start = Literal["tip", "remembered", "history", "releases", "landed"]
"""What a call needs first: the newest commit; the remembered one will do, if there is one; the
newest commits, and the branches of our own as they were at the same moment; the same, but of the
ledger only its newest words; or what landed since the index was moved on last, where there is one,
else what `history` is."""


class WorkTree(Snapshot, Protocol):
    """The caller's own checkout, for environments with `change: work-tree`.

    Attributes:
        sparse: True where Git was told to leave files out of it.
    """

    @property
    def sparse(self) -> bool: ...

    def replace(self, path: str, content: bytes) -> None:
        """Replace a file atomically, keeping its mode. Never follows a link out of the checkout."""
        ...
