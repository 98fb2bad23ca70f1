"""The history of an overlay through renames of its folder, and the holds that its commits wrote.

Where the folder begins, `gitops.yaml` of the commit before tells where the environment was then;
else a folder that went in the same commit, with the same kustomization or images, is the one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from gitops.actions.context.holds import hold_paths
from gitops.actions.context.overlays import kustomization_of
from gitops.core.environments.environment import CONFIG_PATH, Config, Overlay, label_of
from gitops.core.hold import Hold, parse_hold
from gitops.core.kustomization import FILE_NAMES, image_values
from gitops.core.releases.history import OverlayVersion, releases
from gitops.core.releases.release import Release
from gitops.errors import ConfigError, ManifestError

if TYPE_CHECKING:
    from gitops.ports import Tree


class Past(Struct, frozen=True):
    """What reads the past of a repository: of `ports.Repository` and `Evidence`, or an `Archive`.

    Attributes:
        history: versions of a folder before a commit, newest first.
        tree: the files of a commit.
        changed: the paths that differ between two commits.
        load_config: bytes of `gitops.yaml` to values; raises ConfigError.
    """

    history: Callable[[str, str], Iterator[OverlayVersion]]
    tree: Callable[[str], Tree]
    changed: Callable[[str, str], tuple[str, ...]]
    load_config: Callable[[bytes], Config]


class WrittenHolds(Mapping[str, Hold]):
    """Commit -> the hold of the overlay that this very commit added or changed.

    A squash merge may drop the trailers of a rollback, and keeps the hold that came with it. Read
    when it is asked for, of commits that were `seen`.
    """

    def __init__(self, past: Past, overlay: Overlay) -> None:
        self._past = past
        self._paths = hold_paths(overlay)
        self._parents: dict[str, tuple[str, ...]] = {}

    def seen(self, version: OverlayVersion) -> None:
        """Note a version whose commit may be asked about."""
        if version.complete:
            self._parents[version.commit.commit] = version.commit.parents

    def __getitem__(self, commit: str) -> Hold:
        parents = self._parents[commit]
        after = self._past.tree(commit)
        before = self._past.tree(parents[0]) if parents else None
        for path in self._paths:
            entry = after.entry(path)
            if entry is None or (before is not None and before.entry(path) == entry):
                continue
            content = after.read(path)
            if content is not None:
                with suppress(ManifestError):
                    return parse_hold(content, path)
        raise KeyError(commit)

    def __iter__(self) -> Iterator[str]:
        return (commit for commit in self._parents if self.get(commit) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def followed(
    past: Past, overlay: Overlay, commit: str, labels: list[str] | None = None
) -> Iterator[OverlayVersion]:
    """Yield the versions of `overlay` up to `commit`, newest first, in whatever folder it was.

    What it was called in an earlier folder is added to `labels`.
    """
    at = overlay.directory
    for directory, version in _through(past, overlay, commit):
        if labels is not None and directory != at:
            labels += (one for one in _labels_in(overlay, directory) if one not in labels)
        at = directory
        yield version


def _labels_in(overlay: Overlay, directory: str) -> Iterator[str]:
    """Yield what an overlay of an app was called in `directory`: another app, or none at all."""
    row = overlay.environment
    shapes = ["([^/]+)".join(map(re.escape, one.split("{app}"))) for one in row.patterns]
    found = (re.fullmatch(shape, directory) for shape in shapes if row.per_app)
    app = next((one[1] for one in found if one is not None), None)
    return (label_of(name, app) for name in row.names)


def former_folders(past: Past, overlay: Overlay, commit: str) -> frozenset[str]:
    """Return the folders that the overlay had up to `commit`, and has no more."""
    folders = {directory for directory, _ in _through(past, overlay, commit)}
    return frozenset(folders - {overlay.directory})


def _through(past: Past, overlay: Overlay, commit: str) -> Iterator[tuple[str, OverlayVersion]]:
    directory = overlay.directory
    seen: set[str] = set()
    while True:
        seen.add(directory)
        born: OverlayVersion | None = None
        complete = True
        for version in past.history(commit, directory):
            yield directory, version
            born = version if version.content is not None else born
            complete = version.complete
        if born is None or not complete or not born.commit.parents:
            return
        before = _folder_before(past, overlay, born, directory)
        if before is None or before in seen:
            return
        commit, directory = born.commit.parents[0], before


def _folder_before(
    past: Past, overlay: Overlay, born: OverlayVersion, directory: str
) -> str | None:
    """Return the folder that the overlay had before `born` made `directory`, None for none."""
    parent = born.commit.parents[0]
    before = past.tree(parent)
    told = _told(past, overlay, before)
    if told is not None and told != directory and _has_kustomization(before, told):
        return told
    after = past.tree(born.commit.commit)
    gone = [
        path.rpartition("/")[0]
        for path in past.changed(parent, born.commit.commit)
        if path.rpartition("/")[2] in FILE_NAMES
        and before.read(path) is not None
        and after.read(path) is None
    ]
    gone = [folder for folder in gone if not _has_kustomization(after, folder)]
    same = [folder for folder in gone if _content(before, folder) == born.content]
    images = _images(born.content)
    alike = [one for one in gone if images and _images(_content(before, one)) == images]
    return _only(same, directory) or _only(alike, directory)


def _told(past: Past, overlay: Overlay, before: Tree) -> str | None:
    """Return the folder that `gitops.yaml` of then names for the environment."""
    content = before.read(CONFIG_PATH)
    try:
        config = past.load_config(content) if content is not None else None
    except ConfigError:
        return None
    for row in config.environments if config is not None else ():
        fits = row.per_app == (overlay.app is not None)
        if fits and not set(row.names).isdisjoint(overlay.environment.names):
            patterns = row.patterns if overlay.app is not None else row.patterns[:1]
            folders = [pattern.replace("{app}", overlay.app or "") for pattern in patterns]
            there = (folder for folder in folders if _has_kustomization(before, folder))
            return next(there, folders[0])
    return None


def _has_kustomization(tree: Tree, folder: str) -> bool:
    return not set(FILE_NAMES).isdisjoint(tree.entries(folder))


def _content(tree: Tree, folder: str) -> bytes | None:
    try:
        return kustomization_of(tree, folder)[1]
    except ManifestError:
        return None


def _images(content: bytes | None) -> frozenset[str] | None:
    try:
        return frozenset(image_values(content or b"", "kustomization.yaml")) or None
    except ManifestError:
        return None


def _only(folders: Sequence[str], directory: str) -> str | None:
    """Return the one of `folders`, or the one that ends as `directory` does."""
    alike = [one for one in folders if one.rpartition("/")[2] == directory.rpartition("/")[2]]
    found = folders if len(folders) == 1 else alike
    return found[0] if len(found) == 1 else None


def releases_through(past: Past, overlay: Overlay, commit: str) -> Iterator[Release]:
    """Yield the releases of `overlay` up to `commit`, newest first, in whatever folder it was."""
    holds, labels = WrittenHolds(past, overlay), [*overlay.labels]
    versions = followed(past, overlay, commit, labels)
    return releases(_noted(versions, holds), environment=labels, holds=holds)


def _noted(versions: Iterator[OverlayVersion], holds: WrittenHolds) -> Iterator[OverlayVersion]:
    for version in versions:
        holds.seen(version)
        yield version
