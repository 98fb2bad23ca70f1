"""What is wrong with one overlay: is it read, edited and built, and does each entry matter?"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from gitops.actions.context.overlays import read_overlay
from gitops.actions.manifests.files import SnapshotFiles
from gitops.actions.manifests.images_used import manifest_images, unused
from gitops.actions.manifests.judged import JudgedOverlay, JudgedOverlays
from gitops.actions.manifests.trial_build import TrialBuild, TrialBuilds
from gitops.core.environments.environment import CONFIG_PATH, Environment, Overlay, match_branch
from gitops.core.kustomization import (
    FILE_NAMES,
    ImageEntry,
    edit_images,
    image_values,
    read_entries,
)
from gitops.core.kustomization.faults import find_faults
from gitops.core.kustomization.graph import BuildGraph, NamedTarget, walk
from gitops.core.kustomization.image import KEEP, ImageRequest
from gitops.core.kustomization.references import is_remote, join
from gitops.core.report import Problem
from gitops.core.text.plain import some_of
from gitops.errors import ManifestError, NotFound
from gitops.ports import Snapshot

if TYPE_CHECKING:
    from gitops.actions.manifests.data_checks import DataChecks

Pinned = tuple[str, tuple[ImageEntry, ...]]  # path of a kustomization file, and what it pins

# What kustomize reads as a regular expression, or an entry for one tag, a text search cannot judge.
_MOST_NAMES = 50  # of files in overlays that are read together
_PLAIN = re.compile(r"(?:[^/:]+:[0-9]+/)?[A-Za-z0-9._/-]+")


_MOST_FOLDERS = 20_000  # of one commit that are looked into
_MOST_BUILDERS = 20  # of one overlay
_SHOWN = 5  # images that a warning names


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


class _Look(Struct, frozen=True):
    """An overlay that was looked at without a build.

    Attributes:
        problems: what is wrong so far.
        sound: there is no error in the kustomization itself, so that a build says something.
        graph: what a build reads.
    """

    path: str
    entries: tuple[ImageEntry, ...]
    problems: tuple[Problem, ...]
    sound: bool
    graph: BuildGraph


class OverlayCheck:
    """Looks at overlays, one after the other: can the kustomization be read and edited?

    Args:
        builds: what is built as well.
        data: is shown what was built.
        followed: images that other values follow: an entry of one changes something.
        judged: what an earlier call found; it is as good where nothing is built.

    Attributes:
        pinned: what the overlays pin that were looked at.
        under: the other folders with a kustomization that each of them is built from.
    """

    def __init__(
        self,
        builds: TrialBuilds,
        data: DataChecks | None = None,
        followed: Container[str] = (),
        judged: JudgedOverlays | None = None,
    ) -> None:
        self.pinned: dict[Overlay, Pinned] = {}
        self.under: dict[Overlay, tuple[str, ...]] = {}
        self._builds = builds
        self._data = data
        self._followed = followed
        self._judged = judged or JudgedOverlays()
        self._builders = Builders()
        self._files: tuple[Snapshot, SnapshotFiles] | None = None

    def read_together(self, home: Snapshot, overlays: Sequence[Overlay]) -> None:
        """Let the files of overlays be read at once; it changes no answer, only what they cost."""
        new = self._judged.unknown(home, overlays) if self._builds.rests else overlays
        folders = [overlay.directory for overlay in new]
        names: set[str] = set()
        for folder in folders:
            with suppress(ManifestError):  # told when it is looked at
                names.update(name for name in home.entries(folder) if "/" not in name)
        if len(folders) > 1 and len(names) <= _MOST_NAMES:
            home.prepare(folders, sorted(names))

    def problems(self, home: Snapshot, overlay: Overlay) -> Iterator[Problem]:
        """Yield what is wrong with an overlay."""
        found = self._judged.find(home, overlay) if self._builds.rests else None
        if found is not None:
            self._builds.pass_over()
            self.pinned[overlay], self.under[overlay] = (found.path, found.entries), found.under
            yield from found.problems
            yield from self._idle(home, overlay, found.idle)
            return
        try:
            look = self._look(home, overlay)
        except NotFound:
            what = "has no kustomization" if home.entries(overlay.directory) else "does not exist"
            message = f"{overlay.label}: the overlay {overlay.directory or '.'} {what}"
            yield Problem(CONFIG_PATH, overlay.environment.line, 1, "error", message)
            return
        except ManifestError as error:
            yield problem_of(error)
            return
        self.pinned[overlay] = (look.path, look.entries)
        folders = look.graph.kustomizations
        self.under[overlay] = tuple(one for one in folders if one != overlay.directory)
        yield from look.problems
        yield from self._built(home, overlay, look)

    def passed_through(
        self, homes: Mapping[Environment, Snapshot]
    ) -> Iterator[tuple[Overlay, Problem]]:
        """Warn where an overlay is built from another environment's, whose policy it gets then.

        `homes` tells where each environment lives; all overlays were looked at before.
        """
        owners = {(homes[one.environment].branch, one.directory): one for one in self.pinned}
        for overlay, (path, entries) in self.pinned.items():
            home = homes[overlay.environment]
            for folder in self.under[overlay]:
                lower = owners.get((home.branch, folder))
                if lower is None or lower.environment.name == overlay.environment.name:
                    continue
                beside = set(self.under[overlay]).difference((folder,), self.under[lower])
                own = {entry.image for entry in entries}.union(
                    *(_pins(home, one) for one in beside)
                )
                through = [
                    one.image
                    for one in self.pinned[lower][1]
                    if own.isdisjoint((one.image, one.value.name))
                ]
                if through:
                    message = (
                        f"{overlay.label} is built from the overlay of {lower.label}: whatever "
                        f"goes there changes {some_of(through, _SHOWN)} here, too; pin it here "
                        "as well"
                    )
                    yield overlay, Problem(path, 1, 1, "warning", message)

    def _look(self, home: Snapshot, overlay: Overlay) -> _Look:
        """Look at an overlay. Raises NotFound and ManifestError where there is none to look at."""
        problems = []
        for name in home.entries(overlay.directory):
            if name.startswith(".argocd-source-"):
                message = "Argo CD puts this over the overlay's images: changes seem to do nothing"
                problems.append(Problem(overlay.path_of(name), 1, 1, "warning", message))
        file = read_overlay(home, overlay)
        entries = read_entries(file.content, file.path)
        wrong = list(_wrong_inside(file.path, file.content, entries))
        if not entries and not wrong:
            message = "no images: gitops has nothing to change here"
            problems.append(Problem(file.path, 1, 1, "warning", message))
        if self._files is None or self._files[0] is not home:
            self._files = home, SnapshotFiles(home)
        files = self._files[1]
        graph = walk(files, overlay.directory)
        beside = _wrong_beside(overlay.label, files, file.path, graph)
        sound = all(one.level != "error" for one in wrong)
        return _Look(file.path, entries, (*problems, *wrong, *beside), sound, graph)

    def _built(self, home: Snapshot, overlay: Overlay, look: _Look) -> Iterator[Problem]:
        """Yield what a build says, or what stands in its place."""
        trial = TrialBuild()
        if look.sound:
            trial = self._builds.build(home, look.graph, look.path, look.entries)
        if self._data is not None and trial.text is not None:
            self._data.look(overlay, home, look.graph, trial)
        if trial.problem is not None:
            message = f"{overlay.label} does not build: {trial.problem}"
            yield Problem(look.path, 1, 1, "error", message)
            return
        idle = trial.idle
        if idle is None:
            used = manifest_images(home, overlay.directory, look.graph)
            found = frozenset() if used is None else unused(look.entries, used)
            idle = frozenset(name for name in found if _PLAIN.fullmatch(name))
            if look.sound:
                under = self.under[overlay]
                judged = JudgedOverlay(look.path, look.entries, look.problems, idle, under)
                self._judged.note(home, overlay, look.graph, judged)
        yield from self._idle(home, overlay, idle)

    def _idle(self, home: Snapshot, overlay: Overlay, idle: frozenset[str]) -> Iterator[Problem]:
        """Warn of entries whose image nothing uses, neither here nor in what builds on it."""
        path, entries = self.pinned[overlay]
        for folder, graph in self._builders.of(home, overlay).items() if idle else ():
            there = self._builds.build(home, graph, path, entries, folder).idle
            if there is None:
                used = manifest_images(home, folder, graph)
                there = frozenset() if used is None else unused(entries, used)
            idle &= there
            if not idle:
                break
        for entry in entries:
            if entry.image in idle and entry.image not in self._followed:
                message = f"no manifest that it builds on uses {entry.image}: this changes nothing"
                yield Problem(path, entry.line, entry.column, "warning", message)


def _pins(home: Snapshot, folder: str) -> set[str]:
    """Return the names in `images:` of a folder that overlays are built from."""
    found: set[str] = set()
    for name in FILE_NAMES:
        path = f"{folder}/{name}" if folder else name
        with suppress(ManifestError):
            found.update(image_values(home.read(path) or b"", path))
    return found


def _wrong_inside(path: str, content: bytes, entries: tuple[ImageEntry, ...]) -> Iterator[Problem]:
    """Yield what is wrong with a kustomization itself."""
    told = set()
    for one in find_faults(content, path):
        told.add(one.line)
        yield Problem(path, one.line, one.column, "error", one.message)
    found = dict.fromkeys(_check_entries(path, content, entries))  # one may bar several entries
    yield from (one for one in found if one.line not in told)


def _wrong_beside(
    label: str, files: SnapshotFiles, path: str, graph: BuildGraph
) -> Iterator[Problem]:
    """Yield what is wrong with what an overlay is built from."""
    for one in graph.outside:
        message = f"{label} names {one.target}, which leads out of the repository"
        yield Problem(one.path, one.line, 1, "error", message)
    for where, what in graph.broken.items():
        if where != path:
            yield Problem(where, 1, 1, "error", f"{label} builds on it: {what}")
    charts = any(name.startswith("helm") for name in graph.used)  # their folder may come later
    for one in () if charts else graph.missing:
        if is_remote(one.target) or _leads_through_file(files, one):
            continue
        message = f"{label} names {one.target}, which is not there"
        yield Problem(one.path, one.line, 1, "error", message)
    for limit in graph.limits:
        yield Problem(path, 1, 1, "error", f"{label} cannot be followed: {limit}")


def _leads_through_file(files: SnapshotFiles, one: NamedTarget) -> bool:
    """Say whether a link may be on the way: a snapshot tells it from a file when it is read."""
    path = join(one.path.rpartition("/")[0], one.target) or ""
    parts = path.split("/")
    return any(files.kind("/".join(parts[:depth])) == "file" for depth in range(1, len(parts)))


def _renames(entry: ImageEntry, later: Sequence[ImageEntry]) -> bool:
    """Say whether an entry gives the name by which a later one is found."""
    return any(one.image == entry.value.name for one in later)


def _check_entries(path: str, content: bytes, entries: tuple[ImageEntry, ...]) -> Iterator[Problem]:
    seen: dict[str, ImageEntry] = {}
    for at, entry in enumerate(entries):
        first = seen.setdefault(entry.image, entry)
        if first is not entry:
            message = f"{entry.image} stands here twice: first on line {first.line}"
            yield Problem(path, entry.line, entry.column, "error", message)
            continue
        if entry.tag_suffix:
            message = f"{entry.image} has a tagSuffix, which kustomize applies twice"
            yield Problem(path, entry.line, entry.column, "warning", message)
        value = entry.value
        if value.tag is None and value.digest is None and not _renames(entry, entries[at + 1 :]):
            message = f"{entry.image} pins neither tag nor digest: what the base says runs"
            yield Problem(path, entry.line, entry.column, "warning", message)
    if len(seen) == len(entries):
        yield from _check_editable(path, content, list(seen.values()))


def _check_editable(path: str, content: bytes, entries: list[ImageEntry]) -> Iterator[Problem]:
    """Try an edit of all entries, then, if that is refused, of each: the refusals are problems."""
    try:
        edit_images(content, path, [_trial(at, entry) for at, entry in enumerate(entries)])
    except ManifestError as error:
        if len(entries) < 2:
            yield problem_of(error)
            return
        for entry in entries:
            yield from _check_editable(path, content, [entry])


def _trial(at: int, entry: ImageEntry) -> ImageRequest:
    """Ask for other values in the fields that the entry has, and that no other entry gets."""
    return ImageRequest(
        entry.image,
        tag=KEEP if entry.value.tag is None and entry.value.digest else f"trial-{at}",
        digest=KEEP if entry.value.digest is None else f"sha256:{at:064x}",
    )


def problem_of(error: ManifestError) -> Problem:
    return Problem(error.path, error.line, error.column, "error", error.problem)
