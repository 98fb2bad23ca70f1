"""Temporary folders: made for this process, made repositories of, and removed, also of dead ones.

They are where `tempfile` would make them; that, and `shutil`, take a deploy 4 % of its CPU time.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gitops import interrupts

PREFIX = "gitops-store-"
"""Begins the names of temporary folders that a later start may remove."""

_LEFT: set[Path] = set()  # the stores of this process
_STALE = 300.0  # seconds: longer than a git left behind by a killed gitops goes on working
# Settings of the user that would change what our commands do or print. `unpackLimit`: one pack
# is written faster than a hundred loose files. `fsync`: the store is thrown away, or copied to a
# cache that is verified; a push to a repository on this machine runs with that one's settings.
_CONFIG = """\
[core]
	repositoryformatversion = {version}
	bare = true
	logAllRefUpdates = false
	fsync = none
[gc]
	auto = 0
[maintenance]
	auto = false
[transfer]
	unpackLimit = 1
[fetch]
	prune = false
	pruneTags = false
	writeCommitGraph = false
	recurseSubmodules = false
[push]
	followTags = false
	recurseSubmodules = no
[color]
	ui = false
	push = false
	remote = false
	transport = false
"""


def temporary_place() -> str:
    """Return the folder for temporary ones. Raises FileNotFoundError where there is none."""
    return next(_places())


def _places() -> Iterator[str]:
    """Yield the folders where temporary ones may be made, the best one first."""
    named = [os.environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")]
    found = 0
    for place in (*filter(None, named), "/tmp", "/var/tmp", "/usr/tmp", os.curdir):  # noqa: S108
        if os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
            found += 1
            yield os.path.abspath(place)
    if not found:
        raise FileNotFoundError(errno.ENOENT, "there is no folder for temporary files")


def make_folder() -> Path:
    """Make a folder for this user alone, which is removed with this process. Raises OSError."""
    with interrupts.held():  # also while the place for temporary files is looked for
        folder = _made()
        if not _LEFT:
            atexit.register(_remove_left)
        _LEFT.add(folder)
    return folder


def _made() -> Path:
    trouble: OSError | None = None
    for place in _places():
        try:
            path = f"{place}/{PREFIX}{os.urandom(8).hex()}"
            os.mkdir(path, 0o700)
            return Path(path)
        except OSError as error:  # the disk is full, or may only be read
            trouble = trouble or error
    raise trouble or FileNotFoundError(errno.ENOENT, "there is no folder for temporary files")


def remove_folder(path: str | Path) -> None:
    """Remove a folder and all in it, as far as that can be done; no link is followed."""
    with suppress(OSError):
        for _, folders, files, handle in os.fwalk(path, topdown=False):
            for name in files:
                with suppress(OSError):
                    os.unlink(name, dir_fd=handle)
            for name in folders:
                try:
                    os.rmdir(name, dir_fd=handle)
                except NotADirectoryError:  # a link to one
                    with suppress(OSError):
                        os.unlink(name, dir_fd=handle)
                except OSError:
                    continue
        os.rmdir(path)
    _LEFT.discard(Path(path))


def size_of(folder: Path) -> int:
    """Return the bytes of disk below a folder; what goes meanwhile counts for nothing."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(f"{place}/{name}").st_blocks * 512
    return size


def _remove_left() -> None:
    """Remove what an interrupt kept from being closed."""
    while _LEFT:
        remove_folder(_LEFT.pop())


def make_repository(algorithm: str, borrow: Path | None = None) -> tuple[Path, int]:
    """Make a repository in a folder of its own; return that, and a lock: somebody uses it.

    It reads the objects of `borrow`, a git directory. Raises OSError; nothing is left of it then.
    """
    path, lock = make_folder(), -1
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _lay_out(path, algorithm, borrow)
    except OSError:
        remove_repository(path, lock)
        raise
    return path, lock


def remove_repository(path: Path, lock: int) -> None:
    """Remove what `make_repository` made."""
    remove_folder(path)
    with suppress(OSError):
        os.close(lock)


def _lay_out(path: Path, algorithm: str, borrow: Path | None) -> None:
    for name in ("objects", "objects/pack", "refs"):
        (path / name).mkdir()
    sha1 = algorithm == "sha1"
    config = _CONFIG.format(version=0 if sha1 else 1)
    if not sha1:
        config += f"[extensions]\n\tobjectFormat = {algorithm}\n"
    (path / "config").write_text(config)
    (path / "HEAD").write_text("ref: refs/heads/none\n")
    if borrow is not None:
        (path / "objects" / "info").mkdir()
        # Quoted as Git reads it: a path may hold anything.
        quoted = str(borrow / "objects").replace("\\", "\\\\").replace('"', '\\"')
        quoted = quoted.replace("\n", "\\n")
        (path / "objects" / "info" / "alternates").write_bytes(os.fsencode(f'"{quoted}"\n'))
        if (borrow / "shallow").exists():
            (path / "shallow").write_bytes((borrow / "shallow").read_bytes())


def sweep(now: float | None = None) -> None:
    """Remove stores whose process died. Costs one listing of the temporary folder."""
    oldest = (time.time() if now is None else now) - _STALE
    with suppress(OSError), os.scandir(temporary_place()) as listing:
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
        remove_folder(entry.path)
    finally:
        os.close(handle)
