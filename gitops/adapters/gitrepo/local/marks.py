"""What Git would call files on disk: ids of their contents as they stand, without any filter."""

from __future__ import annotations

import os
import stat

from gitops.adapters.gitrepo.objects.codec import FILE, LINK, TREE, ObjectEntry, object_id
from gitops.adapters.gitrepo.objects.codec import render_tree as render

_MOST = 200  # files of one folder; more are not worth the time
_LARGEST = 1 << 20  # bytes of a file


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
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
            raise _TooMuch
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            content = file.read(_LARGEST + 1)
        mode = "100755" if about.st_mode & stat.S_IXUSR else FILE
        return ObjectEntry(mode, object_id("blob", content))
