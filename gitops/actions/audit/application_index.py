"""What decides which manifests Argo CD builds for an overlay, beside the overlay itself.

That is: the Applications that read it, wherever they lie; kustomizations that bring it in, or that
lay patches over those Applications; the Applications and charts that bring these in turn; and what
ApplicationSets read. All of it may lie in other folders than the overlay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy

from msgspec import Struct

from gitops.actions.manifests.files import TreeFiles
from gitops.core.audit.affected import AffectedPath, Belongings
from gitops.core.audit.application_files import (
    ApplicationFile,
    is_manifest,
    matches,
    read_applications,
)
from gitops.core.kustomization import FILE_NAMES
from gitops.core.kustomization.graph import find, walk_beside
from gitops.core.kustomization.references import join, read_references
from gitops.errors import ManifestError
from gitops.ports import Archive, Tree

_MOST_FILES = 50_000  # manifests of one commit that are looked through
_JSONNET = (".jsonnet", ".libsonnet")


class _Deciders(Struct):
    """What decides for one overlay at one commit.

    Attributes:
        files: file with an Application -> why it counts.
        names: of those Applications, to find patches of them.
        layers: kustomization folder -> what it lays over what it brings in.
        charts: folder of a chart, or of jsonnet, that makes such Applications.
        patterns: of files that ApplicationSets read.
    """

    files: dict[str, str] = {}
    names: set[str] = set()
    layers: dict[str, Belongings] = {}
    charts: set[str] = set()
    patterns: set[str] = set()


class ApplicationReader:
    """Reads the manifests of commits; each content is parsed once."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._applications: dict[str, tuple[ApplicationFile, ...]] = {}
        self._references: dict[str, tuple[str, ...]] = {}
        self._indexes: dict[str, ApplicationIndex] = {}

    def index(self, commit: str) -> ApplicationIndex:
        """Return what lies in `commit`; the last few are remembered."""
        if commit not in self._indexes:
            self._keep(commit, ApplicationIndex(self, self._archive, commit))
        return self._indexes[commit]

    def carry(self, before: str, after: str, changed: Sequence[str]) -> None:
        """Be told that these paths are all that `after` has changed beside `before`."""
        known = self.index(before)
        if after in self._indexes or not self._same(known, after, changed):
            return
        self._keep(after, known.carried(self._archive, after, changed))

    def _keep(self, commit: str, index: ApplicationIndex) -> None:
        while len(self._indexes) > 2:
            del self._indexes[next(iter(self._indexes))]
        self._indexes[commit] = index

    def _same(self, known: ApplicationIndex, after: str, changed: Sequence[str]) -> bool:
        """Say whether nothing that an index holds can have changed.

        Every kustomization names what it named, every manifest holds the Applications that it held,
        and nothing came or went that a name could lead to.
        """
        if known.limit is not None or known.linked or not known.has_room_for(len(changed)):
            return False
        old, new = known.tree, self._archive.tree(after)
        for path in changed:
            sides = old.entry(path), new.entry(path)
            if any(one is not None and one.kind != "file" for one in sides):
                return False
            name = path.rpartition("/")[2]
            came = None in sides
            if came and (name in FILE_NAMES or name == "Chart.yaml"):
                return False
            if name in FILE_NAMES:
                one, other = (
                    self.targets(tree, path, entry.id if entry is not None else "")
                    for tree, entry in zip((old, new), sides, strict=True)
                )
                if one != other:
                    return False
            elif is_manifest(path):
                held = [
                    self.applications(tree, path, entry.id) if entry is not None else ()
                    for tree, entry in zip((old, new), sides, strict=True)
                ]
                if held[0] != held[1]:
                    return False
        return True

    def applications(self, tree: Tree, path: str, oid: str) -> tuple[ApplicationFile, ...]:
        """Return the Applications of one file."""
        if oid not in self._applications:
            self._applications[oid] = read_applications(_content(tree, path), path)
        return self._applications[oid]

    def targets(self, tree: Tree, path: str, oid: str) -> tuple[str, ...]:
        """Return what a kustomization names, as it is written."""
        if oid not in self._references:
            try:
                found = read_references(_content(tree, path), path).found
            except ManifestError:
                found = ()
            self._references[oid] = tuple(one.target for one in found)
        return self._references[oid]


