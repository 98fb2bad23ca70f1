"""What the overlays of one call lead to, asked of what kustomize built of them.

Policy is what `gitops.yaml` says under `databases:`; whose `gitops.yaml` that is, the caller knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from gitops.actions.manifests.trial_build import TrialBuild
from gitops.core.data.classes import Classes
from gitops.core.data.findings import DataFinding, Overlaid
from gitops.core.data.manifests import read_manifests
from gitops.core.data.places import Place, Places
from gitops.core.data.rules import judge_environments, judge_overlay, settle, strange_namespaces
from gitops.core.environments.environment import CONFIG_PATH, Config, Environment, Overlay
from gitops.core.kustomization.graph import BuildGraph
from gitops.core.report import Problem
from gitops.errors import ManifestError
from gitops.ports import Snapshot


class FoundData(Struct, frozen=True):
    """One finding, and where the sources have it.

    Attributes:
        overlay: None where it is about an environment as a whole.
        branch: the one that the overlay lives on, None for what `gitops.yaml` says.
    """

    environment: Environment
    overlay: Overlay | None
    finding: DataFinding
    place: Place
    branch: str | None = None

    def problem(self, here: str) -> Problem:
        """Return it as a problem of the repository; `here` is the branch that is looked at."""
        label = self.overlay.label if self.overlay is not None else self.environment.name
        place = self.place
        return Problem(
            place.path,
            place.line,
            place.column,
            self.finding.level,
            f"{label}: {self.finding.message}",
            None if self.branch in (None, here) else self.branch,
        )


class DataChecks:
    """The data rules of one call; `look` is shown each overlay, `found` tells what is wrong."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._classes = Classes(config.databases)
        self._spaces: dict[Environment, set[str]] = {}
        self._found: list[tuple[Overlay, str, Places, DataFinding]] = []
        self.looked = 0

    def look(self, overlay: Overlay, home: Snapshot, graph: BuildGraph, trial: TrialBuild) -> None:
        """Judge one overlay that was built from `home`, or note why nobody can."""
        places = _places(graph, home.read)
        row = overlay.environment
        if trial.text is None:
            why = trial.problem or trial.skipped or "it was not built"
            self._note(overlay, home, places, f"nobody can tell what it reaches: {why}")
            return
        try:
            manifests = read_manifests(trial.text)
        except ManifestError as error:
            message = f"nobody can tell what it reaches: {error.problem}"
            self._note(overlay, home, places, message)
            return
        self.looked += 1
        self._spaces.setdefault(row, set()).update(one.namespace for one in manifests)
        for one in judge_overlay(Overlaid(row, manifests, self._classes)):
            self._found.append((overlay, home.branch, places, one))

    def found(self) -> Iterator[FoundData]:
        """Yield what is wrong: what `gitops.yaml` does not say, then overlay by overlay."""
        for row, one in judge_environments(self._config):
            yield FoundData(row, None, one, Place(CONFIG_PATH, row.line))
        rows = {overlay.environment for overlay, *_ in self._found}
        strangers = {row: strange_namespaces(self._spaces, row) for row in rows}
        for overlay, branch, places, one in self._found:
            for settled in settle([one], strangers[overlay.environment]):
                place = places.find(settled)
                yield FoundData(overlay.environment, overlay, settled, place, branch)

    def _note(self, overlay: Overlay, home: Snapshot, places: Places, message: str) -> None:
        one = DataFinding("unread", "warning", message)
        self._found.append((overlay, home.branch, places, one))


def _places(graph: BuildGraph, read: Callable[[str], bytes | None]) -> Places:
    files: list[str] = [path for paths in graph.kustomizations.values() for path in paths]
    return Places(_nearest(graph, [*files, *graph.manifests]), lambda path: _read(read, path))


def _nearest(graph: BuildGraph, files: Sequence[str]) -> list[str]:
    """Put the files of each folder together, the folders in the order of the walk."""
    folders = list(graph.kustomizations)
    rank = {folder: index for index, folder in enumerate(folders)}
    return sorted(
        dict.fromkeys(files),
        key=lambda path: rank.get(path.rpartition("/")[0], len(folders)),
    )


def _read(read: Callable[[str], bytes | None], path: str) -> bytes | None:
    try:
        return read(path)
    except ManifestError:
        return None
