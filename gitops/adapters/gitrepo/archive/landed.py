"""What landed on a branch on top of an earlier tip of it: `ports.Landed`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gitops.adapters.gitrepo.archive.own_line import own_side
from gitops.adapters.gitrepo.archive.walk import Hits, WalkedCommit, hits_of, walk
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.source import Depth
from gitops.adapters.gitrepo.objects.store import Store
from gitops.core.releases.history import OverlayVersion
from gitops.ports import LandedCommit

_TRIES = 2  # steps that history is deepened by before it counts as too far back


def walk_since(git: Git, source: Depth, commit: str, since: str) -> list[WalkedCommit] | None:
    """Return the first parents of `commit` down to `since`, None where it is none of them."""
    if commit == since:
        return []
    for again in range(_TRIES + 1):
        store = source.store
        if store.holds(since):
            walked = walk(git, store, [commit, f"^{since}"])
            last = walked[-1].commit if walked else commit
            if walked and store.parents(last)[:1] == (since,):
                return walked
            if last not in store.boundary():
                return None
        if again == _TRIES or not source.deepen([commit]):
            return None
    return None


class LandedCommits:
    """`ports.Landed` of commits that were walked.

    Args:
        load: reads versions of a folder, newest first, from the commits that changed it.
        leads: says whether its first argument leads to the second; None: nobody knows.
    """

    def __init__(
        self,
        store: Store,
        walked: Sequence[WalkedCommit],
        load: Callable[[Hits, str], Iterable[OverlayVersion]],
        leads: Callable[[str, str], bool | None],
    ) -> None:
        self._store = store
        self._walked = walked
        self._load = load
        self._leads = leads

    @property
    def commits(self) -> Sequence[LandedCommit]:
        """The first parents that came on top, newest first."""
        return tuple(map(_landed, self._walked))

    def versions(self, directories: Sequence[str]) -> Mapping[str, tuple[OverlayVersion, ...]]:
        """Return the versions that came on top; see `ports.Landed`."""
        found = {}
        for directory, hits in hits_of(self._walked, directories, frozenset()).items():
            versions = tuple(self._load(hits, directory))
            if all(version.complete for version in versions) and not any(
                own_side(self._store, self._leads, hits, at, version.file, directory) is not None
                for at, version in enumerate(versions)
            ):
                found[directory] = versions
        return found


def _landed(commit: WalkedCommit) -> LandedCommit:
    changes = tuple(commit.changes())
    gone = tuple(one.path for one in changes if one.after is None)
    return LandedCommit(commit.commit, tuple(one.path for one in changes), gone)
