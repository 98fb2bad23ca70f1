"""Who wrote what: the history of one file, line for line, and whose keys signed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from gitops.core.git.commit import CommitInfo
    from gitops.core.ledger.signatures import BranchCommit
    from gitops.core.releases.history import OverlayVersion
    from gitops.ports.commits import Tree


class FileChange(Struct, frozen=True):
    """What one commit did to one file.

    Attributes:
        before, after: its bytes in the first parent and in the commit; None: there was no file.
        complete: False for the oldest commit of a history that was cut: nobody has its parent.
    """

    commit: CommitInfo
    before: bytes | None
    after: bytes | None
    complete: bool = True


class LandedCommit(Struct, frozen=True):
    """One commit on a branch's own line.

    Attributes:
        paths: what it changed beside its first parent.
        gone: those of them that it removed.
        merge: it brought in what other parents have.
    """

    commit: str
    paths: tuple[str, ...]
    gone: tuple[str, ...] = ()
    merge: bool = False


class Landed(Protocol):
    """What landed on a branch on top of an earlier tip of it."""

    @property
    def commits(self) -> Sequence[LandedCommit]:
        """The first parents that came on top, newest first."""
        ...

    def versions(self, directories: Sequence[str]) -> Mapping[str, tuple[OverlayVersion, ...]]:
        """Return folder -> those of its versions that came on top, newest first.

        As `Repository.history` tells them; a folder of which that cannot be told from these commits
        alone is left out.
        """
        ...


class Evidence(Protocol):
    """What commits prove. All of them are a snapshot's, or older ones of its branch.

    All calls may raise what those of `Repository` raise.
    """

    def file_history(self, commit: str, path: str) -> tuple[FileChange, ...]:
        """Return every change of the file `path`, oldest first, on all sides of merges.

        Reads the whole history of `commit`, which is a snapshot's.
        """
        ...

    def branch_history(self, commit: str) -> tuple[BranchCommit, ...]:
        """Return all that `commit`, a snapshot's, has: children before parents, all sides of it.

        Reads the whole history of `commit`.
        """
        ...

    def signed_by(self, commits: Sequence[str], signers: bytes) -> Mapping[str, str]:
        """Return commit -> principal for those of `commits` that a listed key signed.

        `signers` is an OpenSSH allowed-signers file. A commit with a header that Git does not sign
        has no signer: there may be any number of such commits for one signature. Raises NotFound or
        Denied when this machine cannot check signatures.
        """
        ...

    def over(self, tip: str, without: str) -> tuple[CommitInfo, ...]:
        """Return the commits that `tip` has and `without` has not, newest first.

        Both are snapshots'. None of the commits has `merged`. Raises NotFound where nobody has the
        history that would tell.
        """
        ...

    def forks(self, one: str, other: str) -> tuple[str, ...]:
        """Return the newest commits that both have; () for none.

        There are several where the two were merged crosswise. Raises as `over` does.
        """
        ...

    def at(self, commit: str) -> Tree:
        """Return the files of a commit that `over` or `forks` named, or of a snapshot's."""
        ...

    def changed(self, before: str, after: str) -> tuple[str, ...]:
        """Return the paths that differ between two commits as `at` takes them, sorted."""
        ...

    def landed(self, commit: str, since: str) -> Landed | None:
        """Return what a branch at `commit`, a snapshot's, has on top of its earlier tip `since`.

        None where `since` is none of its first parents (the branch was rewritten, it came in by a
        merge), or lies too far back.
        """
        ...

    def contains(self, tip: str, commit: str, earlier: str) -> bool:
        """Say whether `earlier` is `commit`, or in its history.

        Both are looked for in the history of `tip`, which is a snapshot's; False when one of them
        is not there. Raises NotFound where nobody has the history that would tell.
        """
        ...
