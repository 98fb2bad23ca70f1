"""What is wrong with one overlay: is it read, edited and built, and does each entry matter?"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from gitops.actions.context.overlays import read_overlay
from gitops.actions.manifests.builders import Builders
from gitops.actions.manifests.files import SnapshotFiles
from gitops.actions.manifests.images_used import manifest_images
from gitops.actions.manifests.trial_build import TrialBuild, TrialBuilds
from gitops.core.environments.environment import CONFIG_PATH, Overlay
from gitops.core.kustomization import ImageEntry, edit_images, read_entries
from gitops.core.kustomization.faults import find_faults
from gitops.core.kustomization.graph import NamedTarget, walk
from gitops.core.kustomization.image import KEEP, ImageRequest
from gitops.core.kustomization.references import is_remote, join
from gitops.core.report import Problem
from gitops.errors import ManifestError, NotFound
from gitops.ports import Snapshot

if TYPE_CHECKING:
    from gitops.actions.manifests.data_checks import DataChecks

Pinned = tuple[str, tuple[ImageEntry, ...]]  # path of a kustomization file, and what it pins

# What kustomize reads as a regular expression, or an entry for one tag, a text search cannot judge.
_PLAIN = re.compile(r"(?:[^/:]+:[0-9]+/)?[A-Za-z0-9._/-]+")


def overlay_problems(
    snapshot: Snapshot,
    overlay: Overlay,
    pinned: dict[Overlay, Pinned],
    builds: TrialBuilds,
    data: DataChecks | None = None,
    builders: Builders | None = None,
    followed: Container[str] = (),
) -> Iterator[Problem]:
    """Can the kustomization be read and edited? Puts what it pins into `pinned`.

    What was built is shown to `data`. An image that the overlay itself does not use may be used by
    what builds on it (`builders`), and changes something where other values follow it (`followed`).
    """
    directory = overlay.directory
    try:
        for name in snapshot.entries(directory):
            if name.startswith(".argocd-source-"):
                message = "Argo CD puts this over the overlay's images: changes seem to do nothing"
                yield Problem(overlay.path_of(name), 1, 1, "warning", message)
        file = read_overlay(snapshot, overlay)
        found = read_entries(file.content, file.path)
    except NotFound:
        what = "has no kustomization" if snapshot.entries(directory) else "does not exist"
        message = f"{overlay.label}: the overlay {overlay.directory or '.'} {what}"
        yield Problem(CONFIG_PATH, overlay.environment.line, 1, "error", message)
        return
    except ManifestError as error:
        yield problem_of(error)
        return
    pinned[overlay] = (file.path, found)
    problems = [
        Problem(file.path, one.line, one.column, "error", one.message)
        for one in find_faults(file.content, file.path)
    ]
    told = {one.line for one in problems}
    problems += (
        one for one in _check_entries(file.path, file.content, found) if one.line not in told
    )
    yield from problems
    if not found and not problems:
        message = "no images: gitops has nothing to change here"
        yield Problem(file.path, 1, 1, "warning", message)
    graph = walk(SnapshotFiles(snapshot), directory)
    for one in graph.outside:
        message = f"{overlay.label} names {one.target}, which leads out of the repository"
        yield Problem(one.path, one.line, 1, "error", message)
    for where, what in graph.broken.items():
        if where != file.path:
            yield Problem(where, 1, 1, "error", f"{overlay.label} builds on it: {what}")
    charts = any(name.startswith("helm") for name in graph.used)  # their folder may come later
    for one in () if charts else graph.missing:
        if is_remote(one.target) or _leads_through_file(snapshot, one):
            continue
        message = f"{overlay.label} names {one.target}, which is not there"
        yield Problem(one.path, one.line, 1, "error", message)
    for limit in graph.limits:
        yield Problem(file.path, 1, 1, "error", f"{overlay.label} cannot be followed: {limit}")
    trial = builds.build(snapshot, graph, file.path, found) if not problems else TrialBuild()
    if data is not None and trial.text is not None:
        data.look(overlay, snapshot, graph, trial)
    if trial.problem is not None:
        message = f"{overlay.label} does not build: {trial.problem}"
        yield Problem(file.path, 1, 1, "error", message)
        return
    idle = trial.idle
    if idle is None:
        used = manifest_images(snapshot, directory, graph)
        plain = [] if used is None else [one.image for one in found if _PLAIN.fullmatch(one.image)]
        idle = frozenset(name for name in plain if name not in (used or ()))
    if idle and builders is not None:
        idle = _idle_above(snapshot, overlay, (file.path, found), builds, builders, idle)
    for entry in found:
        if entry.image in idle and entry.image not in followed:
            message = f"no manifest that it builds on uses {entry.image}: this changes nothing"
            yield Problem(file.path, entry.line, entry.column, "warning", message)


def _idle_above(
    snapshot: Snapshot,
    overlay: Overlay,
    pinned: Pinned,
    builds: TrialBuilds,
    builders: Builders,
    idle: frozenset[str],
) -> frozenset[str]:
    """Return those of the `idle` entries that change nothing in what builds on the overlay, too."""
    path, entries = pinned
    for folder, graph in builders.of(snapshot, overlay).items():
        there = builds.build(snapshot, graph, path, entries, folder).idle
        if there is None:
            used = manifest_images(snapshot, folder, graph)
            there = frozenset() if used is None else idle - used
        idle &= there
        if not idle:
            break
    return idle


def _leads_through_file(snapshot: Snapshot, one: NamedTarget) -> bool:
    """Say whether a link may be on the way: a snapshot tells it from a file when it is read."""
    path = join(one.path.rpartition("/")[0], one.target) or ""
    files = SnapshotFiles(snapshot)
    parts = path.split("/")
    return any(files.kind("/".join(parts[:depth])) == "file" for depth in range(1, len(parts)))


def _check_entries(path: str, content: bytes, entries: tuple[ImageEntry, ...]) -> Iterator[Problem]:
    seen: dict[str, ImageEntry] = {}
    for entry in entries:
        first = seen.setdefault(entry.image, entry)
        if first is not entry:
            message = f"{entry.image} stands here twice: first on line {first.line}"
            yield Problem(path, entry.line, entry.column, "error", message)
            continue
        if entry.tag_suffix:
            message = f"{entry.image} has a tagSuffix, which kustomize applies twice"
            yield Problem(path, entry.line, entry.column, "warning", message)
        if entry.value.tag is None and entry.value.digest is None:
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
