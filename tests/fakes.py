"""In-memory stand-ins for the outside, held to the same contract as the real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from gitops.actions.context.session import Session
from gitops.config import load_config
from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.git.message import trailers
from gitops.core.kustomization import FILE_NAMES
from gitops.core.ledger.signatures import BranchCommit
from gitops.core.releases.history import OverlayVersion
from gitops.errors import GitopsError, NoAtomicPush, NotFound, TooLarge
from gitops.ports import (
    FileChange,
    Gathered,
    LandedCommit,
    Lost,
    NewCommit,
    RefUpdate,
    TreeEntry,
    Unproven,
)

ANA = Identity("Ana", "ana@example.com")
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class FakeClock:
    """`ports.Clock` whose time moves only when somebody pauses."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self.passed = 0.0

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._start + timedelta(seconds=int(self.passed))

    def monotonic(self) -> float:
        """Return the seconds that were paused."""
        return self.passed

    def pause(self, longest: float, shortest: float = 0.0) -> None:
        """Let the longest pause pass at once."""
        self.passed += longest


@dataclass(frozen=True)
class FakeCommit:
    """A commit with all of its files."""

    info: CommitInfo
    files: Mapping[str, bytes]


class FakeLanded:
    """`ports.Landed` of commits on a line, newest first."""

    def __init__(self, repository: FakeRepository, line: Sequence[FakeCommit]) -> None:
        self._repository = repository
        self._line = line

    @property
    def commits(self) -> Sequence[LandedCommit]:
        """The commits."""
        found = []
        for one in self._line:
            before = self._repository.commits[one.info.parents[0]].files
            paths = self._repository.changed(one.info.parents[0], one.info.commit)
            gone = tuple(path for path in paths if path in before and path not in one.files)
            merge = len(one.info.parents) > 1
            found.append(LandedCommit(one.info.commit, paths, gone, merge=merge))
        return found

    def versions(self, directories: Sequence[str]) -> Mapping[str, tuple[OverlayVersion, ...]]:
        """The versions among them."""
        ours = {one.info.commit for one in self._line}
        start = self._line[0].info.commit if self._line else ""
        return {
            folder: tuple(
                one
                for one in (self._repository.history(start, folder) if start else ())
                if one.commit.commit in ours
            )
            for folder in directories
        }


