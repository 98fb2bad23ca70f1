"""A repository as it can be seen without asking anybody: for completion in a shell.

A checkout as it stands on disk, a bare repository as it is, and of a URL what an earlier call left
in the cache, however old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gitops.adapters.gitrepo.local.worktree import CheckoutFiles
from gitops.core.text.plain import split_lines

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.command.process import Git
    from gitops.ports.repository import Snapshot

_PATIENCE = 2.0  # seconds: somebody waits with a finger on the key


class OfflineRepository:
    """What is known of a repository.

    Attributes:
        snapshot: files of a tip or a checkout; None where nothing is kept.
    """

    def __init__(self, snapshot: Snapshot | None, git: Callable[[], Git] | None = None) -> None:
        """`git` makes what runs Git in the repository; None where there is none."""
        self.snapshot = snapshot
        self._git = git

    def commits(self, directories: Sequence[str], most: int) -> tuple[tuple[str, str], ...]:
        """Return the newest commits that changed files of `directories`: short id and subject."""
        paths = [f":(top,literal){directory}" for directory in directories]
        return tuple(
            (commit, subject)
            for commit, _, subject in (
                line.partition("\t")
                for line in self._lines(
                    "log", f"-{most}", "--first-parent", "--format=%h%x09%s", "--", *paths
                )
            )
        )

    def branches(self) -> tuple[str, ...]:
        """Return the names of branches, those of remotes without the name of the remote."""
        lines = self._lines("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes")
        names = [
            line.split("/", 2 if line.startswith("refs/heads/") else 3)[-1]
            for line in lines
            if not line.endswith("/HEAD")
        ]
        return tuple(name for name in dict.fromkeys(names) if not name.startswith("gitops/"))

    def _lines(self, *words: str) -> list[str]:
        if self._git is None:
            return []
        done = self._git().run(words)
        return split_lines(done.text) if done.code == 0 else []


@contextmanager
def open_offline(
    location: str, branch: str | None, environ: Mapping[str, str]
) -> Iterator[OfflineRepository]:
    """Open what is known of the repository at `location`.

    Raises what `open_repository` raises, and OSError.
    """
    path = Path(location)
    above = (path.absolute(), *path.absolute().parents) if path.is_dir() else ()
    top = next((one for one in above if (one / ".git").exists()), None)
    if top is not None:
        yield OfflineRepository(CheckoutFiles(top), lambda: _git(environ, path))
    elif above:
        from gitops.adapters.gitrepo import open_repository

        with open_repository(location, environ=environ, timeout=_PATIENCE) as repository:
            yield OfflineRepository(repository.snapshot(branch), lambda: _git(environ, path))
    else:
        yield from _from_cache(location, branch, environ)


def _git(environ: Mapping[str, str], path: Path) -> Git:
    from gitops.adapters.gitrepo.command.process import Git

    # Named outright, a bare repository is found whatever `safe.bareRepository` says.
    bare = {} if (path / ".git").exists() else {"safe.bareRepository": "all"}
    return Git(environ, folder=path, timeout=_PATIENCE, before=tuple(bare.items()))


def _from_cache(
    url: str, branch: str | None, environ: Mapping[str, str]
) -> Iterator[OfflineRepository]:
    from gitops.adapters.gitrepo.cache.index import shelf_of
    from gitops.adapters.gitrepo.objects.snapshot import CommitSnapshot
    from gitops.adapters.gitrepo.remote.line import open_line
    from gitops.adapters.gitrepo.remote.remote import Remote

    line = open_line(url, environ=environ, timeout=_PATIENCE)
    remote = Remote(line, line.url, shelf=shelf_of(environ, None, line.url))
    try:
        tip = remote.kept(branch)
        snapshot = CommitSnapshot(remote.store, tip) if tip is not None else None
        yield OfflineRepository(snapshot)
    finally:
        remote.close()
