"""When commits of a source repository were made: one listing of Git's tells all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from gitops.adapters.gitrepo.archive.log_format import commit_time
from gitops.adapters.gitrepo.command.discovery import inspect
from gitops.adapters.gitrepo.command.process import OFFLINE, Git
from gitops.core.text.plain import split_lines


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
