"""An overlay built with some of its files replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gitops.actions.manifests.files import SnapshotFiles
from gitops.actions.manifests.trial_build import plain_build
from gitops.core.kustomization.graph import walk
from gitops.errors import ManifestError
from gitops.ports import Renderer, Snapshot


class _Edited:
    """A snapshot with other bytes at some of its paths."""

    def __init__(self, home: Snapshot, files: Mapping[str, bytes]) -> None:
        self._home = home
        self._files = files
        self.branch = home.branch
        self.commit = home.commit

    def read(self, path: str) -> bytes | None:
        return self._files.get(path) or self._home.read(path)

    def entries(self, directory: str) -> tuple[str, ...]:
        return self._home.entries(directory)

    def mark(self, path: str) -> None:
        """Nobody knows: some of it is not what `home` has."""

    def prepare(self, directories: Iterable[str], names: Sequence[str] = ()) -> None:
        self._home.prepare(directories, names)


def build_with(
    home: Snapshot, renderer: Renderer, directory: str, files: Mapping[str, bytes]
) -> str:
    """Return the manifests of `directory` with `files` (path -> bytes) in place of its own.

    Raises ManifestError where it does not build, or a build would fetch or run something.
    """
    snapshot = _Edited(home, files)
    graph = walk(SnapshotFiles(snapshot), directory)
    trial = plain_build(snapshot, renderer, graph, directory)
    if trial.text is None:
        why = trial.problem or trial.skipped or "it does not build"
        raise ManifestError(why, path=next(iter(files), directory))
    return trial.text
