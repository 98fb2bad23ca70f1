"""The first parents of one commit, walked once for many folders.

The walk tells for each commit which paths it changed, and what stood there before and after. So
the kustomization that a folder had at a commit is known without reading the folders of that commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

from msgspec import Struct

from gitops.adapters.gitrepo.archive.log_format import LOG_FORMAT, folders_above, parse_commit
from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import ObjectEntry
from gitops.adapters.gitrepo.objects.store import Store
from gitops.core.git.commit import CommitInfo
from gitops.core.kustomization import FILE_NAMES
from gitops.errors import NotFound

Entry = ObjectEntry | None
_LOG = (
    *("log", "--root", "-z", "--no-renames"),
    *("--no-show-signature", "--no-color", "--no-ext-diff", "--no-mailmap"),
)
_UNKNOWN = ObjectEntry("", "")


class PathChange(Struct, frozen=True):
    """What one commit did at one path; None: nothing is there."""

    path: str
    before: Entry
    after: Entry


class WalkedCommit:
    """A first parent, and what it changed beside its own first one."""

    __slots__ = ("_head", "_info", "_listed", "commit")

    def __init__(self, record: bytes) -> None:
        self._head, _, self._listed = record.partition(b"\0")
        self._info: CommitInfo | None = None
        self.commit = self._head.partition(b"\n")[0].decode()

    @property
    def info(self) -> CommitInfo:
        """What it says; read when it is asked for, as most are not."""
        if self._info is None:
            self._info = parse_commit("commit\n" + self._head.decode("utf-8", "replace"))
        return self._info

    def changes(self) -> Iterator[PathChange]:
        """Yield what it changed."""
        parts = self._listed.removeprefix(b"\n").split(b"\0")
        for meta, path in zip(parts[::2], parts[1::2], strict=False):
            old_mode, mode, old, new, _ = meta[1:].decode().split(" ")
            yield PathChange(
                path.decode("utf-8", "surrogateescape"), _entry(old_mode, old), _entry(mode, new)
            )


class ReadCommit(WalkedCommit):
    """The same of a commit that was read in process."""

    __slots__ = ("_changes",)

    def __init__(self, info: CommitInfo, changes: Sequence[PathChange]) -> None:
        self._info = info
        self._changes = changes
        self.commit = info.commit

    def changes(self) -> Iterator[PathChange]:
        """Yield what it changed."""
        return iter(self._changes)


def _entry(mode: str, oid: str) -> Entry:
    return None if mode == "000000" else ObjectEntry(mode.lstrip("0"), oid)


def walk(git: Git, store: Store, revisions: Sequence[str]) -> list[WalkedCommit]:
    """Return the first parents that `revisions` name, newest first, as far as the store holds them.

    The last one looks as if it had made every file where its parents were left out.
    """
    args = ("--first-parent", "-m", "--raw", "--no-abbrev", "--encoding=UTF-8", LOG_FORMAT)
    records = log_records(git, store, [*args, *revisions], "reading the history of every overlay")
    return [WalkedCommit(record) for record in records]


def log_records(git: Git, store: Store, args: Sequence[str], doing: str) -> list[bytes]:
    """Return what `git log -z` prints of each commit, in a format that begins with a NUL."""
    store.vouch()
    answer = git.run([*store.args, *_LOG, *args, "--"], doing=doing)
    if answer.code != 0:
        raise NotFound(f"the history cannot be read: {answer.err.strip()}")
    # No path is empty, so that two NULs stand between two commits and nowhere else.
    records = answer.out.removeprefix(b"\0").split(b"\0\0")
    return [record for record in records if record]


class Hits(Sequence[CommitInfo]):
    """The commits that changed one folder, newest first, and its kustomization at each of them."""

    def __init__(self, commits: Sequence[CommitInfo] = ()) -> None:
        self._walked: list[WalkedCommit] = []
        self._commits = commits
        self._files: list[dict[str, tuple[Entry, Entry]]] = []
        self._entries: list[dict[str, Entry]] | None = None

    def add(self, commit: WalkedCommit) -> dict[str, tuple[Entry, Entry]]:
        """Take in the next older one; return where its kustomizations (before, after) go."""
        self._walked.append(commit)
        self._files.append({})
        return self._files[-1]

    @overload
    def __getitem__(self, at: int) -> CommitInfo: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[CommitInfo]: ...
    def __getitem__(self, at: int | slice) -> CommitInfo | Sequence[CommitInfo]:
        if not self._walked:
            return self._commits[at]
        if isinstance(at, slice):
            return [one.info for one in self._walked[at]]
        return self._walked[at].info

    def __len__(self) -> int:
        return len(self._walked) or len(self._commits)

    def file(self, at: int) -> tuple[str | None, Entry] | None:
        """Return name and entry of the kustomization at one commit, None where it is not known."""
        if not self._walked:
            return None
        if self._entries is None:
            self._entries = self._fill()
        for name in FILE_NAMES:
            entry = self._entries[at].get(name, _UNKNOWN)
            if entry is _UNKNOWN:
                return None
            if entry is not None and entry.is_file:
                return name, entry
        return None, None

    def _fill(self) -> list[dict[str, Entry]]:
        """Carry what each commit left on to the newer ones, and what it found to the older ones."""
        filled: list[dict[str, Entry]] = [{} for _ in self._files]
        for name in FILE_NAMES:
            touched = [at for at, files in enumerate(self._files) if name in files]
            if not touched:
                continue
            for at in range(touched[-1] + 1, len(filled)):
                filled[at][name] = self._files[touched[-1]][name][0]
            newer = 0
            for older in touched:
                after = self._files[older][name][1]
                for at in range(newer, older + 1):
                    filled[at][name] = after
                newer = older + 1
        return filled


class HitSpan(Struct, frozen=True):
    """What the store holds of the first parents from one commit on.

    Attributes:
        hits: those that changed the folder, newest first.
        cut: the last one, whose parents were left out; None where the last one is a root.
    """

    hits: Hits
    cut: str | None


def hits_of(
    commits: Iterable[WalkedCommit], directories: Iterable[str], cut: frozenset[str]
) -> Mapping[str, Hits]:
    """Return for each folder the commits that changed it; those at a `cut` cannot be told."""
    found = {directory: Hits() for directory in directories}
    wanted = found.keys()
    for commit in commits:
        if commit.commit in cut:
            continue  # it looks as if it had made every file
        files: dict[str, dict[str, tuple[Entry, Entry]]] = {}
        for change in commit.changes():
            folder, _, name = change.path.rpartition("/")
            for above in wanted & {change.path, *folders_above(change.path)}:
                if above not in files:
                    files[above] = found[above].add(commit)
            if name in FILE_NAMES and folder in files:
                files[folder][name] = (change.before, change.after)
    return found
