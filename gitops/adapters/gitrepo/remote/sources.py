"""Source repositories: where their branches are, what is on them, and a new branch.

One `ls-remote` tells the heads. Only when a question needs history are commits fetched, without
trees and files (`--filter=tree:0`), and only as deep as the answer lies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gitops.adapters.gitrepo.archive.log_format import commit_time
from gitops.adapters.gitrepo.command import messages
from gitops.adapters.gitrepo.command.discovery import inspect
from gitops.adapters.gitrepo.command.messages import AnswerKind
from gitops.adapters.gitrepo.command.process import OFFLINE, Git, GitResult
from gitops.adapters.gitrepo.command.push import noted, push_args, read_answer, settle
from gitops.adapters.gitrepo.objects.store import Store
from gitops.core.forges.named_hosts import is_here
from gitops.core.text.plain import split_lines
from gitops.ports import Lost, RefUpdate

_DEPTHS = (50, 1000, 20_000, 2_147_483_647)  # the last one is Git's word for all of it
_FETCH = ("fetch", "-q", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
if TYPE_CHECKING:
    from gitops.adapters.gitrepo.remote.source_access import SourceAccess, SourceAccesses

_OURS = "refs/gitops/source"
_ALL = (f"+refs/heads/*:{_OURS}/*", "+refs/tags/*:refs/gitops/tags/*")


class GitSources:
    """`ports.Sources` over Git; nobody is contacted before a question is asked.

    A context manager; `close` removes what it made.

    Args:
        home: returns the remote of the manifests, whose server the caller named.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        home: Callable[[], str | None] = lambda: None,
        progress: Callable[[str], None] | None = None,
        timeout: float = 60.0,
    ) -> None:
        def open_accesses() -> SourceAccesses:
            from gitops.adapters.gitrepo.remote.source_access import SourceAccesses  # few ask

            return SourceAccesses(environ, home, timeout=timeout, progress=progress)

        self._open_accesses = open_accesses
        self._accesses: SourceAccesses | None = None
        self._open: dict[str, _Source] = {}

    def __enter__(self) -> GitSources:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def heads(self, url: str) -> Mapping[str, str]:
        """Return branch -> commit; see `ports.Sources`."""
        return self._source(url).heads()

    def find(self, url: str, branch: str, commit: str) -> str | None:
        """Return the whole id of `commit` if it is on `branch`; see `ports.Sources`."""
        return self._source(url).find(branch, commit)

    def is_older(self, url: str, branch: str, commit: str, than: str) -> bool:
        """Say whether `commit` came before `than`; see `ports.Sources`."""
        return self._source(url).is_older(branch, commit, than)

    def times(
        self, url: str, commits: Collection[str], *, typed: bool = False
    ) -> Mapping[str, datetime]:
        """Return when commits were made; see `ports.Sources`."""
        return self._source(url, typed=typed).times(frozenset(commits))

    def create_branch(self, url: str, branch: str, commit: str, start: str) -> bool:
        """Make a branch; see `ports.Sources`."""
        return self._source(url).create_branch(branch, commit, start)

    def _source(self, url: str, *, typed: bool = False) -> _Source:
        if url not in self._open:
            if self._accesses is None:
                self._accesses = self._open_accesses()
            self._open[url] = _Source(self._accesses.of(url, typed=typed))
        return self._open[url]

    def close(self) -> None:
        """Remove the private stores."""
        for source in self._open.values():
            source.close()


