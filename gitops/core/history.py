"""Commits of an overlay, and the releases among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gitops.core.image import ImageValue


@dataclass(frozen=True, slots=True)
class Identity:
    """Who writes: a Git author or committer."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """One commit as Git tells it.

    Attributes:
        commit: 40 (or 64) hex digits.
        parents: commit ids, first parent first; empty for a root commit.
        time: committer time, UTC.
        message: the whole message, subject included.
        merged: messages of the commits that a merge brought in, newest first.
    """

    commit: str
    parents: tuple[str, ...]
    author: Identity
    time: datetime
    message: str
    merged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OverlayVersion:
    """The kustomization of one overlay right after one first-parent commit that touched it.

    Attributes:
        file: base name of the kustomization file, None when the overlay had none.
        content: its bytes, None when `file` is None.
        complete: False for the oldest commit of a history that was cut (shallow): its parent
            is unknown, so it must not be taken for the commit that made the change.
    """

    commit: CommitInfo
    file: str | None
    content: bytes | None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Release:
    """The images that one first-parent commit pinned in one overlay.

    Attributes:
        action: `Gitops-Action` (deploy, rollback, promote, …), None for a commit by hand.
        images: image name -> value; None when the overlay did not parse at this commit.
        restores: for a rollback, the commit whose images it put back (trailer or found by value).
        rolled_back: for a rollback, the commit that was judged bad.
    """

    commit: str
    time: datetime
    author: Identity
    subject: str
    action: str | None
    images: Mapping[str, ImageValue] | None
    restores: str | None = None
    rolled_back: str | None = None
