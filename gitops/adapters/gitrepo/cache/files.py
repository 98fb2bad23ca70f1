"""The cache directory: one private place on this machine for what an earlier call read.

Nothing in it is needed: whatever cannot be read, written or trusted is left alone, and the call
goes on as if there were no cache. Nothing in it is named after, or tells, the address that it came
from, since an address may hold a token. Files are named by the hash of their bytes, and compared
with it when they are read.

A file is written under another name and put in place in one step, so that many processes share
the directory without locks: who reads finds a whole file, or none.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from gitops.adapters.gitrepo.cache.seal import is_sealed, key_of, seal
from gitops.adapters.gitrepo.objects.temporary import remove_folder

LIMIT = 256 * 1024 * 1024
"""Bytes that all repositories together may take."""
LARGEST = 64 * 1024 * 1024
"""Bytes that the files of one repository may take; a larger one is not kept."""

_REPOSITORIES = "v1"
_STATE = "state"
_LARGEST_STATE = 4 * 1024 * 1024
_PAGE = "page-"
_PAGES = 192  # of one repository that are kept; three for each environment
_LARGEST_PAGE = 16 * 1024 * 1024
_MORE = 1 << 16  # bytes by which a page may grow without a look at what all take together
_LONGEST_SEAL = 100
_FORGOTTEN = 3600.0  # seconds after which no process reads any more what nothing names
_BLOCK = 1 << 20
_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# What gitops read of repositories. It can be deleted at any time.\n"
)


def open_cache(environ: Mapping[str, str], tell: Callable[[str], None] | None) -> Cache | None:
    """Return the cache that `GITOPS_CACHE` names, None when it is of no use.

    `tell` hears why a directory that was asked for is not used; of the default one nobody needs
    to know.
    """
    root, named = place_of_cache(environ)
    try:
        key = partial(key_of, environ)
        return Cache(root, parents=named, key=key) if root is not None else None
    except OSError as error:
        if named and tell is not None:
            tell(f"the cache GITOPS_CACHE is not used: {error.strerror or error}")
        return None


def place_of_cache(environ: Mapping[str, str]) -> tuple[Path | None, bool]:
    """Return the directory of the cache, None where there is no place, and whether it was named."""
    named = environ.get("GITOPS_CACHE")
    return (Path(named), True) if named is not None else (_default(environ), False)


def _default(environ: Mapping[str, str]) -> Path | None:
    """Return the place below the user's cache home; None in the home of somebody else."""
    home = environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(home):
        return Path(home, "gitops")
    home = environ.get("HOME", "")
    with suppress(OSError):
        if os.path.isabs(home) and os.stat(home).st_uid == os.geteuid():
            return Path(home, ".cache", "gitops")
    return None


