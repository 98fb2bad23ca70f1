"""Temporary folders that are left over: of this process at its end, of dead ones at a start."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "gitops-store-"
"""Begins the names of temporary folders that a later start may remove."""

_LEFT: set[Path] = set()  # the stores of this process
_STALE = 300.0  # seconds: longer than a git left behind by a killed gitops goes on working


def remember(folder: Path) -> None:
    """Remove `folder` at the end of this process."""
    if not _LEFT:
        atexit.register(_remove_left)
    _LEFT.add(folder)


def forget(folder: Path) -> None:
    """Leave `folder` alone: it was removed."""
    _LEFT.discard(folder)


def _remove_left() -> None:
    """Remove what an interrupt kept from being closed."""
    while _LEFT:
        shutil.rmtree(_LEFT.pop(), ignore_errors=True)


def sweep(now: float | None = None) -> None:
    """Remove stores whose process died. Costs one listing of the temporary folder."""
    oldest = (time.time() if now is None else now) - _STALE
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as listing:
        for entry in listing:
            if entry.name.startswith(PREFIX):
                with suppress(OSError):
                    _remove_dead(entry, oldest)


def _remove_dead(entry: os.DirEntry[str], oldest: float) -> None:
    status = entry.stat(follow_symlinks=False)
    if status.st_uid != os.geteuid() or status.st_mtime > oldest:
        return
    handle = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(entry.path, ignore_errors=True)
    finally:
        os.close(handle)
