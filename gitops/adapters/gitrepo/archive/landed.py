"""What landed on a branch on top of an earlier tip of it: `ports.Landed`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gitops.adapters.gitrepo.archive.log_format import parse_object
from gitops.adapters.gitrepo.archive.own_line import own_side
from gitops.adapters.gitrepo.archive.walk import (
    Hits,
    PathChange,
    ReadCommit,
    WalkedCommit,
    hits_of,
    walk,
)
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import TREE, ObjectEntry, TreeContent
from gitops.adapters.gitrepo.objects.differences import names_that_differ
from gitops.adapters.gitrepo.objects.source import Depth
from gitops.adapters.gitrepo.objects.store import Store
from gitops.core.releases.history import OverlayVersion
from gitops.ports import LandedCommit

_READ = 100  # commits that are read in process
_TRIES = 2  # steps that history is deepened by before it counts as too far back


def read_since(store: Store, commit: str, since: str) -> list[ReadCommit] | None:
    """Return the first parents of `commit` down to `since`, read in process.

    Each object is hashed where that matters, so nobody has to vouch for the packs. None where these
    are too many, not all here, or odd: git tells then.
    """
    found: list[ReadCommit] = []
    while commit != since:
        if len(found) == _READ or store.find(commit) is None:
            return None
        info = parse_object(commit, store.read(commit)[1])
        if info is None or not info.parents or store.find(info.parents[0]) is None:
            return None
        changes: list[PathChange] = []
        trees = [ObjectEntry(TREE, store.tree_of(one)) for one in (info.parents[0], commit)]
        if not _differ(store, trees[0], trees[1], "", changes):
            return None
        found.append(ReadCommit(info, changes))
        commit = info.parents[0]
    return found


def _differ(
    store: Store,
    old: ObjectEntry | None,
    new: ObjectEntry | None,
    path: str,
    found: list[PathChange],
) -> bool:
    """Add every file that differs between two entries at `path`; False: not all of it is here."""
    before, after = _files(store, old), _files(store, new)
    if before is None or after is None:
        return False
    files = [one if one is not None and one.mode != TREE else None for one in (old, new)]
    if files[0] != files[1]:
        found.append(PathChange(path, files[0], files[1]))
    for name in names_that_differ(before, after):
        below = f"{path}/{name}" if path else name
        if not _differ(store, before.get(name), after.get(name), below, found):
            return False
    return True


def _files(store: Store, entry: ObjectEntry | None) -> TreeContent | None:
    if entry is None or entry.mode != TREE:
        return {}
    return store.tree(entry.oid) if store.find(entry.oid) is not None else None


def walk_since(git: Git, source: Depth, commit: str, since: str) -> Sequence[WalkedCommit] | None:
    """Return the first parents of `commit` down to `since`, None where it is none of them."""
    if (read := read_since(source.store, commit, since)) is not None:
        return read
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
    paths = tuple(one.path for one in changes)
    return LandedCommit(commit.commit, paths, gone, merge=len(commit.info.parents) > 1)
