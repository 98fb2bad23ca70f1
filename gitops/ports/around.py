"""A repository around another one: whoever changes one thing of it says that one thing alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from gitops.ports.repository import Lost, NewCommit, RefUpdate, Repository, Snapshot

if TYPE_CHECKING:
    from gitops.core.releases.history import OverlayVersion


class RepositoryAround(Repository):
    """`Repository` that does everything as `inner` does; see there."""

    def __init__(self, inner: Repository) -> None:
        self.inner = inner

    def snapshot(self, branch: str | None = None) -> Snapshot:
        """See `Repository`."""
        return self.inner.snapshot(branch)

    def remembered(self, branch: str | None = None) -> AbstractContextManager[Snapshot | None]:
        """See `Repository`."""
        return self.inner.remembered(branch)

    def history(self, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """See `Repository`."""
        return self.inner.history(commit, directory)

    def gather(self, commit: str, directories: Iterable[str]) -> None:
        """See `Repository`."""
        self.inner.gather(commit, directories)

    def find_intent(self, branch: str, intent: str, since: str) -> str | None:
        """See `Repository`."""
        return self.inner.find_intent(branch, intent, since)

    def folders(self, commit: str, directory: str) -> Mapping[str, str]:
        """See `Repository`."""
        return self.inner.folders(commit, directory)

    def gather_branches(self, branches: Collection[str]) -> None:
        """See `Repository`."""
        self.inner.gather_branches(branches)

    def own_branches(self) -> Mapping[str, str]:
        """See `Repository`."""
        return self.inner.own_branches()

    def message(self, commit: str) -> tuple[str, float]:
        """See `Repository`."""
        return self.inner.message(commit)

    def create(self, commit: NewCommit) -> str:
        """See `Repository`."""
        return self.inner.create(commit)

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """See `Repository`."""
        return self.inner.push(updates)

    def describe(self) -> str:
        """See `Repository`."""
        return self.inner.describe()

    def address(self) -> str:
        """See `Repository`."""
        return self.inner.address()