@dataclass(frozen=True)
class FakeSnapshot:
    """`ports.Snapshot` of a FakeCommit."""

    branch: str
    commit: str
    files: Mapping[str, bytes]

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, None when there is none."""
        return self.files.get(path)

    def mark(self, path: str) -> str | None:
        """Return a digest of a file, or of all files in a folder."""
        inside = [one for one in self.files if not path or f"{one}/".startswith(f"{path}/")]
        parts = repr([(one, self.files[one]) for one in sorted(inside)]).encode()
        return hashlib.sha1(parts, usedforsecurity=False).hexdigest() if inside else ""

    def prepare(self, directories: Iterable[str], names: Sequence[str] = ()) -> None:
        """See `ports.Snapshot`."""

    def entries(self, directory: str) -> tuple[str, ...]:
        """Return the names in a folder, sorted, folders ending in "/"."""
        prefix = f"{directory}/" if directory else ""
        rests = [path[len(prefix) :] for path in self.files if path.startswith(prefix)]
        names = {rest.partition("/")[0] + "/" * ("/" in rest) for rest in rests}
        return tuple(sorted(names))


class FakeTree(FakeSnapshot):
    """`ports.Tree` of a FakeCommit; a file whose content starts with `-> ` is a link."""

    def entry(self, path: str) -> TreeEntry | None:
        """See `ports.Tree`."""
        content = self.files.get(path)
        if content is not None:
            kind = "link" if content.startswith(b"-> ") else "file"
            return TreeEntry(kind, hashlib.sha1(content, usedforsecurity=False).hexdigest())
        inside = sorted(one for one in self.files if one.startswith(f"{path}/" if path else ""))
        if not inside:
            return None
        parts = repr([(one, self.files[one]) for one in inside]).encode()
        return TreeEntry("folder", hashlib.sha1(parts, usedforsecurity=False).hexdigest())

    def target(self, path: str) -> str:
        """See `ports.Tree`."""
        return self.files[path].decode().removeprefix("-> ")


class FakeRepository:
    """`ports.Repository` in memory.

    Attributes:
        branches: name -> commit id; change it to play somebody else. Other refs stand there with
            their full names.
        default: the default branch.
        commits: id -> commit.
        trouble: raised by the next call of `push`, then forgotten; with `lands` True the push
            has landed all the same (a lost answer).
        signatures: commit id -> principal who signed it.
        signs: the principal who signs every commit that is made from now on, None for nobody.
        atomic: False: several branches cannot be moved at once.
        told: full names of the refs beside the branches, as they were at the newest push.
        memory: branch -> commit, as an earlier call left it on this machine.
        large: branches that hold more than is read of one.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.branches: dict[str, str] = {}
        self.default = "main"
        self.commits: dict[str, FakeCommit] = {}
        self.author = ANA
        self.trouble: GitopsError | None = None
        self.lands = False
        self.signatures: dict[str, str] = {}
        self.signs: str | None = None
        self.atomic = True
        self.told: tuple[str, ...] = ()
        self.crowd: Callable[[Collection[str]], bool] | None = None
        self.memory: dict[str, str] = {}
        self.large: set[str] = set()
        self._bet: FakeSnapshot | None = None
        if files is not None:
            self.commit(files)

    def commit(
        self,
        files: Mapping[str, bytes | None],
        message: str = "change\n",
        *,
        branch: str = "main",
        parents: Sequence[str] | None = None,
    ) -> str:
        """Commit `files` on `branch` behind everybody's back; None deletes. Returns the id."""
        if parents is None:
            parents = (self.branches[branch],) if branch in self.branches else ()
        time = START + timedelta(seconds=len(self.commits))
        self.branches[branch] = self.create(NewCommit(tuple(parents), files, message, time))
        return self.branches[branch]

    def show(self, path: str, branch: str = "main") -> bytes | None:
        """Return the bytes of a file at the tip of `branch`, None when there is none."""
        return self.commits[self.branches[branch]].files.get(path)

    def head(self, branch: str = "main") -> str | None:
        """Return the commit of `branch`, None when it does not exist."""
        return self.branches.get(branch)

    @contextmanager
    def remembered(self, branch: str | None = None) -> Iterator[FakeSnapshot | None]:
        """See `ports.Repository`."""
        name = branch if branch is not None else self.default
        commit = self.memory.get(name)
        if commit is not None:
            self._bet = FakeSnapshot(name, commit, self.commits[commit].files)
        try:
            yield self._bet
        finally:
            self._bet = None

    def _ask(self) -> None:
        if self._bet is not None:
            raise Unproven

    def snapshot(self, branch: str | None = None) -> FakeSnapshot:
        """See `ports.Repository`."""
        self._ask()
        name = branch if branch is not None else self.default
        if not self.branches:
            raise NotFound("the repository is empty")
        if name not in self.branches:
            raise NotFound(f"no branch {name}")
        if name in self.large:
            raise TooLarge(f"{name} holds more than 64 MB")
        commit = self.branches[name]
        return FakeSnapshot(name, commit, self.commits[commit].files)

    def history(self, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """See `ports.Repository`."""
        self._ask()
        at: str | None = commit
        while at is not None:
            one = self.commits[at]
            at = one.info.parents[0] if one.info.parents else None
            before = self.commits[at].files if at is not None else {}
            if self._below(one.files, directory) != self._below(before, directory):
                yield self._version(one, directory)

    @staticmethod
    def _below(files: Mapping[str, bytes], directory: str) -> dict[str, bytes]:
        prefix = f"{directory}/" if directory else ""
        return {path: content for path, content in files.items() if path.startswith(prefix)}

    @staticmethod
    def _version(commit: FakeCommit, directory: str) -> OverlayVersion:
        prefix = f"{directory}/" if directory else ""
        for name in FILE_NAMES:
            if prefix + name in commit.files:
                return OverlayVersion(commit.info, name, commit.files[prefix + name])
        return OverlayVersion(commit.info, None, None)

    def file_history(self, commit: str, path: str) -> tuple[FileChange, ...]:
        """See `ports.Repository`."""
        found: list[FileChange] = []
        for oid in reversed(self._newest_first([commit], [])):
            one = self.commits[oid]
            parent = one.info.parents[0] if one.info.parents else None
            before = self.commits[parent].files.get(path) if parent is not None else None
            after = one.files.get(path)
            if after != before:
                found.append(FileChange(one.info, before, after))
        return tuple(found)

    def branch_history(self, commit: str) -> tuple[BranchCommit, ...]:
        """See `ports.Evidence`."""
        return tuple(
            BranchCommit(
                oid,
                self.commits[oid].info.parents,
                self._wrote(oid),
            )
            for oid in self._newest_first([commit], [])
        )

    def _wrote(self, commit: str) -> tuple[str, ...]:
        """Return the paths that a commit changed, () for a merge."""
        parents = self.commits[commit].info.parents
        if not parents:
            return tuple(sorted(self.commits[commit].files))
        return self.changed(parents[0], commit) if len(parents) == 1 else ()

    def signed_by(self, commits: Sequence[str], signers: bytes) -> Mapping[str, str]:
        """See `ports.Repository`; `signatures` says who signed what."""
        listed = signers.decode().split()
        return {
            commit: self.signatures[commit]
            for commit in commits
            if self.signatures.get(commit) in listed
        }

    def landed(self, commit: str, since: str) -> FakeLanded | None:
        """See `ports.Evidence`."""
        line: list[FakeCommit] = []
        while commit != since:
            line.append(self.commits[commit])
            if not line[-1].info.parents:
                return None
            commit = line[-1].info.parents[0]
        return FakeLanded(self, line)

    def contains(self, tip: str, commit: str, earlier: str) -> bool:
        """See `ports.Evidence`."""
        return commit in self._reachable([tip]) and earlier in self._reachable([commit])

    def gather(self, commit: str, directories: Iterable[str]) -> None:
        """See `ports.Repository`."""

    def find_intent(self, branch: str, intent: str, since: str) -> str | None:
        """See `ports.Repository`."""
        tips = [self.branches[branch]] if branch in self.branches else []
        for commit in self._newest_first(tips, [since]):
            if intent in trailers(self.commits[commit].info.message).get("Gitops-Id", ()):
                return commit
        return None

    def folders(self, commit: str, directory: str) -> Mapping[str, str]:
        """See `ports.Repository`."""
        below: dict[str, list[tuple[str, bytes]]] = {}
        start = f"{directory}/" if directory else ""
        for path, content in sorted(self.commits[commit].files.items()):
            name, slash, rest = path.removeprefix(start).partition("/")
            if path.startswith(start) and slash:
                below.setdefault(name, []).append((rest, content))
        return {name: str(hash(tuple(files))) for name, files in below.items()}

    def gather_branches(self, branches: Collection[str]) -> None:
        """See `ports.Repository`."""

    def own_branches(self) -> Mapping[str, str]:
        """See `ports.Repository`."""
        self._ask()
        return {name: at for name, at in self.branches.items() if name.startswith("gitops/")}

    def message(self, commit: str) -> tuple[str, float]:
        """See `ports.Repository`."""
        info = self.commits[commit].info
        return info.message, info.time.timestamp() if info.time is not None else 0.0

    def over(self, tip: str, without: str) -> tuple[CommitInfo, ...]:
        """See `ports.Evidence`."""
        found = self._newest_first([tip], [without])
        return tuple(replace(self.commits[one].info, merged=()) for one in found)

    def forks(self, one: str, other: str) -> tuple[str, ...]:
        """See `ports.Evidence`."""
        both = self._reachable([one]) & self._reachable([other])
        older = {earlier for commit in both for earlier in self._reachable([commit]) - {commit}}
        return tuple(sorted(both - older))

    def at(self, commit: str) -> FakeTree:
        """See `ports.Evidence`."""
        return FakeTree(commit[:7], commit, self.commits[commit].files)

    def _newest_first(self, of: Sequence[str], without: Sequence[str]) -> list[str]:
        found = self._reachable(of) - self._reachable(without)
        order = list(self.commits)
        return sorted(found, key=order.index, reverse=True)

    def _reachable(self, starts: Sequence[str]) -> set[str]:
        found: set[str] = set()
        todo = [start for start in starts if start in self.commits]
        while todo:
            commit = todo.pop()
            if commit not in found:
                found.add(commit)
                todo += self.commits[commit].info.parents
        return found

    def changed(self, before: str, after: str) -> tuple[str, ...]:
        """See `ports.Evidence`."""
        old, new = self.commits[before].files, self.commits[after].files
        return tuple(sorted(path for path in {*old, *new} if old.get(path) != new.get(path)))

    def create(self, commit: NewCommit) -> str:
        """See `ports.Repository`."""
        base = commit.base or (commit.parents[0] if commit.parents else None)
        files = dict(self.commits[base].files) if base is not None else {}
        for path, content in commit.files.items():
            if content is None:
                files.pop(path, None)
            else:
                files[path] = content
        merged: tuple[str, ...] = ()
        if len(commit.parents) > 1:
            brought = self._newest_first(commit.parents[1:], commit.parents[:1])
            merged = tuple(self.commits[one].info.message for one in brought)
        author = commit.author or self.author
        message = commit.message.rstrip("\n") + "\n"
        parts = repr((commit.parents, sorted(files.items()), message, commit.time, author))
        oid = hashlib.sha1(parts.encode(), usedforsecurity=False).hexdigest()
        if self.signs is not None:
            self.signatures.setdefault(oid, self.signs)
        info = CommitInfo(oid, commit.parents, author, commit.time, message, merged)
        self.commits.setdefault(oid, FakeCommit(info, files))
        return oid

    def push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """See `ports.Repository`."""
        if len(updates) > 1 and not self.atomic:
            raise NoAtomicPush("memory cannot move several branches at once")
        names = {update: update.ref.removeprefix("refs/heads/") for update in updates}
        bet = self._bet
        if bet is not None and (bet.branch, bet.commit) not in [
            (name, update.old) for update, name in names.items()
        ]:
            raise Unproven
        if self.crowd is not None and self.crowd(tuple(names.values())):
            return Lost("others wait to be carried", gave_way=True)
        self.told = tuple(name for name in self.branches if name.startswith("refs/"))
        trouble, self.trouble = self.trouble, None
        if trouble is not None and not self.lands:
            raise trouble
        if all(self.branches.get(name) == update.new is not None for update, name in names.items()):
            return None
        for update, name in names.items():
            if self.branches.get(name) != update.old:
                return Lost(f"{name} moved")
        for update, name in names.items():
            if update.new is None:
                self.branches.pop(name, None)
            else:
                self.branches[name] = update.new
        if trouble is not None:
            raise trouble
        return None

    def describe(self) -> str:
        """See `ports.Repository`."""
        return "memory"

    def address(self) -> str:
        """See `ports.Repository`."""
        return "/memory"


class FakeIntents:
    """`ports.Intents` of a FakeRepository.

    Attributes:
        blobs: object id -> content.
        why: what `obstacle` says.
        crowded: raised by `gather`.
        deaf: nobody hears of refs before a push, as where git makes it.
    """

    deaf = False

    def __init__(self, repository: FakeRepository) -> None:
        self.repository = repository
        self.blobs: dict[str, bytes] = {}
        self.why: str | None = None
        self.crowded: GitopsError | None = None

    def obstacle(self) -> str | None:
        """See `ports.Intents`."""
        return self.why

    def store(self, content: bytes) -> str:
        """See `ports.Intents`."""
        oid = hashlib.sha1(b"blob %b" % content, usedforsecurity=False).hexdigest()
        self.blobs[oid] = content
        return oid

    def gather(self, branch: str, prefix: str) -> Gathered:
        """See `ports.Intents`."""
        if self.crowded is not None:
            raise self.crowded
        found = self.repository.branches.items()
        refs = {name: oid for name, oid in found if name.startswith(prefix)}
        return Gathered(self.repository.snapshot(branch), refs)

    def contents(self, oids: Collection[str], longest: int) -> Mapping[str, bytes | None]:
        """See `ports.Intents`."""
        found = {oid: self.blobs.get(oid) for oid in oids}
        return {
            oid: blob if blob is not None and len(blob) <= longest else None
            for oid, blob in found.items()
        }

    def recent(self, commit: str, reaching: Collection[str]) -> Sequence[CommitInfo]:
        """See `ports.Intents`: all of them."""
        found = self.repository._newest_first([commit], [])
        return [self.repository.commits[oid].info for oid in found]

    def look(self, branch: str, commit: str) -> FakeSnapshot:
        """See `ports.Intents`."""
        return FakeSnapshot(branch, commit, self.repository.commits[commit].files)

    def give_way(self, prefix: str, crowd: Callable[[Collection[str]], bool] | None) -> None:
        """See `ports.Intents`."""

        def leaves(moving: Collection[str]) -> bool:
            there = [name for name in self.repository.branches if name.startswith(prefix)]
            ours = any(name.startswith(prefix) for name in moving)
            return not ours and crowd is not None and bool(there) and crowd(there)

        self.repository.crowd = None if self.deaf else leaves

    def overheard(self, prefix: str) -> Collection[str]:
        """See `ports.Intents`."""
        return tuple(name for name in self.repository.told if name.startswith(prefix))


def session_on(repository: FakeRepository, who: Identity = ANA, **more: Any) -> Session:
    """Return a session of `who` on a repository in memory; `more`: what else it gets."""
    known = {"evidence": repository, "clock": FakeClock(), "load_config": load_config}
    return Session(
        **{"repository": repository, "identity": lambda: who, "intent": "0" * 32, **known, **more}
    )
