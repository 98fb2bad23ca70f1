"""Where an overlay is built: the kustomizations that use it, or that `builds:` names."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gitops.actions.manifests.files import SnapshotFiles
from gitops.core.environments.environment import Overlay, match_branch
from gitops.core.kustomization import FILE_NAMES
from gitops.core.kustomization.graph import BuildGraph, walk
from gitops.errors import ManifestError
from gitops.ports import Snapshot

_MOST_FOLDERS = 20_000  # of one commit that are looked into
_MOST_BUILDERS = 20  # of one overlay


class Builders:
    """Knows for each overlay of one call what builds on it; nothing is read before it is asked."""

    def __init__(self) -> None:
        self._graphs: dict[str, dict[str, BuildGraph]] = {}  # commit -> folder -> what it reads
        self._named: dict[str, dict[str, list[str]]] = {}  # commit -> name -> folders that have it

    def of(self, snapshot: Snapshot, overlay: Overlay) -> dict[str, BuildGraph]:
        """Return folder -> what a build of it reads, for what builds on `overlay`."""
        if snapshot.commit not in self._graphs:
            self._read(snapshot)
        graphs, builds = self._graphs[snapshot.commit], overlay.environment.builds
        directory = overlay.directory
        found = (
            folder
            for folder in self._named[snapshot.commit].get(directory, ())
            if folder != directory and (not builds or match_branch(builds, folder) is not None)
        )
        return {folder: graphs[folder] for folder in islice(found, _MOST_BUILDERS)}

    def _read(self, snapshot: Snapshot) -> None:
        graphs = self._graphs[snapshot.commit] = dict(_kustomizations(snapshot))
        named = self._named[snapshot.commit] = {}
        for folder, graph in graphs.items():
            for name in graph.named:
                named.setdefault(name, []).append(folder)


def _kustomizations(snapshot: Snapshot) -> Iterator[tuple[str, BuildGraph]]:
    files = SnapshotFiles(snapshot)
    todo, seen = [""], 0
    while todo and seen < _MOST_FOLDERS:
        folder = todo.pop()
        seen += 1
        try:
            names = snapshot.entries(folder)
        except ManifestError:
            continue
        before = f"{folder}/" if folder else ""
        todo += [f"{before}{one[:-1]}" for one in names if one.endswith("/") and one[0] != "."]
        if set(FILE_NAMES) & set(names):
            yield folder, walk(files, folder)