class ApplicationIndex:
    """The Applications and the kustomizations of one commit.

    Attributes:
        limit: why not all of them are known, None when they are.
        linked: there is a link, or a submodule: what a name leads to may change from elsewhere.
    """

    def __init__(self, reader: ApplicationReader, archive: Archive, commit: str) -> None:
        self.tree = archive.tree(commit)
        self._files = TreeFiles(archive, self.tree)
        self._layers: dict[str, Belongings] = {}
        self._deciders: dict[str, _Deciders] = {}
        self._literal: dict[str, set[str]] = {}  # folder -> files with an Application that reads it
        self._open: set[str] = set()  # files with one whose folders are filled in later
        self.limit: str | None = None
        self.applications: dict[str, tuple[ApplicationFile, ...]] = {}
        self.named_by: dict[str, set[str]] = {}  # path -> folders whose kustomization names it
        self.folders: set[str] = set()  # with a kustomization
        self.paths: set[str] = set()
        self.linked = False
        self._quiet: set[str] = set()
        self._count = 0  # of manifests, at least
        self._read(reader, archive)

    def carried(self, archive: Archive, commit: str, changed: Sequence[str]) -> ApplicationIndex:
        """Return the index of a later commit that has changed nothing of what this one holds."""
        made = copy(self)
        made.tree = archive.tree(commit)
        made._files = TreeFiles(archive, made.tree)
        made._layers, made._deciders = {}, {}
        made._count += len(changed)
        return made

    def has_room_for(self, count: int) -> bool:
        """Say whether so many manifests more would still be looked through."""
        return self._count + count <= _MOST_FILES

    def leaves_alone(
        self, later: ApplicationIndex, directories: frozenset[str], changed: Sequence[str]
    ) -> bool:
        """Say whether `changed` paths decide nothing for any of the overlays in `directories`.

        `later` is the index after that change. What a change meets no path of stays as it is, so
        that `later` need not find out again what decides for overlays.
        """
        if self.named_by is not later.named_by:
            return False  # it was not carried over
        if any(path in self.applications or path.endswith(_JSONNET) for path in changed):
            return False
        loud = directories - self._quiet
        found = [self.deciders(one) for one in sorted(loud) if not self._is_quiet(one)]
        if any(one.charts or one.patterns for one in found):
            return False
        if any(layer.touched(changed) for layer in self._layers.values()):
            return False
        later._layers, later._deciders = self._layers, self._deciders
        return True

    def _is_quiet(self, directory: str) -> bool:
        """Say whether nothing decides for an overlay but what is in it."""
        if directory not in self._quiet:
            if directory in self.named_by or self._readers(directory):
                return False
            self._quiet.add(directory)
        return True

    def _read(self, reader: ApplicationReader, archive: Archive) -> None:
        found = self._manifests()
        self._count = len(found)
        archive.prepare(list(dict.fromkeys(found.values())))
        for path, oid in found.items():
            folder, _, name = path.rpartition("/")
            if name in FILE_NAMES:
                self.folders.add(folder)
                for target in reader.targets(self.tree, path, oid):
                    self._note(folder, target)
                continue
            applications = reader.applications(self.tree, path, oid)
            if applications:
                self._keep(path, applications)

    def _manifests(self) -> dict[str, str]:
        """Return path -> id of every manifest and kustomization."""
        found: dict[str, str] = {}
        for path in _all_files(self.tree):
            self.paths.add(path)
            entry = self.tree.entry(path)
            self.linked = self.linked or (entry is not None and entry.kind != "file")
            if path.rpartition("/")[2] not in FILE_NAMES and not is_manifest(path):
                continue
            if entry is not None and entry.kind == "file":
                found[path] = entry.id
            if len(found) > _MOST_FILES:
                self.limit = f"there are more than {_MOST_FILES} manifests"
                break
        return found

    def _keep(self, path: str, applications: tuple[ApplicationFile, ...]) -> None:
        self.applications[path] = applications
        for one in applications:
            if not one.readable or any("{{" in folder for folder in one.folders):
                self._open.add(path)
            for folder in one.folders:
                place = join("", folder)
                if place is not None:
                    self._literal.setdefault(place, set()).add(path)

    def _note(self, folder: str, target: str) -> None:
        path = join(folder, target)
        if path is None:
            return
        for one in {path, find(self._files, path) or path}:
            self.named_by.setdefault(one, set()).add(folder)

    def deciders(self, directory: str) -> _Deciders:
        """Return what decides for the overlay in `directory`."""
        if directory not in self._deciders:
            self._deciders[directory] = self._decide(directory)
        return self._deciders[directory]

    def _decide(self, directory: str) -> _Deciders:
        found = _Deciders()
        folders = {directory}
        todo = [(directory, False)]
        while todo:
            path, is_file = todo.pop()
            for folder in self.named_by.get(path, set()) - folders:
                folders.add(folder)
                todo.append((folder, False))
            for file in self._brought_by(path) if is_file else self._readers(path):
                if file not in found.files:
                    verb = "brings the one that reads" if is_file else "reads"
                    found.files[file] = f"an Argo CD Application in it {verb} {directory}"
                    todo.append((file, True))
        for path in found.files:
            for one in self.applications[path]:
                found.names |= {one.name} if one.name else set()
                found.patterns.update(one.files)
                found.charts.update(self._charts(one.folders, found.files))
            chart = self._chart_of(path)
            found.charts |= {chart} if chart is not None else set()
        found.layers = {folder: self._laid_over(folder) for folder in sorted(folders - {directory})}
        return found

    def _readers(self, folder: str) -> set[str]:
        """Return the files with an Application that reads `folder`, or may come to."""
        may = {
            path for path in self._open if any(one.reads(folder) for one in self.applications[path])
        }
        return may | self._literal.get(folder, set())

    def _brought_by(self, file: str) -> set[str]:
        """Return the files with an Application that reads a folder of manifests above `file`."""
        parts = file.split("/")[:-1]
        above = ("/".join(parts[:count]) for count in range(len(parts) + 1))
        found = {
            one for folder in above if folder not in self.folders for one in self._readers(folder)
        }
        return found - {file}

    def _charts(self, folders: Sequence[str], files: Iterable[str]) -> Iterator[str]:
        """Yield folders of charts that are read and hold, or make, one of `files`."""
        for folder in folders:
            path = join("", folder)
            if path is None or f"{path}/Chart.yaml".lstrip("/") not in self.paths:
                continue
            if any(file.startswith(f"{path}/") for file in files):
                yield path

    def _chart_of(self, path: str) -> str | None:
        """Return the chart that `path` is a template of, None when it is in none."""
        parts = path.split("/")[:-1]
        for count in range(len(parts), -1, -1):
            folder = "/".join(parts[:count])
            if (f"{folder}/Chart.yaml" if folder else "Chart.yaml") in self.paths:
                return folder
        return None

    def _laid_over(self, folder: str) -> Belongings:
        if folder not in self._layers:
            graph = walk_beside(self._files, folder)
            layer = Belongings(graph)
            for path in (*graph.paths, *graph.folders):
                where = layer.add if path in graph.paths else layer.add_folder
                where(path, f"it is laid over what {folder or 'the root'} brings in")
            self._layers[folder] = layer
        return self._layers[folder]

    def named(self, path: str, names: set[str]) -> list[str]:
        """Return which of `names` the Applications in `path` have, where they are patches."""
        return [
            one.name
            for one in self.applications.get(path, ())
            if one.name in names and not one.folders
        ]

    def full_names(self, path: str) -> set[str]:
        """Return the names of the whole Applications in `path`."""
        return {one.name for one in self.applications.get(path, ()) if one.name and one.folders}


