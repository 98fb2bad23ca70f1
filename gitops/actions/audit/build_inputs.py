"""What belongs to an overlay at one commit: its folder, all that a build of it reads, its holds.

References are followed as kustomize follows them, through symbolic links too. Each path that was
looked at counts, whether something was there or not (`core.audit.affected`).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gitops.core.audit.affected import Belongings, RemoteResource
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.hold import HOLD_ALL_PATH, hold_path
from gitops.core.kustomization import FILE_NAMES
from gitops.core.kustomization.references import (
    ReferenceKind,
    References,
    is_remote,
    join,
    read_config_references,
    read_references,
)
from gitops.errors import ManifestError
from gitops.ports import Tree, TreeEntry, Trees

_MOST_LINKS = 40  # on one path: as many as Linux follows
_MOST_FOLDERS = 2000  # kustomizations that one overlay is built from


class _Found(Struct, frozen=True):
    """What a path leads to: where it really lies, and its entry."""

    path: str
    entry: TreeEntry


class _Folder(Struct, frozen=True):
    """A kustomization to be read; `config_root`: its files are configuration, seen from there."""

    path: str
    config_root: str | None = None
    reason: str = ""

    def __eq__(self, other: object) -> bool:
        """Why it is read does not make it another one."""
        return isinstance(other, _Folder) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, str | None]:
        return self.path, self.config_root


def holds_of(overlay: Overlay, *, top_level: bool) -> tuple[str, ...]:
    """Return the paths of the holds that stand on `overlay`, on a branch that it lives on.

    `top_level` tells whether it is the branch that the hold of everything stands on.
    """
    name = overlay.environment.name
    paths = [hold_path(name, overlay.app), hold_path(name, None)]
    return tuple(dict.fromkeys([*paths, *([HOLD_ALL_PATH] if top_level else [])]))


def overlays_in(tree: Tree, environment: Environment) -> tuple[Overlay, ...]:
    """Return every overlay of `environment`: one, or one for each app that has something there.

    More lenient than `actions.context.overlays.overlays_of`: what is broken, or a link, is there,
    too.
    """
    if not environment.per_app:
        return (Overlay(environment),)
    before, _, _ = environment.overlay.partition("{app}")
    parent, _, prefix = before.rpartition("/")
    try:
        names = [name.rstrip("/") for name in tree.entries(parent)]
    except ManifestError:
        return ()
    apps = [name[len(prefix) :] for name in names if name.startswith(prefix)]
    return tuple(
        Overlay(environment, app)
        for app in apps
        if app and tree.entry(environment.directory(app)) is not None
    )


def belongings_of(trees: Trees, tree: Tree, overlay: Overlay) -> Belongings:
    """Return what a build of `overlay` reads in `tree`, its whole folder included."""
    walk = _Walk(trees, tree, overlay.label)
    walk.start(overlay.directory)
    return walk.found


class _Walk:
    def __init__(self, trees: Trees, tree: Tree, label: str) -> None:
        self._trees = trees
        self._tree = tree
        self._label = label
        self._seen: set[_Folder] = set()
        self._read: set[tuple[str, str]] = set()
        self.found = Belongings()

    def start(self, directory: str) -> None:
        reason = f"it is in the overlay of {self._label}"
        self.found.add_folder(directory, reason)
        at = self._look(directory, reason)
        if at is None or at.entry.kind != "folder":
            return
        if at.path != directory:
            self.found.add_folder(at.path, reason)
        todo = [_Folder(at.path, reason=reason)]
        while todo and len(self._seen) < _MOST_FOLDERS:
            new = [folder for folder in dict.fromkeys(todo) if folder not in self._seen]
            self._seen.update(new)
            todo = self._visit(new)

    def _visit(self, folders: Sequence[_Folder]) -> list[_Folder]:
        """Read the kustomizations of `folders`; return the folders that they refer to."""
        files: list[tuple[_Folder, _Found]] = []
        for folder in folders:
            for name in FILE_NAMES:
                path = f"{folder.path}/{name}" if folder.path else name
                at = self._look(path, folder.reason)
                if at is not None and at.entry.kind == "file":
                    files.append((folder, at))
        self._trees.prepare([at.entry.id for _, at in files])
        further: list[_Folder] = []
        for folder, at in files:
            try:
                content = self._tree.read(at.path) or b""
                references = read_references(content, at.path)
            except ManifestError as error:
                self.found.broken[at.path] = error.problem
                continue
            further += self._follow(references, folder.path, at.path, folder.config_root)
        return further

    def _follow(
        self, references: References, root: str, named_in: str, config_root: str | None
    ) -> list[_Folder]:
        """Look at each reference, seen from `root`; return the folders among them."""
        if references.programs:
            known = self.found.programs.get(named_in, ())
            self.found.programs[named_in] = tuple(dict.fromkeys((*known, *references.programs)))
        folders: list[_Folder] = []
        configs: list[tuple[_Found, str]] = []
        for one in references.found:
            if is_remote(one.target):
                self.found.remotes.append(RemoteResource(named_in, one.line, one.target))
            path = join(root, one.target)
            if path is None:
                continue
            reason = f"{self._label} is built from it ({named_in}:{one.line})"
            at = self._look(path, reason)
            if at is None:
                continue
            seen_from = root if one.kind == "config" else config_root
            if at.entry.kind == "folder":
                folders += self._folder(at.path, one.kind, seen_from, reason)
            elif seen_from is not None and at.entry.kind == "file":
                configs.append((at, seen_from))
        self._trees.prepare([at.entry.id for at, _ in configs])
        for at, seen_from in configs:
            folders += self._config(at.path, seen_from)
        return folders

    def _folder(
        self, path: str, kind: ReferenceKind, config_root: str | None, reason: str
    ) -> list[_Folder]:
        if kind == "folder":
            self.found.add_folder(path, reason)
            return []
        return [_Folder(path, config_root, reason)]

    def _config(self, path: str, root: str) -> list[_Folder]:
        """Follow what the configuration of a generator or transformer names."""
        if (path, root) in self._read:
            return []
        self._read.add((path, root))
        references = read_config_references(self._tree.read(path) or b"", path)
        return self._follow(references, root, path, None)

    def _look(self, path: str, reason: str) -> _Found | None:
        """Return what lies at `path`, links followed; None for nothing, or outside of the tree."""
        done: list[str] = []
        todo = [part for part in path.split("/") if part not in ("", ".")]
        links = 0
        while todo:
            part = todo.pop(0)
            if part == "..":
                if not done:
                    return None
                done.pop()
                continue
            here = "/".join((*done, part))
            entry = self._tree.entry(here)
            if entry is not None and entry.kind == "link" and links < _MOST_LINKS:
                links += 1
                self.found.add(here, reason)
                target = self._tree.target(here)
                if target.startswith("/"):
                    return None
                todo = [word for word in target.split("/") if word not in ("", ".")] + todo
                continue
            if entry is None or (todo and entry.kind != "folder"):
                rest = [word for word in todo if word != ".."]
                # Whatever appears there, a file or a folder with files, will be read.
                self.found.add_folder("/".join((here, *rest)), reason)
                return None
            if not todo and entry.kind != "folder":
                self.found.add(here, reason)
                return _Found(here, entry)
            done.append(part)
        here = "/".join(done)
        entry = self._tree.entry(here)
        return _Found(here, entry) if entry is not None else None
