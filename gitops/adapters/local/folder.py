"""A folder on disk: what `gitops set-image` edits and `gitops init` fills.

Files are replaced by renaming a finished one over them, so a reader sees the old text or the new
one and a crash leaves either. New files are linked to their names, which fails where something
stands already, so that nothing is ever overwritten.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gitops.errors import Bug, Denied, ManifestError, Refused

_MANIFEST = re.compile(r"\.?[^.].*\.(?:yaml|yml)|Kustomization")
_FOREIGN = frozenset(("node_modules", "vendor", "__pycache__", "venv"))
_MOST_MANIFESTS = 100_000
_LARGEST_MANIFEST = 1 << 20  # bytes


class LocalFolder:
    """One folder, by the path that the user gave; it need not exist yet."""

    def __init__(self, directory: str) -> None:
        self._given = directory
        self._path = Path(directory)

    def describe(self) -> str:
        """Return the path as it was given."""
        return self._given

    def names(self) -> tuple[str, ...]:
        """Return the names in it, sorted; () when it is not there. Raises Denied."""
        with _denied("read", self._given):
            try:
                return tuple(sorted(os.listdir(self._path)))
            except (FileNotFoundError, NotADirectoryError):
                return ()

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`, None when there is none.

        Raises ManifestError for a symbolic link: replacing it would leave its target as it was.
        """
        place = self._path / path
        with _denied("read", str(place)):
            if place.is_symlink():
                raise ManifestError(
                    "is a symbolic link", path=str(place), hint=f"edit {os.readlink(place)} instead"
                )
            return place.read_bytes() if place.is_file() else None

    def entries(self, directory: str) -> tuple[str, ...]:
        """Return the names in a folder below it, sorted, folders ending in "/". Raises Denied."""
        place = self._path / directory
        with _denied("read", str(place)):
            try:
                found = [f"{one.name}/" if one.is_dir() else one.name for one in os.scandir(place)]
            except (FileNotFoundError, NotADirectoryError):
                return ()
        return tuple(sorted(found))

    def replace(self, path: str, content: bytes) -> None:
        """Replace the file at `path` atomically, keeping its mode and owner. Raises Denied."""
        place = self._path / path
        with _denied("write", str(place)):
            before = place.stat()
            with _finished(place.parent, content, stat.S_IMODE(before.st_mode)) as finished:
                with suppress(OSError):  # only root may give files away
                    os.chown(finished, before.st_uid, before.st_gid)
                os.replace(finished, place)

    def rename(self, old: str, new: str) -> None:
        """Call a file by another name, which nothing has. Raises Refused, Denied."""
        with _denied("rename", str(self._path / old)):
            try:
                os.link(self._path / old, self._path / new)  # never over what stands there
            except FileExistsError:
                raise Refused(f"{self._path / new} is in the way; nothing was renamed") from None
            os.unlink(self._path / old)

    def taken(self, paths: Sequence[str]) -> tuple[str, ...]:
        """Return those of `paths`, or of the folders on the way, where something else stands."""
        found: dict[str, None] = {}
        for path in paths:
            parts = path.split("/")
            for depth in range(1, len(parts)):
                folder = self._path.joinpath(*parts[:depth])
                # A linked folder counts too: what is written there would land elsewhere.
                if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
                    found["/".join(parts[:depth])] = None
                    break
            else:
                if os.path.lexists(self._path / path):
                    found[path] = None
        return tuple(found)

    def manifests(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of every YAML file and kustomization below it, sorted by folder.

        Nothing hidden, no link, no dependency's files; what is larger than a manifest is left out.
        Raises Denied, Refused for more than `_MOST_MANIFESTS`.
        """
        count = 0
        with _denied("read", self._given):
            for folder, folders, names in os.walk(self._path):
                folders[:] = sorted(
                    name for name in folders if name[0] != "." and name not in _FOREIGN
                )
                for name in sorted(names):
                    place = Path(folder) / name
                    if not _MANIFEST.fullmatch(name) or place.is_symlink():
                        continue
                    count += 1
                    if count > _MOST_MANIFESTS:
                        raise Refused(
                            f"{self._given} holds more than {_MOST_MANIFESTS} YAML files",
                            hint="is it the root of one manifest repository?",
                        )
                    if place.stat().st_size <= _LARGEST_MANIFEST:
                        yield place.relative_to(self._path).as_posix(), place.read_bytes()

    def write_new(self, files: Mapping[str, bytes]) -> None:
        """Write all `files` and the folders that they need, or none of them.

        Raises Refused when something stands at one of the paths, Denied when the disk says no.
        """
        done: list[Path] = []
        made: list[Path] = []
        try:
            for path, content in files.items():
                place = self._path / path
                with _denied("write", str(place)):
                    _make_folders(place.parent, made)
                    with _finished(place.parent, content, 0o666 & ~_umask()) as finished:
                        _link_new(finished, place, content)
                    done.append(place)
        except BaseException:
            for place in reversed(done):
                with suppress(OSError):
                    place.unlink()
            for folder in reversed(made):
                with suppress(OSError):
                    folder.rmdir()
            raise

    def origin(self) -> str | None:
        """Return the URL of the remote `origin` when this is the root of a checkout, else None.

        None as well for a path (a cluster cannot read it) and where Git is missing; a user and a
        password in the URL are left out.
        """
        if not (self._path / ".git").exists():
            return None
        environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        try:
            answer = subprocess.run(
                ["git", "-C", str(self._path), "config", "--get", "remote.origin.url"],
                env=environ,
                capture_output=True,
                check=True,
                text=True,
                timeout=10,
            )
        except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
            return None
        url = answer.stdout.strip()
        if not re.fullmatch(r"(?:(?:https?|ssh)://|[^/\s:]+@[^/\s:]+:)\S+", url):
            return None
        return re.sub(r"^(https?://)[^/@]*@|^(ssh://[^/@:]*):[^/@]*(?=@)", r"\1\2", url)


@contextmanager
def _denied(verb: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise Denied(f"cannot {verb} {path}: {exc.strerror or exc}") from exc


@contextmanager
def _finished(directory: Path, content: bytes, mode: int) -> Iterator[str]:
    """Yield a complete file beside the place where it shall go; gone afterwards if unused."""
    handle, name = tempfile.mkstemp(prefix=".gitops-", dir=directory)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _link_new(finished: str, place: Path, content: bytes) -> None:
    try:
        try:
            os.link(finished, place)
        except FileExistsError:
            raise
        except OSError:  # a file system without links: create-or-fail, though not in one step
            with open(place, "xb") as file:
                try:
                    file.write(content)
                    file.flush()
                except BaseException:
                    place.unlink()
                    raise
    except FileExistsError:
        raise Refused(f"{place} appeared meanwhile; nothing was written") from None


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Make `folder` and the ones above it that are missing; add them to `made`, outermost first."""
    if folder.exists():
        return
    _make_folders(folder.parent, made)
    folder.mkdir()
    made.append(folder)


def _umask() -> int:
    """Return the mask for new files; there is no way to ask without setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_FOLDERS = ("base", "overlays")
_KINDS = ("*.yaml", "*.sql")


def sample_files() -> dict[str, bytes]:
    """Return `gitops.yaml`, `base/` and `overlays/` of the sample: path -> bytes, sorted by path.

    Raises Bug when this installation has no sample.
    """
    package = Path(__file__).resolve().parents[2]
    for root in (package / "sample", package.parent):
        if (root / "gitops.yaml").is_file() and all((root / name).is_dir() for name in _FOLDERS):
            # Only manifests: an editor's leftovers in a checkout are no part of the sample.
            found = [root / "gitops.yaml"]
            for name in _FOLDERS:
                for kind in _KINDS:
                    found += (root / name).rglob(kind)
            return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(found)}
    raise Bug("this installation of gitops lacks its sample", hint="install it again")
