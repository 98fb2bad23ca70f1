"""First-parent history of one folder, read no deeper than the caller iterates.

A store that holds only the newest commits is deepened by and by. The oldest commit of a cut
history looks as if it had made every file, so it is looked at again once its parent is there; it
is shown (`complete` False) only when its parent cannot be had.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from gitops.adapters.gitrepo.command.process import Git
from gitops.adapters.gitrepo.objects.codec import FILE, TREE, ObjectEntry
from gitops.adapters.gitrepo.objects.source import Depth
from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.git.message import trailers
from gitops.core.kustomization import FILE_NAMES
from gitops.core.ledger.signatures import BranchCommit
from gitops.core.releases.history import OverlayVersion
from gitops.errors import NotFound
from gitops.ports import FileChange

_LOT = 32  # versions whose contents are fetched together
_FORMAT = "--format=%H%n%P%n%an%n%ae%n%ct%n%B%x00"


class _Version(Struct, frozen=True):
    info: CommitInfo
    file: str | None
    entry: ObjectEntry | None
    complete: bool


class HistoryReader:
    """Reads history of one `Source`; `git` runs the walks."""

    def __init__(self, git: Git, source: Depth) -> None:
        self._git = git
        self._source = source
        self._walks: dict[tuple[str, str, frozenset[str]], list[CommitInfo]] = {}

    def versions(self, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """Yield what each first-parent commit that touched `directory` left there, newest first."""
        start = commit
        while True:
            boundary = self._source.store.boundary()
            if start in boundary and self._deepen(commit, start):
                continue  # of this one nothing can be told yet
            known = (start, directory, boundary)
            if known not in self._walks:  # a call asks for the same again for each of its tries
                self._walks[known] = self._walk([start, "--first-parent"], directory)
            hits = self._walks[known]
            oldest = hits[-1] if hits and hits[-1].commit in boundary else None
            whole = hits[:-1] if oldest is not None else hits
            yield from self._load(commit, whole, directory)
            end = self._end(start) if boundary else ""
            if end not in boundary:
                return
            if not self._deepen(commit, end):
                # Nobody has its parent: it may or may not have made the change.
                if oldest is not None:
                    yield from self._load(commit, [oldest], directory, complete=False)
                return
            start = end

    def file_changes(self, commit: str, path: str) -> tuple[FileChange, ...]:
        """Return what each commit did to `path`, oldest first, all sides of merges included.

        Along first parents alone a merge could leave out what was on the branch before it.
        """
        self._complete(commit)
        store = self._source.store
        cut = store.boundary()
        hits = self._walk([commit, "--full-history", "--topo-order", "--reverse"], path)
        sides = []
        for info in hits:
            parent = info.parents[0] if info.parents and info.commit not in cut else None
            before = self._blob(parent, path) if parent is not None else None
            sides.append((before, self._blob(info.commit, path)))
        self._source.fetch_blobs([oid for pair in sides for oid in pair if oid is not None])
        return tuple(
            FileChange(info, self._content(old), self._content(new), info.commit not in cut)
            for info, (old, new) in zip(hits, sides, strict=True)
            if old != new  # a merge may differ from its other parents only
        )

    def branch(self, commit: str) -> tuple[BranchCommit, ...]:
        """Return every commit that `commit` has; see `ports.Evidence`."""
        self._complete(commit)
        args = ("log", "--topo-order", "--root", "-z", "--name-only", "--no-renames")
        plain = ("--no-show-signature", "--no-color", "--no-ext-diff", "--no-mailmap")
        answer = self._git.run(
            [*self._source.store.args, *args, *plain, "--format=%x00%H %P", commit, "--"]
        )
        if answer.code != 0:
            raise NotFound(f"the history cannot be read: {answer.err.strip()}")
        # No path is empty, so that two NULs stand between two commits and nowhere else.
        records = answer.out.removeprefix(b"\0").split(b"\0\0")
        return tuple(_changed(record) for record in records if record)

    def _complete(self, commit: str) -> None:
        while self._reaches_cut(commit) and self._source.deepen(commit):
            pass

    def _reaches_cut(self, commit: str) -> bool:
        cut = self._source.store.boundary()
        if not cut:
            return False
        answer = self._git.run([*self._source.store.args, "rev-list", commit])
        return not cut.isdisjoint(answer.text.split("\n"))

    def _content(self, oid: str | None) -> bytes | None:
        return None if oid is None else self._source.store.read(oid)[1]

    def _blob(self, commit: str, path: str) -> str | None:
        """Return the id of the regular file at `path` in `commit`, None when there is none."""
        store = self._source.store
        *folders, name = path.split("/")
        tree = store.tree(store.tree_of(commit))
        for folder in folders:
            below = tree.get(folder)
            tree = store.tree(below.oid) if below is not None and below.mode == TREE else {}
        entry = tree.get(name)
        return entry.oid if entry is not None and entry.mode.startswith(FILE[:3]) else None

    def newest(self, commit: str, most: int) -> list[CommitInfo]:
        """Return the newest `most` commits of all that `commit` has and the store holds."""
        return self._walk([commit, f"--max-count={most}"])

    def find_intent(self, commit: str, intent: str, since: str) -> str | None:
        """Return the commit with `Gitops-Id: intent` among those that `commit` has over `since`."""
        while commit != since:
            exclude = [f"^{since}"] if self._source.store.find(since) is not None else []
            found = self._walk([commit, *exclude])
            for info in found:
                if intent in trailers(info.message).get("Gitops-Id", ()):
                    return info.commit
            if not self._is_cut(found) or not self._source.deepen(commit):
                break
        return None

    def commits(self, revisions: Sequence[str]) -> list[CommitInfo]:
        """Return the commits that `git rev-list REVISIONS` finds in the store, and no others."""
        return self._walk(revisions)

    def over(self, tips: Sequence[str], without: Sequence[str]) -> list[CommitInfo]:
        """Return what `tips` have and `without` have not, newest first."""
        while True:
            found = self._walk(["--topo-order", *tips, *(f"^{one}" for one in without)])
            if not self._is_cut(found):
                return found
            if not sum(self._source.deepen(one) for one in (*tips, *without)):
                return found

    def forks(self, one: str, other: str) -> tuple[str, ...]:
        """Return the newest commits that both have, of what was read."""
        answer = self._git.run([*self._source.store.args, "merge-base", "--all", one, other])
        return tuple(answer.text.split())

    def contains(self, tip: str, commit: str, earlier: str) -> bool:
        """Is `earlier` `commit` or an ancestor of it, both in the history of `tip`?

        A cut history answers yes for good. No is believed when the two stand the other way round,
        or when there is no more history to get.
        """
        while True:
            store = self._source.store
            if all(store.find(one) is not None for one in (tip, commit, earlier)):
                if self._is_ancestor(commit, tip) and self._is_ancestor(earlier, commit):
                    return True
                if commit != earlier and self._is_ancestor(commit, earlier):
                    return False
            if not self._source.deepen(tip):
                return False

    def _is_ancestor(self, earlier: str, commit: str) -> bool:
        if earlier == commit:
            return True
        args = ("merge-base", "--is-ancestor", earlier, commit)
        return self._git.run([*self._source.store.args, *args]).code == 0

    def _deepen(self, commit: str, end: str) -> bool:
        """Get more history until the parent of `end` is there; False when nobody has it."""
        while self._source.deepen(commit):
            if end not in self._source.store.boundary():
                return True
        return False

    def _is_cut(self, found: Sequence[CommitInfo]) -> bool:
        """Tell whether a walk ended where the store ends, and may have gone too far or too short.

        With a cut somewhere, a walk that reaches a root may have passed what it should exclude.
        """
        boundary = self._source.store.boundary()
        return bool(boundary) and any(info.commit in boundary or not info.parents for info in found)

    def _end(self, start: str) -> str:
        """Return the oldest first-parent commit that the store has."""
        answer = self._git.run(
            [*self._source.store.args, "rev-list", "--first-parent", start],
        )
        return answer.text.rpartition("\n")[2]

    def _walk(self, revisions: Sequence[str], directory: str = "") -> list[CommitInfo]:
        paths = ["--", directory] if directory else ["--"]
        args = ["--literal-pathspecs", "rev-list", "--encoding=UTF-8", _FORMAT]
        answer = self._git.run([*self._source.store.args, *args, *revisions, *paths])
        if answer.code != 0:
            raise NotFound(f"the history cannot be read: {answer.err.strip()}")
        text = answer.out.decode("utf-8", "replace")
        return [_commit(record) for record in text.split("\0")[:-1]]

    def _load(
        self, tip: str, hits: Sequence[CommitInfo], directory: str, *, complete: bool = True
    ) -> Iterator[OverlayVersion]:
        for at in range(0, len(hits), _LOT):
            lot = [self._look(info, directory, complete) for info in hits[at : at + _LOT]]
            self._source.fetch_blobs([one.entry.oid for one in lot if one.entry is not None])
            for one in lot:
                content = None
                if one.entry is not None:
                    content = self._source.store.read(one.entry.oid)[1]
                info = one.info
                if len(info.parents) > 1:
                    info = replace(info, merged=self._merged(tip, info))
                yield OverlayVersion(info, one.file, content, one.complete)

    def _look(self, info: CommitInfo, directory: str, complete: bool) -> _Version:
        """Find the kustomization that the folder had at this commit."""
        store = self._source.store
        tree = store.tree(store.tree_of(info.commit))
        for part in directory.split("/") if directory else ():
            entry = tree.get(part)
            tree = store.tree(entry.oid) if entry is not None and entry.mode == TREE else {}
        for name in FILE_NAMES:
            entry = tree.get(name)
            if entry is not None and entry.mode.startswith(FILE[:3]):
                return _Version(info, name, entry, complete)
        return _Version(info, None, None, complete)

    def _merged(self, tip: str, info: CommitInfo) -> tuple[str, ...]:
        """Return the messages of the commits that a merge brought in, newest first."""
        first, *others = info.parents
        while True:
            brought = self._walk([*others, f"^{first}"])
            if not self._is_cut(brought) or not self._source.deepen(tip):
                return tuple(one.message for one in brought)


def _changed(record: bytes) -> BranchCommit:
    # `git log -z` puts a NUL behind the header, and a line end before the first path.
    head, _, listed = record.decode("utf-8", "surrogateescape").partition("\0")
    commit, *parents = head.split()
    paths = listed.removeprefix("\n").split("\0")
    return BranchCommit(commit, tuple(parents), tuple(path for path in paths if path))


def _commit(record: str) -> CommitInfo:
    # `rev-list` puts a line "commit ID" before each record.
    _, oid, parents, name, email, time, message = record.lstrip("\n").split("\n", 6)
    return CommitInfo(
        oid,
        tuple(parents.split()),
        Identity(name, email),
        datetime.fromtimestamp(int(time), UTC),
        message.rstrip("\n") + "\n",
    )
