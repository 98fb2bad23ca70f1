"""A repository that stays open for many calls at once: what the server's writer asks beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitops.ports.repository import Repository, Snapshot

if TYPE_CHECKING:
    from gitops.core.git.commit import CommitInfo, Identity


class KeptRepository(Repository, Protocol):
    """One repository for the calls of a process that lives long; one thread at a time."""

    def again(self) -> None:
        """Begin anew on what stays open: what was asked before counts for nothing.

        While nothing that an earlier answer was read from is still in use.
        """
        ...

    def rest(self) -> None:
        """Forget of what was read what is much, between calls of which some go on."""
        ...

    def look(self, branch: str, commit: str) -> Snapshot:
        """Return `commit`, read before or made by `create`, as the tip of `branch`."""
        ...

    def newest(self, commit: str, since: float, most: int) -> tuple[CommitInfo, ...] | None:
        """Return what `commit` has that was made at `since` (seconds since 1970) or later.

        In no order. None where that is more than `most`, or nobody has the history that would tell.
        """
        ...

    def identity(self) -> Identity:
        """Return who writes where nobody else is named. Raises NotFound when nobody is known."""
        ...
