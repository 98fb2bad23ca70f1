"""A tree of a repository as the walker of kustomizations reads it (`core.kustomization.graph`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from gitops.core.kustomization.graph import FileKind
from gitops.errors import ManifestError
from gitops.ports import Tree, Trees


class FolderFiles(Protocol):
    """Files by their paths: a snapshot, or a folder on disk."""

    def entries(self, directory: str) -> tuple[str, ...]:
        """Return the names in a folder, sorted, folders ending in "/"."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, None when there is none."""
        ...


class EmptyPlace(Protocol):
    """A folder on disk that gets new files."""

    def describe(self) -> str:
        """Return what messages call it: its path as the user gave it."""
        ...

    def taken(self, paths: Sequence[str]) -> tuple[str, ...]:
        """Return those of `paths`, or of the folders on the way, where something else stands."""
        ...

    def write_new(self, files: Mapping[str, bytes]) -> None:
        """Write all files and the folders that they need, or none; never overwrites."""
        ...

    def origin(self) -> str | None:
        """Return the URL of the Git remote `origin`, without credentials, None when unknown."""
        ...


class ManifestFolder(EmptyPlace, FolderFiles, Protocol):
    """A folder on disk that may hold a manifest repository."""

    def replace(self, path: str, content: bytes) -> None:
        """Replace the file at `path` atomically."""
        ...

    def manifests(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of every file that may be a manifest, sorted; no hidden ones."""
        ...


class TreeFiles:
    """The files of one commit, links told."""

    def __init__(self, trees: Trees, tree: Tree) -> None:
        self._trees = trees
        self._tree = tree

    def kind(self, path: str) -> FileKind | None:
        """See `graph.Files`."""
        entry = self._tree.entry(path)
        return entry.kind if entry is not None else None

    def target(self, path: str) -> str:
        """See `graph.Files`."""
        return self._tree.target(path)

    def read(self, path: str) -> bytes | None:
        """See `graph.Files`."""
        return self._tree.read(path)

    def prepare(self, paths: Sequence[str]) -> None:
        """See `graph.Files`."""
        entries = [self._tree.entry(path) for path in paths]
        self._trees.prepare([one.id for one in entries if one is not None])


class SnapshotFiles:
    """The files of a snapshot. It does not tell links: reading one raises ManifestError."""

    def __init__(self, snapshot: FolderFiles) -> None:
        self._snapshot = snapshot
        self._names: dict[str, frozenset[str]] = {}

    def kind(self, path: str) -> FileKind | None:
        """See `graph.Files`."""
        if not path:
            return "folder"
        folder, _, name = path.rpartition("/")
        names = self.names(folder)
        if f"{name}/" in names:
            return "folder"
        return "file" if name in names else None

    def target(self, path: str) -> str:
        """See `graph.Files`; nothing is told to be a link."""
        raise ManifestError("is no symbolic link", path=path)

    def read(self, path: str) -> bytes | None:
        """See `graph.Files`."""
        return self._snapshot.read(path)

    def prepare(self, paths: Sequence[str]) -> None:
        """See `graph.Files`."""

    def names(self, directory: str) -> frozenset[str]:
        """Return the names in `directory`, folders ending in "/"."""
        if directory not in self._names:
            self._names[directory] = frozenset(self._snapshot.entries(directory))
        return self._names[directory]
