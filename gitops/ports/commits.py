"""Any commit of the manifest repository, as it is: what came before it, and what it changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from gitops.ports.repository import Snapshot

if TYPE_CHECKING:
    from gitops.core.git.commit import CommitInfo
    from gitops.core.releases.history import OverlayVersion


class TreeEntry(Struct, frozen=True):
    """What lies at one path of a tree.

    Attributes:
        id: of the content; equal ids are equal contents.
        executable: of a file.
    """

    kind: Literal["file", "folder", "link", "submodule"]
    id: str
    executable: bool = False


class Tree(Snapshot, Protocol):
    """The files of one commit; links are told, and never followed."""

    def entry(self, path: str) -> TreeEntry | None:
        """Return what lies at `path` ("" is the root), None for nothing, also below a link."""
        ...

    def target(self, path: str) -> str:
        """Return what the symbolic link at `path` says."""
        ...


class Commits(Protocol):
    """Commits by name, wherever they are kept: in the caller's clone, and on its remote.

    A clone that was cut (`--depth`) is filled up from the remote. All calls may raise NotFound,
    which says what to fetch, Denied, Unavailable, TimedOut.
    """

    def find(self, revision: str | None) -> str:
        """Return all digits of a commit: an id, a branch, a tag, `HEAD~1`.

        None is what the caller's clone has checked out; elsewhere the newest commit of the default
        branch. Raises UsageError for what can be no name.
        """
        ...

    def info(self, commit: str) -> CommitInfo:
        """Return what one commit says; for a merge with the messages of what it brought in."""
        ...

    def over(self, tip: str, base: str | None) -> tuple[CommitInfo, ...]:
        """Return the commits that `tip` has and `base` has not, newest first, children first.

        With None all there are. None of them has `merged`.
        """
        ...

    def fork(self, one: str, other: str) -> str | None:
        """Return the newest commit that both have, None when they share none."""
        ...

    def history(self, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """Yield versions of `directory`, newest first; as `Repository.history`, for any commit.

        Raises NotFound where history goes on and nobody has it.
        """
        ...

    def branches(self, *, anew: bool = False) -> Mapping[str, str]:
        """Return short name -> newest commit of every branch, as they are kept; asked once.

        `anew`: as they are now.
        """
        ...

    def signed_by(self, commits: Sequence[str], signers: bytes) -> Mapping[str, str]:
        """Return commit -> principal for those that a listed key signed; as in `Evidence`."""
        ...


class Trees(Protocol):
    """The files of any commit. All calls may raise what those of `Commits` raise."""

    def tree(self, commit: str) -> Tree:
        """Return the files of `commit`."""
        ...

    def changed(self, before: str | None, after: str) -> tuple[str, ...]:
        """Return the paths whose entries differ, sorted; None is a tree without files.

        Nothing is taken for a rename. What is a folder on one side only is told by its files and
        by what stands there on the other side.
        """
        ...

    def changed_by_each(
        self, steps: Sequence[tuple[str | None, str]]
    ) -> tuple[tuple[str, ...], ...]:
        """Return what `changed` does for each (before, after); one reading serves them all."""
        ...

    def prepare(self, ids: Sequence[str]) -> None:
        """Fetch contents (ids of files) at once that would else be fetched one by one."""
        ...

    def merge_text(self, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
        """Merge lines as Git does, None when they conflict."""
        ...


class Archive(Commits, Trees, Protocol):
    """All of the past: what commits say, and their files."""
