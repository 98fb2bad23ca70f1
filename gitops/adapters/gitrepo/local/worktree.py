"""The caller's checkout on disk: its files as they stand."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

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
            return place.read_bytes() if os.path.isfile(place) else None
        except OSError as error:
            raise Denied(f"{path}: {error.strerror}") from None

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
        from gitops.adapters.gitrepo.local.marks import mark_of

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
