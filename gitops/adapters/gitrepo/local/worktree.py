"""The caller's checkout on disk: its files as they stand."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from gitops.adapters.gitrepo.objects.codec import FILE, LARGEST, LINK, TREE, ObjectEntry, object_id
from gitops.adapters.gitrepo.objects.codec import render_tree as render
from gitops.core.git.commit import check_path
from gitops.errors import Denied, ManifestError, NotFound

_TICK = 2  # seconds that the clock of a file system may be behind


class CheckoutFiles:
    """`ports.WorkTree`, and (with `branch` and `commit`) `ports.Snapshot` of uncommitted files.

    Paths count from the top of the checkout, also when the caller stands in a folder below it.
    """

    def __init__(
        self, top: Path, branch: str = "", commit: str = "", *, sparse: bool = False
    ) -> None:
        self._top = top
        self.sparse = sparse
        self.branch = branch
        self.commit = commit
        self._since = time.time() - _TICK

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the regular file at `path`, None when there is none."""
        place = self._place(path)
        try:
            if not os.path.isfile(place):
                return None
            with open(place, "rb") as file:
                content = file.read(LARGEST + 1)
        except OSError as error:
            raise Denied(f"{path}: {error.strerror}") from None
        if len(content) > LARGEST:
            raise ManifestError(f"is larger than {LARGEST >> 20} MB", path=path, column=None)
        return content

    def entries(self, directory: str) -> tuple[str, ...]:
        """Return the names in `directory` ("" is the top), sorted, folders ending in "/"."""
        place = self._place(directory) if directory else self._top
        try:
            with os.scandir(place) as listing:
                names = [
                    entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name
                    for entry in listing
                    if entry.name != ".git"
                ]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise Denied(f"{directory or '.'}: {error.strerror}") from None
        return tuple(sorted(names))

    def mark(self, path: str) -> str | None:
        """Return what Git would call the content at `path`; see `ports.Snapshot`."""
        try:
            place = self._place(path) if path else self._top
        except ManifestError:
            return None
        return mark_of(place, self._since)

    def prepare(self, directories: Iterable[str], names: Sequence[str] = ()) -> None:
        """See `ports.Snapshot`: the files of a checkout are at hand."""

    def replace(self, path: str, content: bytes) -> None:
        """Replace the file at `path` atomically, keeping its mode.

        Raises NotFound when there is none, ManifestError for a link, Denied.
        """
        import tempfile  # which loads much, and only who writes needs

        place = self._place(path)
        try:
            mode = stat.S_IMODE(place.stat().st_mode)
            handle, temporary = tempfile.mkstemp(prefix=".gitops-", dir=place.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.chmod(temporary, mode)
                os.replace(temporary, place)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary)
                raise
        except FileNotFoundError:
            raise NotFound(f"{path}: no such file in {self._top}") from None
        except OSError as error:
            raise Denied(f"{path}: {error.strerror}") from None

    def _place(self, path: str) -> Path:
        """Return where `path` lies. Raises ManifestError when a link stands on the way."""
        check_path(path)
        place = self._top
        for part in path.split("/"):
            place = place / part
            if os.path.islink(place):
                raise ManifestError(
                    "is a symbolic link", path=place.relative_to(self._top).as_posix()
                )
        return place


_MOST = 200  # files of one folder; more are not worth the time
_LONGEST = 1 << 20  # bytes of a file


class _TooMuch(Exception):
    """There is more than is read for a mark, or something that Git would not keep."""


def mark_of(place: os.PathLike[str], since: float) -> str | None:
    """Return mode and id of the file or folder at `place`, "" for nothing, None for too much.

    None as well for what changed after `since` (seconds since 1970): it may not be what was read.
    """
    try:
        entry = _Marks(since).entry(os.fspath(place))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, _TooMuch):
        return None
    return f"{entry.mode} {entry.oid}"


class _Marks:
    def __init__(self, since: float) -> None:
        self._since = since
        self._left = _MOST

    def entry(self, path: str) -> ObjectEntry:
        """Return the entry of a path."""
        about = os.lstat(path)
        self._left -= 1
        if self._left < 0 or about.st_ctime >= self._since:
            raise _TooMuch
        if stat.S_ISDIR(about.st_mode):
            names = [name for name in os.listdir(path) if name != ".git"]
            found = {name: self.entry(f"{path}/{name}") for name in names}
            return ObjectEntry(TREE, object_id("tree", render(found)))
        if stat.S_ISLNK(about.st_mode):
            return ObjectEntry(LINK, object_id("blob", os.fsencode(os.readlink(path))))
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LONGEST:
            raise _TooMuch
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            content = file.read(_LONGEST + 1)
        mode = "100755" if about.st_mode & stat.S_IXUSR else FILE
        return ObjectEntry(mode, object_id("blob", content))
