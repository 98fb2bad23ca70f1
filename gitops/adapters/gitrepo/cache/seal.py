"""A seal on what is kept: did a gitops of this user, on this machine, write it?

A cache may have been carried here by a CI system from a job that ran what a stranger proposed.
What is content-addressed proves itself, and a push proves the tip that it was made on; which branch
is the default one is only said. So that counts only under a seal, whose key is not in the cache.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gitops.adapters.gitrepo.objects.temporary import temporary_place

_LENGTH = 32


def key_of(environ: Mapping[str, str]) -> bytes | None:
    """Return this user's key, made where there is none; None where it cannot be kept."""
    for folder in _folders(environ):
        with suppress(OSError):
            return _read(folder / "cache.key") or _make(folder)
    return None


def seal(key: bytes | None, content: bytes) -> str:
    """Return the seal of `content`, `-` without a key."""
    return "-" if key is None else hmac.new(key, content, hashlib.sha256).hexdigest()


def is_sealed(key: bytes | None, content: bytes, given: str) -> bool:
    """Say whether `given` is the seal of `content`."""
    # As bytes: of other texts than ASCII ones `compare_digest` takes none.
    return key is not None and hmac.compare_digest(given.encode(), seal(key, content).encode())


def _folders(environ: Mapping[str, str]) -> list[Path]:
    """Return where the key may lie: the user's own state, else a temporary folder."""
    found = []
    state = environ.get("XDG_STATE_HOME", "")
    home = environ.get("HOME", "")
    if os.path.isabs(state):
        found.append(Path(state, "gitops"))
    elif os.path.isabs(home) and os.path.isdir(home):
        found.append(Path(home, ".local", "state", "gitops"))
    found.append(Path(temporary_place(), f"gitops-{os.geteuid()}"))
    return found


def _read(path: Path) -> bytes | None:
    """Return the key in a file that only this user can write to, None where there is no file."""
    _check_folder(path.parent)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
            raise PermissionError("the key is not a file of this user")
        if about.st_mode & 0o077:
            raise PermissionError("others can read the key")
        key = file.read(_LENGTH + 1)
    if len(key) != _LENGTH:
        raise PermissionError("the key is damaged")
    return key


def _make(folder: Path) -> bytes:
    key = os.urandom(_LENGTH)
    temporary = folder / f"{os.getpid()}-{os.urandom(4).hex()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key)
        with suppress(FileExistsError):
            os.link(temporary, folder / "cache.key")  # the first one stays
    finally:
        os.unlink(temporary)
    return _read(folder / "cache.key") or key


def _check_folder(folder: Path) -> None:
    """Make the folder where there is none. Raises OSError for one that others can write to."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    about = os.lstat(folder)
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of this user")
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"others can write to {folder}")