class Cache:
    """The cache directory. Raises OSError when it cannot be used safely."""

    def __init__(
        self,
        root: Path,
        *,
        parents: bool = False,
        key: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        """Make the directory where there is none; with `parents` also all of those above it.

        `key` gives what a state is sealed with.
        """
        self._key = key
        root = root.absolute()
        if parents:
            root.parent.mkdir(parents=True, exist_ok=True)
        else:
            with suppress(FileExistsError):
                root.parent.mkdir(mode=0o700)
        with suppress(FileExistsError):
            root.mkdir(mode=0o700)
            (root / "CACHEDIR.TAG").write_text(_TAG, encoding="ascii")
        os.close(_open_folder(root))
        self._path = root / _REPOSITORIES
        os.close(_open_folder(self._path, make=True))

    def shelf(self, *addresses: str) -> Shelf:
        """Return the place of the repository that is fetched from and pushed to `addresses`."""
        key = hashlib.sha256("\0".join(addresses).encode("utf-8", "surrogateescape")).hexdigest()
        return Shelf(self._path / key[:40], self.trim, self._key)

    def trim(self, limit: int = LIMIT) -> None:
        """Remove repositories, those used longest ago first, until the rest takes `limit` bytes."""
        found = sorted((*_size_of(entry.path), entry.path) for entry in os.scandir(self._path))
        total = sum(size for _, size, _ in found)
        for _, size, path in found:
            if total <= limit:
                break
            remove_folder(path)
            total -= size


class Shelf:
    """The place of one repository in the cache.

    Attributes:
        is_own: the state that was read last bears the seal of this user and machine.

    All methods raise OSError: the disk is full or may only be read, something else than a file of
    this user is there, or the bytes are not those that were kept.
    """

    def __init__(
        self,
        path: Path,
        trim: Callable[[], None],
        key: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        self._path = path
        self._trim = trim
        self._key = key
        self.is_own = False

    def state(self) -> bytes:
        """Return what `keep` was given last."""
        with self._folder() as folder, _open_file(folder, _STATE) as file:
            line, _, content = file.read(_LARGEST_STATE).partition(b"\n")
        name, _, given = line.partition(b" ")
        if hashlib.sha256(content).hexdigest().encode() != name:
            raise OSError("what was kept is damaged")
        self.is_own = is_sealed(self._key(), self._bound(content), given.decode("latin-1"))
        return content

    def fetch(self, name: str, target: Path) -> None:
        """Copy the file called `name` to `target`, which must be new."""
        digest = hashlib.sha256()
        with (
            self._folder() as folder,
            _open_file(folder, name) as file,
            open(target, "xb") as copy,
        ):
            while block := file.read(_BLOCK):
                digest.update(block)
                copy.write(block)
        if digest.hexdigest() != name:
            raise OSError("what was kept is damaged")

    def put(self, source: Path) -> str:
        """Take in a copy of `source`, and return its name."""
        digest = hashlib.sha256()
        with open(source, "rb") as original:
            while block := original.read(_BLOCK):
                digest.update(block)
            name = digest.hexdigest()
            original.seek(0)
            with self._folder(make=True) as folder:
                _write(folder, name, original)
        return name

    def keep(self, state: bytes, names: frozenset[str], *, grown: bool) -> None:
        """Put `state`, which speaks of the files called `names`, in place of the last one.

        With `grown` files that nothing names any more are removed, and where the cache became too
        large whole repositories.
        """
        name, mark = hashlib.sha256(state).hexdigest(), seal(self._key(), self._bound(state))
        content = f"{name} {mark}\n".encode() + state
        with self._folder(make=True) as folder:
            _write(folder, _STATE, io.BytesIO(content))
            if grown:
                _sweep(folder, names | {_STATE})
        if grown:
            self._trim()

    def page(self, name: str) -> bytes:
        """Return what `keep_page` was given under `name`. Raises OSError without our seal on it."""
        with self._folder() as folder, _open_file(folder, _page_file(name)) as file:
            given, _, content = file.read(_LARGEST_PAGE + 1).partition(b"\n")
        if not is_sealed(self._key(), self._bound_page(name, content), given.decode("latin-1")):
            raise OSError("it was kept by somebody else, or is damaged")
        return content

    def keep_page(self, name: str, content: bytes) -> None:
        """Put `content`, under our seal, in place of the last page of that name."""
        key = self._key()
        if key is None or len(content) > _LARGEST_PAGE - _LONGEST_SEAL:
            return  # nobody could tell later that it is ours; or it takes too much
        mark = seal(key, self._bound_page(name, content)).encode()
        with self._folder(make=True) as folder:
            before = _length_of(folder, _page_file(name))
            _write(folder, _page_file(name), io.BytesIO(mark + b"\n" + content))
            if before is None:
                _sweep_pages(folder)
        # One in place of another hardly takes more, and to look is to look at all repositories.
        if before is None or len(content) > before + _MORE:
            self._trim()

    def _bound_page(self, name: str, content: bytes) -> bytes:
        """Return what is sealed: a page, and the repository and the name that it is of."""
        about = f"{self._path.name}\0page\0{_page_file(name)}\0"
        return about.encode() + content

    def _bound(self, state: bytes) -> bytes:
        """Return what is sealed: the state, and the repository that it is of."""
        return self._path.name.encode() + b"\0" + state

    def drop(self) -> None:
        """Forget the repository."""
        remove_folder(self._path)

    @contextmanager
    def _folder(self, *, make: bool = False) -> Iterator[int]:
        """Yield a handle of the folder, from which everything in it is opened."""
        folder = _open_folder(self._path, make=make)
        try:
            yield folder
        finally:
            os.close(folder)


def _page_file(name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{_PAGE}{digest[:32]}"


def _length_of(folder: int, name: str) -> int | None:
    """Return the bytes of what is there, None for nothing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
    except OSError:
        return None


def _sweep_pages(folder: int) -> None:
    """Keep as many pages as a repository may have, the latest ones."""
    found = []
    for name in os.listdir(folder):
        if name.startswith(_PAGE):
            with suppress(OSError):
                found.append((os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime, name))
    for _, name in sorted(found, reverse=True)[_PAGES:]:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)


def _open_folder(path: Path, *, make: bool = False) -> int:
    """Return a handle of a folder that only this user can write to."""
    if make:
        with suppress(FileExistsError):
            os.mkdir(path, mode=0o700)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        about = os.fstat(folder)
        if about.st_uid != os.geteuid():
            raise PermissionError(f"{path} belongs to another user")
        if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(f"others can write to {path}")
        if make and about.st_mode & 0o077:
            os.fchmod(folder, 0o700)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _open_file(folder: int, name: str) -> IO[bytes]:
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
        os.close(handle)
        raise PermissionError("what was kept is not a file of this user")
    return os.fdopen(handle, "rb")


def _write(folder: int, name: str, source: IO[bytes]) -> None:
    """Write a file under another name, and put it in place in one step."""
    temporary = f"{os.getpid()}-{time.monotonic_ns()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    handle = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            _copy(source, file)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while block := source.read(_BLOCK):
        target.write(block)


def _sweep(folder: int, names: frozenset[str]) -> None:
    """Remove what nothing names, unless a process may still be about to read or name it."""
    oldest = time.time() - _FORGOTTEN
    for name in os.listdir(folder):
        if name not in names and not name.startswith(_PAGE):
            with suppress(OSError):
                if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < oldest:
                    os.unlink(name, dir_fd=folder)


def _size_of(folder: str) -> tuple[float, int]:
    """Return when a repository was used last, and the bytes that it takes."""
    used, size = 0.0, 0
    with suppress(OSError), os.scandir(folder) as files:
        for file in files:
            about = file.stat(follow_symlinks=False)
            size += about.st_size
            used = max(used, about.st_mtime)
    return used, size
