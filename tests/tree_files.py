"""Files of a tree in memory, for the walker of kustomizations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitops.core.kustomization.graph import FileKind


class DictFiles:
    """`graph.Files`; a file whose content starts with `-> ` is a link."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def kind(self, path: str) -> FileKind | None:
        """See `graph.Files`."""
        content = self._files.get(path)
        if content is not None:
            return "link" if content.startswith(b"-> ") else "file"
        inside = f"{path}/" if path else ""
        return "folder" if any(one.startswith(inside) for one in self._files) else None

    def target(self, path: str) -> str:
        """See `graph.Files`."""
        return self._files[path].decode().removeprefix("-> ")

    def read(self, path: str) -> bytes | None:
        """See `graph.Files`."""
        return self._files.get(path)

    def prepare(self, paths: Sequence[str]) -> None:
        """See `graph.Files`."""
