"""Which overlays a folder that an Application renders leads to: by its name, or by what it builds.

The other way round than `tracking.read_feeds`, which is asked for one overlay and tries all
Applications: here each Application is looked at once, for thousands of overlays.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from gitops.actions.context.session import Tip
from gitops.actions.index.state import IndexedCell
from gitops.actions.manifests.files import SnapshotFiles
from gitops.core.argocd.application import Application
from gitops.core.argocd.tracking import is_same_repository
from gitops.core.environments.environment import match_branch
from gitops.core.kustomization.graph import BuildGraph, walk
from gitops.errors import GitopsError

_FEW = 500  # overlays; of more only folders that are none of them are walked


class OverlayPaths:
    """The folders of all overlays, as of one tip.

    Of very many overlays those that build on each other are not looked for (`builds:` of
    `gitops.yaml` names them): all of their files would have to be read.
    """

    def __init__(self, cells: Mapping[str, IndexedCell], repositories: tuple[str, ...]) -> None:
        self._cells = cells
        self._repositories = repositories
        self._own: dict[str, bool] = {}
        self._led: dict[str, frozenset[str]] = {}
        self._tip: Tip | None = None
        self._at: dict[str, list[str]] = {}
        self._named: dict[tuple[str, ...], list[str]] = {}
        self._walked: dict[str, dict[str, list[str]]] = {}
        for name, cell in cells.items():
            directory, builds = cell.overlay.directory, cell.overlay.environment.builds
            self._at.setdefault(directory, []).append(name)
            if builds:
                self._named.setdefault(builds, []).append(name)
            else:
                found = self._walked.setdefault(cell.branch, {})
                found.setdefault(directory, []).append(name)

    def move(self, tip: Tip) -> bool:
        """Take in another tip of the branches; say whether a folder leads elsewhere now."""
        self._tip = tip
        before, self._led = self._led, {}
        return any(self._leads(path) != led for path, led in before.items())

    def of(self, application: Application) -> frozenset[str]:
        """Return the names of the overlays that an Application may feed."""
        found: frozenset[str] = frozenset()
        for source in application.sources:
            if source.path is not None and self._is_own(source.repository):
                found |= self._leads(source.path)
        return found

    def _is_own(self, url: str) -> bool:
        if url not in self._own:
            self._own[url] = is_same_repository(url, self._repositories)
        return self._own[url]

    def _leads(self, path: str) -> frozenset[str]:
        if path not in self._led:
            self._led[path] = frozenset(self._at.get(path, ())) | self._builds(path)
        return self._led[path]

    def _builds(self, path: str) -> frozenset[str]:
        """Return the overlays that the kustomization at `path` brings in."""
        found = {
            name
            for patterns, names in self._named.items()
            if match_branch(patterns, path) is not None
            for name in names
        }
        if path not in self._at or len(self._cells) <= _FEW:
            for branch, directories in self._walked.items():
                graph = self._walk(branch, path)
                for directory in graph.named & directories.keys() if graph is not None else ():
                    found.update(directories[directory])
        return frozenset(found)

    def _walk(self, branch: str, path: str) -> BuildGraph | None:
        with suppress(GitopsError):
            if self._tip is not None:
                return walk(SnapshotFiles(self._tip.at(branch)), path)
        return None
