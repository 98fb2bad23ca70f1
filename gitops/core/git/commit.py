"""A commit as Git tells it: who wrote it, when, paths in it, and ids of intents (`Gitops-Id`)."""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import Struct

from gitops.errors import ManifestError


class Identity(Struct, frozen=True):
    """Who writes: a Git author or committer."""

    name: str
    email: str

    @property
    def text(self) -> str:
        """`NAME <ADDRESS>`, as trailers name people."""
        return f"{self.name} <{self.email}>"


class CommitInfo(Struct, frozen=True):
    """One commit as Git tells it.

    Attributes:
        commit: 40 (or 64) hex digits.
        parents: commit ids, first parent first; empty for a root commit.
        time: committer time, UTC; None for a date that no calendar has.
        message: the whole message, subject included.
        merged: messages of the commits that a merge brought in, newest first.
    """

    commit: str
    parents: tuple[str, ...]
    author: Identity
    time: datetime | None
    message: str
    merged: tuple[str, ...] = ()


def check_path(path: str) -> None:
    """Raise ManifestError for a path that no Git tree may hold."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" or "\0" in part for part in parts):
        raise ManifestError("is not a path inside the repository", path=path)


_TIMED = r"[0-9a-f]{32}"
_TIME_DIGITS = 12


def timed_id(seconds: float, noise: bytes) -> str:
    """Return a new id of 32 hex digits: milliseconds, then noise.

    Args:
        seconds: since 1970.
        noise: 10 random bytes.
    """
    return f"{int(seconds * 1000):0{_TIME_DIGITS}x}{noise.hex()}"


def derived_id(name: str, about: str) -> str:
    """Return the id of a part of what has the id `name`, the same each time: 32 hex digits."""
    import hashlib  # most calls are of one part

    return hashlib.sha256(f"{name} {about}".encode()).hexdigest()[:32]


def made_at(name: str) -> float | None:
    """Return when the id `name` was made, in seconds since 1970; None where it does not tell."""
    return int(name[:_TIME_DIGITS], 16) / 1000 if re.fullmatch(_TIMED, name) else None
