"""`ports.Evidence` for a repository that reads from one `ObjectSource`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.differences import changed_paths
from gitops.adapters.gitrepo.objects.source import ObjectSource
from gitops.core.git.commit import CommitInfo

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.archive.commits import CommitTree
    from gitops.adapters.gitrepo.archive.history import HistoryReader
    from gitops.adapters.gitrepo.objects.store import Store
    from gitops.core.ledger.signatures import BranchCommit
    from gitops.ports import FileChange, Landed, Tree

_ENVIRONMENTS = 16  # answers about what landed that are remembered
_COMMITS = 1024  # of several tips that are remembered between two calls


class CommitEvidence:
    """What the commits of a repository prove, read with the store of its tips."""

    _git: Git
    _source: ObjectSource
    _reader: HistoryReader | None = None
    _read_in: Store | None = None  # what the reader began with
    _tips: frozenset[str] = frozenset()  # whose history was read
    _since: dict[tuple[str, str], Landed | None] | None = None
    _tree: tuple[Store, str, CommitTree] | None = None

    def file_history(self, commit: str, path: str) -> tuple[FileChange, ...]:
        """Return every change of the file `path`, oldest first; see `ports.Evidence`."""
        return self._history().file_changes(commit, path)

    def branch_history(self, commit: str) -> tuple[BranchCommit, ...]:
        """Return every commit that `commit` has; see `ports.Evidence`."""
        return self._history().branch(commit)

    def over(self, tip: str, without: str) -> tuple[CommitInfo, ...]:
        """Return the commits that `tip` has over `without`; see `ports.Evidence`."""
        return tuple(self._history().over([tip], [without]))

    def forks(self, one: str, other: str) -> tuple[str, ...]:
        """Return the newest commits that both have; see `ports.Evidence`."""
        return self._history().forks(one, other)

    def at(self, commit: str) -> Tree:
        """Return the files of a commit; see `ports.Evidence`."""
        from gitops.adapters.gitrepo.archive.commits import CommitTree  # few calls need it

        store = self._source.store
        if self._tree is None or self._tree[:2] != (store, commit):  # many ask for the same again
            self._tree = store, commit, CommitTree(self._source, commit)
        return self._tree[2]

    def changed(self, before: str, after: str) -> tuple[str, ...]:
        """Return the paths that differ; see `ports.Evidence`."""
        # Where a branch left its base is known by name alone, if that is beyond what was fetched.
        while not self._source.store.holds(before) and self._source.deepen([after]):
            pass
        return changed_paths(self._source.store, before, after)

    def landed(self, commit: str, since: str) -> Landed | None:
        """Return what came on top of an earlier tip; see `ports.Evidence`."""
        known = self._since = self._since if self._since is not None else {}
        if (commit, since) not in known:  # asked for each environment
            if len(known) >= _ENVIRONMENTS:
                known.clear()
            known[commit, since] = self._history().landed(commit, since)
        return known[commit, since]

    def contains(self, tip: str, commit: str, earlier: str) -> bool:
        """Say whether `earlier` is `commit` or in its history; see `ports.Evidence`."""
        return self._history().contains(tip, commit, earlier)

    def newest(self, commit: str, since: float, most: int) -> tuple[CommitInfo, ...] | None:
        """Return the commits made since a moment; see `ports.KeptRepository`.

        Git walks by date, so one that is older ends it.
        """
        while True:
            found = self._history().newest(commit, most + 1)
            late = [one for one in found if one.time is None or one.time.timestamp() >= since]
            if len(late) > most:
                return None
            if len(late) < len(found) or not self._source.store.boundary():
                return tuple(late)
            if not self._source.deepen([commit]):
                return None

    def signed_by(self, commits: Sequence[str], signers: bytes) -> Mapping[str, str]:
        """Return commit -> principal of a listed key; see `ports.Evidence`."""
        from gitops.adapters.gitrepo.archive.signatures import signed_by  # few calls need it

        return signed_by(self._git, self._source.store, commits, signers)

    def _history_of(self, tip: str) -> HistoryReader:
        self._tips |= {tip}
        return self._history()

    def _let_go_of_history(self) -> None:
        """Between two calls: what was read for several tips is forgotten when it is much.

        So is all of a store that was closed since: what lay there, it says, has not to be fetched.
        """
        known, store = self._reader, self._source.store
        if self._tree is not None and self._tree[0] is not store:
            self._tree = None
        if known is None:
            return
        if self._read_in is not store or (len(self._tips) != 1 and known.size() > _COMMITS):
            self._reader, self._since, self._tips = None, None, frozenset()
            self._read_in = None

    def _history(self) -> HistoryReader:
        if self._reader is None:
            # Not needed by a plain write; it brings the kustomization rules along.
            from gitops.adapters.gitrepo.archive.history import HistoryReader

            self._reader = HistoryReader(self._git, self._source)
            self._read_in = self._source.store
        return self._reader
