"""Repositories on this machine that are written directly: what bare ones and checkouts share.

Nothing is copied for reading: the private store borrows their objects.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.command.discovery import RepositoryLocation
from gitops.adapters.gitrepo.command.process import OFFLINE, Git
from gitops.adapters.gitrepo.command.push import push_args, settle
from gitops.adapters.gitrepo.command.ref_advertisement import RefAdvertisement
from gitops.adapters.gitrepo.command.settings import KnownSettings
from gitops.adapters.gitrepo.objects.source import BranchTip
from gitops.adapters.gitrepo.objects.store import Store
from gitops.core.text.plain import split_lines
from gitops.errors import NotFound
from gitops.ports import Lost, RefUpdate
from gitops.ports.repository import Start


class Bare:
    """`Source` for a bare repository. A push by its path runs its hooks and its own checks."""

    def __init__(self, git: Git, place: RepositoryLocation) -> None:
        self._git = git
        self._place = place
        self.ears = RefAdvertisement()
        self.settings = KnownSettings(git, None, place.lines)
        self._store: Store | None = None
        self._here = f"--git-dir={place.git_dir}"

    @property
    def store(self) -> Store:
        """The private store, made when it is needed first."""
        if self._store is None:
            self._store = Store(
                self._git, algorithm=self._place.algorithm, borrow=self._place.common
            )
        return self._store

    def begin(self, branch: str | None, start: Start = "tip") -> None:
        """There is nothing to wait for."""

    def remembered(self, branch: str | None) -> AbstractContextManager[BranchTip | None]:
        """Nothing is remembered of what lies on this machine."""
        return nullcontext()

    def tip(self, branch: str | None) -> BranchTip:
        """Read where the branch is now."""
        name = branch if branch is not None else self._place.branch
        if name is None:
            raise NotFound(
                f"{self._place.name} has no branch checked out", hint="name one with --branch"
            )
        commit = self.refs().get(f"refs/heads/{name}")
        if commit is None:
            if not self.refs():
                raise NotFound(
                    f"{self._place.name} is empty",
                    hint="make a first commit (`gitops init` writes one), then try again",
                )
            raise NotFound(f"no branch {name} in {self._place.name}")
        return BranchTip(name, commit)

    def gather_branches(self, branches: Collection[str]) -> None:
        """All of them can be read; see `Source`."""

    def own_branches(self) -> Mapping[str, str]:
        """Read where the branches of our own are now."""
        start = len("refs/heads/")
        return {ref[start:]: oid for ref, oid in self.refs("refs/heads/gitops/").items()}

    def gather(self, branch: str, prefix: str) -> tuple[BranchTip, Mapping[str, str]]:
        """Read a branch and the refs under `prefix`; see `Source`."""
        refs = self.refs(prefix)  # first: what they name is older than the tip
        return self.tip(branch), refs

    def adopt(self, branch: str, commit: str) -> None:
        """All the history that there is can be read."""

    def obstacle(self) -> str | None:
        """Other writers see the refs of a bare repository; see `Source`."""
        return None

    def refs(self, prefix: str = "refs/heads/") -> dict[str, str]:
        """Return ref -> object id of every ref under `prefix`."""
        answer = self._git.run(
            [self._here, "for-each-ref", "--format=%(objectname) %(refname)", prefix],
            extra=OFFLINE,
        )
        if answer.code != 0:
            raise messages.error_of(messages.read_transport(answer.err), self._place.name)
        pairs = (line.split(" ", 1) for line in split_lines(answer.text))
        return {ref: oid for oid, ref in pairs}

    @property
    def place(self) -> str:
        """What messages call it."""
        return self._place.name

    def deepen(self, commits: Sequence[str]) -> bool:
        """All the history that there is can be read."""
        return False

    def fetch_blobs(self, oids: Sequence[str]) -> None:
        """All the blobs that there are can be read."""

    def fetch_files(self, oids: Sequence[str]) -> None:
        """Every tip is whole."""

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Push by path, with a lease on exactly `old`."""
        answer = self._git.run(
            [*self.store.args, *push_args(updates, str(self._place.git_dir))],
            extra=self.ears.environ(self.store.path),
            doing=f"waiting for {self._place.name} to take the commit",
        )
        verdict = messages.read_push(answer.code, answer.out.decode("utf-8", "replace"), answer.err)
        return settle(verdict, updates, self._place.name, lambda: self.moved(updates))

    def moved(self, updates: Sequence[RefUpdate]) -> bool:
        """Return True when some branch is not at `old` any more."""
        now = self.refs()
        return any(now.get(update.ref) != update.old for update in updates)

    def again(self) -> None:
        """Begin another call; see `ObjectSource`."""

    def close(self) -> None:
        """Remove the store."""
        if self._store is not None:
            self._store.close()