class _Source:
    def __init__(self, access: SourceAccess) -> None:
        self._access = access
        self._git = access.git
        self._url = access.url
        self._store: Store | None = None
        self._heads: dict[str, str] = {}

    def heads(self) -> Mapping[str, str]:
        answer = self._talk("ls-remote", "--heads", "--", self._url)
        refs = messages.read_refs(answer.text)
        self._heads = {ref.removeprefix("refs/heads/"): oid for ref, oid in refs.items()}
        return self._heads

    def find(self, branch: str, commit: str) -> str | None:
        head = (self._heads or self.heads()).get(branch)
        if head is not None and head.startswith(commit):
            return head
        for known in self._histories(branch):
            found = [oid for oid in known if oid.startswith(commit)]
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def is_older(self, branch: str, commit: str, than: str) -> bool:
        if commit == than:
            return False
        for known in self._histories(branch):
            # A cut history proves what it shows, never what it does not.
            if commit in known and than in known:
                if self._is_ancestor(commit, than):
                    return True
                if self._is_ancestor(than, commit):
                    return False
        return False

    def times(self, commits: frozenset[str]) -> dict[str, datetime]:
        if is_here(self._url) and "://" not in self._url:
            return times_in_folder(self._git, self._url, commits)
        found: dict[str, datetime] = {}
        for depth in _DEPTHS if self.heads() else ():  # git fails where there is none
            self._talk(*_FETCH, "--filter=tree:0", f"--depth={depth}", "--", self._url, *_ALL)
            store = self._ready()
            store.reopen()
            found = read_times(self._git, [*store.args, "rev-list", "--timestamp", "--all"])
            if commits <= found.keys() or not store.boundary():
                break
        return {commit: found[commit] for commit in commits if commit in found}

    def create_branch(self, branch: str, commit: str, start: str) -> bool:
        # A push needs what it points at; nothing of it is sent, since the server has it.
        next((known for known in self._histories(start) if commit in known), None)
        update = RefUpdate(f"refs/heads/{branch}", None, commit)
        return noted(self._url, [update], self._push) is None

    def _push(self, updates: Sequence[RefUpdate]) -> Lost | None:
        answer = self._git.run(
            [*self._ready().args, *push_args(updates, self._url)],
            doing=f"waiting for {self._url} to take the branch",
        )
        verdict = read_answer(answer, updates, self._now)
        return settle(verdict, updates, self._url, lambda: updates[0].ref in self._now())

    def _now(self) -> dict[str, str]:
        return {f"refs/heads/{branch}": commit for branch, commit in self.heads().items()}

    def _histories(self, branch: str) -> Iterator[frozenset[str]]:
        """Yield the commits of `branch` that are known, each time from deeper in its past."""
        ref = f"{_OURS}/{branch}"
        for depth in _DEPTHS:
            with suppress(_NoBranch):
                self._talk(
                    *_FETCH,
                    "--filter=tree:0",
                    f"--depth={depth}",
                    "--",
                    self._url,
                    f"+refs/heads/{branch}:{ref}",
                )
            store = self._ready()
            store.reopen()
            listing = self._git.run([*store.args, "rev-list", ref, "--"])
            if listing.code != 0:
                return
            yield frozenset(listing.text.split())
            if not store.boundary():
                return

    def _is_ancestor(self, older: str, newer: str) -> bool:
        args = ("merge-base", "--is-ancestor", older, newer)
        return self._git.run([*self._ready().args, *args]).code == 0

    def _ready(self) -> Store:
        if self._store is None:
            self._store = Store(self._git)
        return self._store

    def _talk(self, *args: str) -> GitResult:
        """Run one exchange with the server. Raises `_NoBranch` when it has no such branch."""
        answer = self._run(args)
        verdict = messages.read_transport(answer.err) if answer.code != 0 else None
        if verdict is not None and verdict.kind is AnswerKind.OTHER_FORMAT:
            self._ready().close()
            self._store = Store(self._git, algorithm="sha256")
            answer = self._run(args)
            verdict = messages.read_transport(answer.err) if answer.code != 0 else None
        if verdict is None:
            return answer
        if verdict.kind is AnswerKind.NO_BRANCH:
            raise _NoBranch
        raise self._access.explained(messages.error_of(verdict, self._url))

    def _run(self, args: tuple[str, ...]) -> GitResult:
        return self._git.run([*self._ready().args, *args], doing=f"waiting for {self._url}")

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


class _NoBranch(Exception):
    """The source repository has no such branch."""


def times_in_folder(git: Git, folder: str, commits: Collection[str]) -> dict[str, datetime]:
    """Return when commits were made, as a clone of this machine knows; nobody is asked.

    Those that a shallow clone does not have are left out. Raises what `inspect` raises.
    """
    git = Git(git.environ, folder=Path(folder), timeout=git.timeout, progress=git.progress)
    location = inspect(git, Path(folder), folder)
    listing = ("rev-list", "--timestamp", "--no-walk=unsorted", "--ignore-missing", "--stdin")
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    return read_times(git, [f"--git-dir={location.git_dir}", *listing], asked)


def read_times(git: Git, args: Sequence[str], feed: bytes | None = None) -> dict[str, datetime]:
    """Run a `rev-list --timestamp`, and read its lines: seconds since 1970, and the commit."""
    found: dict[str, datetime] = {}
    for line in split_lines(git.run(args, feed=feed, extra=OFFLINE).text):
        seconds, _, commit = line.partition(" ")
        time = commit_time(seconds)
        if time is not None:
            found[commit] = time
    return found