def turned_aside(
    before: ApplicationIndex | None,
    after: ApplicationIndex,
    changed: Sequence[str],
    directory: str,
) -> dict[str, AffectedPath]:
    """Return those of the `changed` paths that decide what Argo CD builds for `directory`."""
    states = [one for one in (before, after) if one is not None]
    found: dict[str, AffectedPath] = {}
    names = {name for state in states for name in state.deciders(directory).names}
    for state in states:
        deciders = state.deciders(directory)
        for path in changed:
            reason = _reason(state, deciders, path, names, directory)
            if reason is not None:
                found.setdefault(path, AffectedPath(path, reason))
        for layer in deciders.layers.values():
            for one in layer.touched(changed):
                found.setdefault(one.path, one)
    # Another Application of the same name takes the place of the first.
    for path in changed:
        older = before.full_names(path) if before is not None else set()
        for name in sorted((after.full_names(path) - older) & names):
            reason = f"it has another Argo CD Application {name}, as reads {directory}"
            found.setdefault(path, AffectedPath(path, reason))
    return found


def _reason(
    state: ApplicationIndex, deciders: _Deciders, path: str, names: set[str], directory: str
) -> str | None:
    if path in deciders.files:
        return deciders.files[path]
    for name in state.named(path, names):
        return f"it changes the Argo CD Application {name}, which reads {directory}"
    for chart in deciders.charts:
        if not chart or path.startswith(f"{chart}/"):
            return f"it is in a chart that makes the Argo CD Application of {directory}"
    for pattern in deciders.patterns:
        if matches(pattern, path):
            return f"an ApplicationSet reads it to make the Application of {directory}"
    if path.endswith(_JSONNET):
        for file in deciders.files:
            if path.startswith(f"{file.rpartition('/')[0]}/"):
                return f"it is jsonnet beside the Argo CD Application of {directory}"
    return None


def _all_files(tree: Tree) -> Iterator[str]:
    level = [""]
    while level:
        tree.prepare(level)
        below: list[str] = []
        for here in level:
            for name in tree.entries(here):
                path = f"{here}/{name}" if here else name
                if path.endswith("/"):
                    below.append(path[:-1])
                else:
                    yield path
        level = below


def _content(tree: Tree, path: str) -> bytes:
    try:
        return tree.read(path) or b""
    except ManifestError:
        return b""
