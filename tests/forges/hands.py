"""Git as people use it beside a forge: commits on branches, and what is on them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from fakes import FakeRepository
from gitops.core.git.commit import Identity
from gitrepos import ENVIRON, Repo

Files = Mapping[str, bytes | None]


class Hands(Protocol):
    """What somebody with a clone does."""

    def commit(
        self,
        branch: str,
        files: Files,
        message: str = "change\n",
        *,
        on: str | None = None,
        by: str = "Ana",
    ) -> str:
        """Commit on `branch`, anew on top of commit `on` when that is given; return the id."""
        ...

    def head(self, branch: str) -> str | None:
        """Return the commit of a branch, None when there is none."""
        ...

    def show(self, branch: str, path: str) -> bytes | None:
        """Return a file of a branch, None when it has none."""
        ...

    def message(self, commit: str) -> str:
        """Return the message of a commit, with one newline at its end."""
        ...

    def parents(self, commit: str) -> tuple[str, ...]:
        """Return the parents of a commit."""
        ...

    def delete(self, branch: str) -> None:
        """Delete a branch."""
        ...


class MemoryHands:
    """`Hands` in a FakeRepository."""

    def __init__(self, repository: FakeRepository) -> None:
        self._repository = repository

    def commit(
        self,
        branch: str,
        files: Files,
        message: str = "change\n",
        *,
        on: str | None = None,
        by: str = "Ana",
    ) -> str:
        """See `Hands`."""
        self._repository.author = Identity(by, f"{by.lower()}@example.com")
        parents = None if on is None else [on]
        return self._repository.commit(files, message, branch=branch, parents=parents)

    def head(self, branch: str) -> str | None:
        """See `Hands`."""
        return self._repository.head(branch)

    def show(self, branch: str, path: str) -> bytes | None:
        """See `Hands`."""
        return self._repository.show(path, branch)

    def message(self, commit: str) -> str:
        """See `Hands`."""
        return self._repository.commits[commit].info.message

    def parents(self, commit: str) -> tuple[str, ...]:
        """See `Hands`."""
        return self._repository.commits[commit].info.parents

    def delete(self, branch: str) -> None:
        """See `Hands`."""
        del self._repository.branches[branch]


class RemoteHands:
    """`Hands` by fetch and push, from a clone of one's own."""

    def __init__(self, url: str, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._repo = Repo.bare(folder)
        self._known: set[str] = set()  # commits that are here already
        self._environ = {**ENVIRON, **(environ or {})}

    def commit(
        self,
        branch: str,
        files: Files,
        message: str = "change\n",
        *,
        on: str | None = None,
        by: str = "Ana",
    ) -> str:
        """See `Hands`."""
        if on is None or on not in self._known:
            self._fetch()
        known = self._repo.head(branch)
        parents = [on] if on is not None else None if known else []
        commit = self._repo.commit(files, message, branch=branch, parents=parents, by=by)
        self._known.add(commit)
        self._run("push", "-q", "--force", self._url, f"refs/heads/{branch}:refs/heads/{branch}")
        return commit

    def head(self, branch: str) -> str | None:
        """See `Hands`."""
        self._fetch()
        return self._repo.head(branch)

    def show(self, branch: str, path: str) -> bytes | None:
        """See `Hands`."""
        self._fetch()
        return self._repo.show(path, branch)

    def message(self, commit: str) -> str:
        """See `Hands`."""
        self._fetch_commit(commit)
        return self._repo.git("log", "-1", "--format=%B", commit).rstrip("\n") + "\n"

    def parents(self, commit: str) -> tuple[str, ...]:
        """See `Hands`."""
        self._fetch_commit(commit)
        return tuple(self._repo.git("log", "-1", "--format=%P", commit).split())

    def delete(self, branch: str) -> None:
        """See `Hands`."""
        self._run("push", "-q", self._url, f":refs/heads/{branch}")

    def _fetch_commit(self, commit: str) -> None:
        if commit not in self._known:
            self._fetch()
            self._known.add(commit)

    def _fetch(self) -> None:
        self._run("fetch", "-q", "--prune", self._url, "+refs/heads/*:refs/heads/*")

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            ["git", f"--git-dir={self._repo.git_dir}", *arguments],
            env=self._environ,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
