"""Credentials for the web server that a repository is on, as Git knows them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from gitops.adapters.gitrepo.command.process import Git
from gitops.core.forges.address import parse_remote
from gitops.core.text.plain import split_lines

# Without a repository: the one that we stand in may be a part of what is checked, and what of a
# checkout's own configuration counts was carried along.
_NOWHERE = ("--git-dir=/dev/null",)


def credentials_for(url: str, origin: str) -> tuple[str, str] | None:
    """Return user and password that stand in an http(s) URL of the server `origin`."""
    remote = parse_remote(url)
    if remote is None or not remote.exact or str(remote.origin) != origin:
        return None
    parts = urlsplit(url)
    return (unquote(parts.username or ""), unquote(parts.password)) if parts.password else None


def ask_helper(
    git: Git, environ: Mapping[str, str], origin: str, path: str
) -> tuple[str, str] | None:
    """Return what Git's credential helpers have for a server, None when they have nothing."""
    found = fill(git, environ, origin, path)
    return None if found is None else (found.get("username", ""), found["password"])


def fill(
    git: Git, environ: Mapping[str, str], origin: str, path: str, *, quiet: bool = False
) -> Mapping[str, str] | None:
    """Return all that Git's credential helpers say for a server, a password among it, else None.

    Nobody is asked: a dialog for what is only an addition would surprise. A program that the caller
    named for this (`GIT_ASKPASS`) answers, as it does for Git.

    Args:
        origin: scheme, host and port (`https://git.example.com`).
        path: of the repository, for helpers that tell repositories apart.
        quiet: somebody else tells who waits.
    """
    running = git.start(
        [*_NOWHERE, "credential", "fill"],
        feed=f"url={origin}/{quote(path)}\n\n".encode(),
        extra={"GIT_ASKPASS": environ.get("GIT_ASKPASS", "")},
    )
    answer = running.wait("waiting for Git's credential helper", quiet=quiet)
    if answer.code != 0:
        return None
    found = dict(line.split("=", 1) for line in split_lines(answer.text) if "=" in line)
    return found if found.get("password") else None


def judge(git: Git, found: Mapping[str, str], *, good: bool) -> None:
    """Tell the helpers whether the server took what they said, as git does."""
    verb = "approve" if good else "reject"
    feed = "".join(f"{key}={value}\n" for key, value in found.items())
    git.start([*_NOWHERE, "credential", verb], feed=os.fsencode(f"{feed}\n")).wait(
        "waiting for Git's credential helper", quiet=True
    )
