"""Credentials for the web server that a repository is on, as Git knows them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from gitops.adapters.gitrepo.command.process import Git
from gitops.core.forges.address import parse_remote
from gitops.core.text.plain import split_lines


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
    """Return what Git's credential helpers have for a server, None when they have nothing.

    Nobody is asked: a dialog for what is only an addition would surprise. A program that the caller
    named for this (`GIT_ASKPASS`) answers, as it does for Git.

    Args:
        origin: scheme, host and port (`https://git.example.com`).
        path: of the repository, for helpers that tell repositories apart.
    """
    answer = git.run(
        # Without a repository: the one that we stand in may be a part of what is checked, and what
        # of a checkout's own configuration counts was carried along.
        ["--git-dir=/dev/null", "credential", "fill"],
        feed=f"url={origin}/{quote(path)}\n\n".encode(),
        doing="waiting for Git's credential helper",
        extra={"GIT_ASKPASS": environ.get("GIT_ASKPASS", "")},
    )
    if answer.code != 0:
        return None
    found = dict(line.split("=", 1) for line in split_lines(answer.text) if "=" in line)
    password = found.get("password", "")
    return (found.get("username", ""), password) if password else None
