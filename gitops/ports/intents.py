"""Where writers that keep losing the race leave what they want for each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from gitops.ports.repository import Snapshot

if TYPE_CHECKING:
    from gitops.core.git.commit import CommitInfo


class Gathered(Struct, frozen=True):
    """A branch and what was published beside it, read together.

    Attributes:
        snapshot: the newest tip of the branch.
        refs: full name -> object id, of everything under the prefix that was asked for.
    """

    snapshot: Snapshot
    refs: Mapping[str, str]


class Intents(Protocol):
    """Refs beside the branches, and what lies there.

    `Repository.push` creates and deletes them. Whoever may push any ref may write them, so nothing
    in them is trusted, and what is read of them is bounded. All calls may raise what those of
    `Repository` raise.
    """

    def obstacle(self) -> str | None:
        """Return why changes of others cannot be carried here, None when they can."""
        ...

    def store(self, content: bytes) -> str:
        """Store a blob where a push can take it, and return its id."""
        ...

    def gather(self, branch: str, prefix: str) -> Gathered:
        """Read the newest tip of `branch` and every ref under `prefix` (`refs/x/`) together.

        Raises Denied when more comes over the line than intents can be.
        """
        ...

    def contents(self, oids: Collection[str], longest: int) -> Mapping[str, bytes | None]:
        """Return id -> bytes of what `gather` read; None: no blob, or over `longest` bytes."""
        ...

    def recent(self, commit: str, reaching: Collection[str]) -> Sequence[CommitInfo]:
        """Return the newest commits that `commit`, a snapshot's, has, on all sides of merges.

        In no order, `commit` first. Reads on, within bounds, while one of `reaching` is neither
        among them nor the parent of one.
        """
        ...

    def look(self, branch: str, commit: str) -> Snapshot:
        """Return `commit`, read before or made by `Repository.create`, as the tip of `branch`."""
        ...

    def give_way(self, prefix: str, crowd: Callable[[Collection[str]], bool] | None) -> None:
        """Leave the branch to those who wait, from now on; with None not any more.

        A push that touches no ref under `prefix` is `Lost` before anything moves where `crowd` says
        of the refs there that they are others who wait. Where nobody hears of refs in time, it is
        made all the same.
        """
        ...

    def overheard(self, prefix: str) -> Collection[str]:
        """Return the refs under `prefix` that the server told of at the newest push."""
        ...
