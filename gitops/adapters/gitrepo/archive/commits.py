"""`ports.Commits` and `ports.Trees`: any commit, what came before it and what it changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from gitops.adapters.gitrepo.archive.ancestry import shortfall
from gitops.adapters.gitrepo.archive.history import HistoryReader
from gitops.adapters.gitrepo.archive.lazy_fetch import LazyFetch
from gitops.adapters.gitrepo.command import messages, settings
from gitops.adapters.gitrepo.command.discovery import RepositoryLocation
from gitops.adapters.gitrepo.command.process import OFFLINE, Git
from gitops.adapters.gitrepo.objects.codec import FILE, LINK, MODULE, TREE, ObjectEntry, TreeContent
from gitops.adapters.gitrepo.objects.differences import changed_paths, differences
from gitops.adapters.gitrepo.objects.snapshot import CommitSnapshot
from gitops.adapters.gitrepo.objects.source import BranchTip, Depth
from gitops.core.git.commit import CommitInfo
from gitops.core.releases.history import OverlayVersion
from gitops.errors import NotFound, UsageError
from gitops.ports import Tree as TreePort
from gitops.ports import TreeEntry

_FULL = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = re.compile(r"(?!-)(?!.*\.\.)[^\x00-\x20\x7f:?*\[\\]+")
_PLAIN = re.compile(r"(?!HEAD$|refs/|[0-9a-f]{7,}$)[^~^@{}]+")
_STEPS = re.compile(r"(?P<name>.+?)(?P<steps>(?:[~^][0-9]{0,9})*)")
_STEP = re.compile(r"([\^~])([0-9]*)")
_TREES = 8  # commits whose folders are remembered: a check goes from one to the next
_FARTHEST = 10_000  # generations that a name may go back
_KINDS: Mapping[str, Literal["file", "folder", "link", "submodule"]] = {
    TREE: "folder",
    LINK: "link",
    MODULE: "submodule",
}


class CommitReader:
    """Commits of one repository, in a store of their own.

    Args:
        git: runs git with the credentials of the remote, in `place` where there is one.
        url: of the remote, None where the repository has none.
        name: what messages call the repository.
        place: the caller's clone or bare repository, None for a URL.
        algorithm: asked when the first commit is: `sha1` or `sha256`.
    """

    def __init__(
        self,
        git: Git,
        *,
        url: str | None,
        name: str,
        place: RepositoryLocation | None,
        algorithm: Callable[[], str],
    ) -> None:
        self._git = git
        self._url = url
        self._name = name
        self._place = place
        self._algorithm = algorithm
        self._made: tuple[LazyFetch, HistoryReader] | None = None
        self._trees: dict[str, CommitTree] = {}
        self._told: dict[str, dict[str, ObjectEntry | None]] = {}
        self._branches: dict[str, str] | None = None

    @property
    def _reach(self) -> LazyFetch:
        return self._open()[0]

    @property
    def _reader(self) -> HistoryReader:
        return self._open()[1]

    def _open(self) -> tuple[LazyFetch, HistoryReader]:
        if self._made is None:
            clone = self._place
            if self._url is not None and clone is not None and settings.lacks_folders(clone.lines):
                clone = None  # its commits are of no use: only names are read there
            reach = LazyFetch(
                self._git,
                url=self._url,
                name=self._name,
                clone=clone,
                algorithm=self._place.algorithm if self._place else self._algorithm(),
            )
            self._made = (reach, HistoryReader(self._git, reach))
        return self._made

    def find(self, revision: str | None) -> str:
        """Return all digits of a commit; see `ports.Commits`."""
        name = "HEAD" if revision is None else revision
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is not the name of a commit", hint="an id, a branch, a tag, or HEAD~1"
            )
        commit = self._resolve(name)
        self._reach.need([commit])
        return commit

    def _resolve(self, name: str) -> str:
        found = self._locally(name) or (name.lower() if _FULL.fullmatch(name.lower()) else None)
        if found is not None:
            return found
        parts = _STEPS.fullmatch(name)
        if parts is not None and parts["steps"]:
            # A clone that was cut does not know the parents of what it has.
            return self._step_back(self._resolve(parts["name"]), parts["steps"], name)
        found = self._remotely(name)
        if found is not None:
            return found
        hint = "a short id is only understood in a clone that has the commit"
        if self._place is None:
            hint = "name a branch, a tag, or give all digits of an id"
            if name.startswith("origin/"):
                # Not read as `main`: a range up to HEAD would be empty, and a check of it pass.
                plain = name.removeprefix("origin/")
                hint = f"that is a name of a clone: `--repo .` looks there; here it is {plain}"
        raise NotFound(f"{name} is no commit of {self._name}", hint=hint)

    def _locally(self, name: str) -> str | None:
        if self._place is None:
            return None
        # A tag of the same name would come first for Git, and anybody may push one.
        branches = [f"refs/remotes/{name}", f"refs/heads/{name}"] if _PLAIN.fullmatch(name) else []
        for one in (*branches, name):
            words = ("rev-parse", "--verify", "-q", f"{one}^{{commit}}")
            answer = self._git.run([f"--git-dir={self._place.git_dir}", *words], extra=OFFLINE)
            if answer.code == 0 and _FULL.fullmatch(answer.text):
                return answer.text
        return None

    def _remotely(self, name: str) -> str | None:
        if self._url is None:
            return None
        names = [name]
        remote, slash, rest = name.partition("/")
        if slash and self._place is not None and remote in settings.remotes(self._place.lines):
            names.append(rest)  # origin/main, where the clone has fetched another branch only
        wanted = [
            pattern
            for one in names
            for pattern in (f"refs/heads/{one}", f"refs/tags/{one}^{{}}", f"refs/tags/{one}")
        ]
        if name == "HEAD" or name.startswith("refs/"):
            wanted.append(name)
        refs = self._list(*wanted)
        return next((refs[one] for one in wanted if one in refs), None)

    def _list(self, *patterns: str) -> dict[str, str]:
        answer = self._git.run(
            [*self._reach.store.args, "ls-remote", "--", self._url or "", *patterns],
            doing=f"waiting for {self._name}",
        )
        if answer.code != 0:
            raise messages.error_of(messages.read_transport(answer.err), self._name)
        return messages.read_refs(answer.text)

    def _step_back(self, commit: str, steps: str, name: str) -> str:
        for mark, digits in _STEP.findall(steps):
            number = int(digits) if digits else 1
            for _ in range(min(number, _FARTHEST) if mark == "~" else min(number, 1)):
                self._reach.need([commit])
                parents = self._reach.store.parents(commit)
                index = number - 1 if mark == "^" else 0
                if index >= len(parents):
                    raise NotFound(f"{name} is no commit: {commit[:7]} has no such parent")
                commit = parents[index]
        return commit

    def info(self, commit: str) -> CommitInfo:
        """Return what one commit says; see `ports.Commits`."""
        self._reach.need([commit])
        found = self._reader.commits(["--no-walk", commit])[0]
        found = replace(found, parents=self._reach.store.parents(commit))
        if len(found.parents) < 2:
            return found
        first, *others = found.parents
        brought = self._over(others, [first])
        return replace(found, merged=tuple(one.message for one in brought))

    def over(self, tip: str, base: str | None) -> tuple[CommitInfo, ...]:
        """Return the commits that `tip` has over `base`; see `ports.Commits`."""
        return self._over([tip], [] if base is None else [base])

    def _over(self, tips: Sequence[str], without: Sequence[str]) -> tuple[CommitInfo, ...]:
        self._reach.need([*tips, *without])
        found = self._reader.over(tips, without)
        self._reach.note(one.commit for one in found)
        return tuple(found)

    def fork(self, one: str, other: str) -> str | None:
        """Return the newest commit that both have; see `ports.Commits`."""
        self._reach.need([one, other])
        return next(iter(self._reader.forks(one, other)), None)

    def history(self, commit: str, directory: str) -> Iterator[OverlayVersion]:
        """Yield the versions of `directory`, newest first; see `ports.Commits`."""
        self._reach.need([commit])
        for version in self._reader.versions(commit, directory.strip("/")):
            if not version.complete:
                raise shortfall(self._reach, [commit])
            yield version

    def branches(self, *, anew: bool = False) -> Mapping[str, str]:
        """Return branch -> newest commit; see `ports.Commits`."""
        if self._branches is None or anew:
            if self._url is not None:
                refs = self._list("refs/heads/*")
            else:
                here = [f"--git-dir={self._place.git_dir}"] if self._place is not None else []
                listing = ("for-each-ref", "--format=%(objectname)%09%(refname)", "refs/heads")
                lines = self._git.run([*here, *listing], extra=OFFLINE).text.split("\n")
                refs = {ref: oid for oid, _, ref in (line.partition("\t") for line in lines) if ref}
            self._branches = {ref.removeprefix("refs/heads/"): oid for ref, oid in refs.items()}
        return self._branches

    def signed_by(self, commits: Sequence[str], signers: bytes) -> Mapping[str, str]:
        """Return commit -> principal of a listed key; see `ports.Commits`."""
        from gitops.adapters.gitrepo.archive.signatures import signed_by

        self._reach.need(commits)
        return signed_by(self._git, self._reach.store, commits, signers)

    def tree(self, commit: str) -> TreePort:
        """Return the files of `commit`; see `ports.Trees`."""
        if commit not in self._trees:
            self._reach.need([commit])
            while len(self._trees) >= _TREES:
                del self._trees[next(iter(self._trees))]
            self._trees[commit] = CommitTree(self._reach, commit, self._told.get(commit))
        return self._trees[commit]

    def changed(self, before: str | None, after: str) -> tuple[str, ...]:
        """Return the paths whose entries differ; see `ports.Trees`."""
        self._reach.need([after] if before is None else [before, after])
        return changed_paths(self._reach.store, before, after)

    def changed_by_each(
        self, steps: Sequence[tuple[str | None, str]]
    ) -> tuple[tuple[str, ...], ...]:
        """Return the paths that differ in each pair; see `ports.Trees`."""
        commits = [one for step in steps for one in step if one is not None]
        self._reach.need(commits)
        found: list[tuple[str, ...]] = []
        for (before, after), sides in zip(
            steps, differences(self._reach.store, steps), strict=True
        ):
            for number, commit in enumerate((before, after)):
                if commit is not None:
                    told = self._told.setdefault(commit, {})
                    told |= {path: entries[number] for path, entries in sides.items()}
            found.append(tuple(sorted(sides)))
        return tuple(found)

    def prepare(self, ids: Sequence[str]) -> None:
        """Fetch contents at once; see `ports.Trees`."""
        self._reach.fetch_blobs(ids)

    def merge_text(self, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
        """Merge lines as Git does; see `ports.Trees`."""
        import tempfile  # which loads much

        with tempfile.TemporaryDirectory(dir=self._reach.store.path) as folder:
            names = ("ours", "base", "theirs")
            for name, content in zip(names, (ours, base, theirs), strict=True):
                (Path(folder) / name).write_bytes(content)
            files = [f"{folder}/{name}" for name in names]
            answer = self._git.run([*self._reach.store.args, "merge-file", "-p", "-q", *files])
        return answer.out if answer.code == 0 else None

    def close(self) -> None:
        """Remove the store, if one was made."""
        if self._made is not None:
            self._made[0].close()
            self._made = None


class CommitTree(CommitSnapshot):
    """`ports.Tree` of a commit; its `branch` is the commit's short id.

    Args:
        told: what is known of paths in it.
    """

    def __init__(
        self,
        reach: Depth,
        commit: str,
        told: Mapping[str, ObjectEntry | None] | None = None,
    ) -> None:
        super().__init__(reach.store, BranchTip(commit[:7], commit))
        self._reach = reach
        self._told = told or {}
        self._seen: dict[str, TreeContent | None] = {}

    def entry(self, path: str) -> TreeEntry | None:
        """Return what lies at `path`; see `ports.Tree`."""
        found = self._find(path)
        if found is None:
            return None
        executable = found.is_file and found.mode != FILE
        return TreeEntry(_KINDS.get(found.mode, "file"), found.oid, executable)

    def target(self, path: str) -> str:
        """Return what the link at `path` says; see `ports.Tree`."""
        found = self._find(path)
        if found is None or found.mode != LINK:
            raise NotFound(f"{path}: no symbolic link")
        return self._content(found.oid).decode("utf-8", "surrogateescape")

    def _file(self, path: str) -> ObjectEntry | None:
        told = self._told.get(path)
        return told if told is not None and told.is_file else super()._file(path)

    def _content(self, oid: str) -> bytes:
        if self._store.find(oid) is None:
            self._reach.fetch_blobs([oid])
        return super()._content(oid)

    def _find(self, path: str) -> ObjectEntry | None:
        if not path:
            return ObjectEntry(TREE, self._root)
        if path in self._told:
            return self._told[path]
        folder, _, name = path.rpartition("/")
        if folder not in self._seen:
            entry = self._find(folder)
            is_folder = entry is not None and entry.mode == TREE
            self._seen[folder] = self._store.tree(entry.oid) if entry and is_folder else None
        tree = self._seen[folder]
        return None if tree is None else tree.get(name)
