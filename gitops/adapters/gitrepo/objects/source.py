"""What the three kinds of repository have in common for the one that reads and writes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct

from gitops.adapters.gitrepo.command.ref_advertisement import RefAdvertisement
from gitops.adapters.gitrepo.command.settings import KnownSettings
from gitops.adapters.gitrepo.objects.store import Store
from gitops.ports import Lost, RefUpdate
from gitops.ports.repository import Start


class BranchTip(Struct, frozen=True):
    """The newest commit of a branch, all of whose files are in the store where it is `whole`."""

    branch: str
    commit: str
    whole: bool = True


class Depth(Protocol):
    """A store that gets more when a walk needs it."""

    @property
    def place(self) -> str:
        """What messages call the repository."""
        ...

    @property
    def store(self) -> Store:
        """The store that holds what was read; asked for anew after every call of `tip`."""
        ...

    def deepen(self, commits: Sequence[str]) -> bool:
        """Get some of what comes before `commits` and was left out; False: nobody has more."""
        ...

    def fetch_blobs(self, oids: Sequence[str]) -> None:
        """Get file contents that `deepen` left out, all at once."""
        ...


class ObjectSource(Depth, Protocol):
    """Where the branches are kept: a remote, a bare repository, a checkout without a remote."""

    @property
    def ears(self) -> RefAdvertisement:
        """What is overheard of pushes."""
        ...

    def begin(self, branch: str | None, start: Start = "tip") -> None:
        """Start to read `branch` in the background, where that takes time; see `Start`."""
        ...

    def remembered(self, branch: str | None) -> AbstractContextManager[BranchTip | None]:
        """See `ports.Repository.remembered`."""
        ...

    def tip(self, branch: str | None) -> BranchTip:
        """Read the newest tip of `branch` (None: the default branch). Raises NotFound."""
        ...

    def gather_branches(self, branches: Collection[str]) -> None:
        """See `ports.Repository.gather_branches`."""
        ...

    def own_branches(self) -> Mapping[str, str]:
        """See `ports.Repository.own_branches`."""
        ...

    def gather(self, branch: str, prefix: str) -> tuple[BranchTip, Mapping[str, str]]:
        """Read a branch, and the refs under `prefix` (ref -> id) with what they name.

        Raises Denied when more comes than intents can be.
        """
        ...

    def adopt(self, branch: str, commit: str) -> None:
        """Take note that `commit` counts as a tip of `branch`, for `deepen`."""
        ...

    def obstacle(self) -> str | None:
        """Return why no refs beside the branches can be shared with other writers here."""
        ...

    def fetch_files(self, oids: Sequence[str]) -> None:
        """Get files that a tip which is not whole came without; what is too large stays out."""
        ...

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """See `ports.Repository.push`."""
        ...

    @property
    def settings(self) -> KnownSettings:
        """Git's configuration as it holds there."""
        ...

    def again(self) -> None:
        """Begin another call: what stays open stays, what was asked before counts for nothing."""
        ...

    def close(self) -> None:
        """Stop what runs and remove what was made."""
        ...
