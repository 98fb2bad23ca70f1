"""The one walker of kustomizations: what a build of a folder reads, as kustomize would find it.

References are followed through folders, components, generators and symbolic links. Each path that
was looked at is told, whether something was there or not: a file that appears there is read by the
next build. What cannot be followed is told too (`remotes`, `outside`, `broken`, `limits`), so that
whoever must know everything sees that this is not all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.kustomization.read import FILE_NAMES
from gitops.core.kustomization.references import (
    Reference,
    ReferenceKind,
    References,
    is_remote,
    join,
    read_config_references,
    read_references,
)
from gitops.errors import ManifestError

FileKind = Literal["file", "folder", "link", "submodule"]

_MOST_LINKS = 255  # on one path: as many as Go's filepath.EvalSymlinks follows
_LONGEST_LINK = 4096  # characters: PATH_MAX of Linux
_MOST_FOLDERS = 2000  # kustomizations that one folder is built from
_MOST_PATHS = 50_000  # that are looked at


class Files(Protocol):
    """A tree of files as kustomize would find it on disk. Paths count from the root, ""."""

    def kind(self, path: str) -> FileKind | None:
        """Return what lies at `path`, None for nothing, also below a link."""
        ...

    def target(self, path: str) -> str:
        """Return what the symbolic link at `path` says."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`. Raises ManifestError for an odd one."""
        ...

    def prepare(self, paths: Sequence[str]) -> None:
        """Be told which files will be read next."""
        ...


class Origin(Struct, frozen=True):
    """What names a path.

    Attributes:
        path: of the file that names it, None for the folder that is built itself.
        line: from 1.
        field: the field of the kustomization, in lower case (`resources`), "" where that is not
            known.
    """

    path: str | None = None
    line: int = 1
    field: str = ""


class NamedTarget(Struct, frozen=True):
    """Something that a build would look for elsewhere, and the place that names it."""

    path: str
    line: int
    target: str


class BuildGraph(Struct):
    """What a build of one folder reads.

    Attributes:
        paths: path that was looked at -> what named it first.
        folders: folder all of which is read, or would be -> what named it first.
        kustomizations: folder -> the kustomization files in it, in the order of the walk.
        named: paths that a reference leads to, there or not, links followed or not.
        used: the fields of all kustomizations, in lower case.
        manifests: files that are read as they are (resources, patches, contents), once each.
        fields: path of such a file -> the fields that name it.
        remotes: what would be fetched.
        outside: what leads out of the tree, by `..`, from its root, or through a link.
        programs: file -> what a build of it would run.
        broken: file that cannot be read -> what is wrong with it.
        missing: references to nothing, and folders without a kustomization.
        limits: why the walk ended early; () when it did not.
    """

    paths: dict[str, Origin] = {}
    folders: dict[str, Origin] = {}
    kustomizations: dict[str, tuple[str, ...]] = {}
    named: set[str] = set()
    used: set[str] = set()
    manifests: list[str] = []
    fields: dict[str, set[str]] = {}
    remotes: list[NamedTarget] = []
    outside: list[NamedTarget] = []
    programs: dict[str, tuple[str, ...]] = {}
    broken: dict[str, str] = {}
    missing: list[NamedTarget] = []
    limits: list[str] = []

    def leads_to(self, directory: str) -> bool:
        """Say whether something beside the folder itself names `directory`."""
        return directory in self.named


def walk(files: Files, directory: str) -> BuildGraph:
    """Return what a build of `directory` reads; a folder without a kustomization is told alone."""
    found = _Walk(files)
    found.start(directory)
    return found.graph


def walk_beside(files: Files, directory: str) -> BuildGraph:
    """Return what a build of `directory` lays over its resources: all but them and what they name.

    Its other files belong to it as well, where a build reads them; the folder as a whole does not.
    """
    found = _Walk(files, frozenset(("resources", "bases")))
    found.start(directory)
    del found.graph.folders[directory]
    return found.graph


def find(files: Files, path: str) -> str | None:
    """Return where `path` really lies, links followed; None for nothing, or outside."""
    at = _Walk(files)._look(path, Reference(path, "any", 1), Origin())
    return at.path if at is not None else None


class _Found(Struct, frozen=True):
    """What a path leads to: where it really lies."""

    path: str
    kind: FileKind


class _Folder(Struct, frozen=True):
    """A kustomization to be read; `config_root`: its files are configuration, seen from there."""

    path: str
    config_root: str | None
    origin: Origin

    @property
    def key(self) -> tuple[str, str | None]:
        """What makes it another one: not who named it."""
        return self.path, self.config_root


class _Walk:
    def __init__(self, files: Files, passed_over: frozenset[str] = frozenset()) -> None:
        self._files = files
        self._passed_over = passed_over  # fields of the first folder's kustomization
        self._seen: set[tuple[str, str | None]] = set()
        self._read: set[tuple[str, str]] = set()
        self.graph = BuildGraph()

    def start(self, directory: str) -> None:
        origin = Origin()
        self._note_folder(directory, origin)
        at = self._look(directory, Reference(directory, "any", 1), origin)
        if at is None or at.kind != "folder":
            return
        self._note_folder(at.path, origin)
        todo = [_Folder(at.path, None, origin)]
        while todo:
            new: list[_Folder] = []
            for folder in todo:
                if folder.key not in self._seen:
                    self._seen.add(folder.key)
                    new.append(folder)
            if self._is_too_much():
                return
            todo = self._visit(new)

    def _is_too_much(self) -> bool:
        if self.graph.limits:
            return True
        if len(self._seen) > _MOST_FOLDERS:
            self.graph.limits.append(f"it is built from more than {_MOST_FOLDERS} kustomizations")
        elif len(self.graph.paths) + len(self.graph.folders) > _MOST_PATHS:
            self.graph.limits.append(f"it names more than {_MOST_PATHS} paths")
        return bool(self.graph.limits)

    def _visit(self, folders: Sequence[_Folder]) -> list[_Folder]:
        """Read the kustomizations of `folders`; return the folders that they refer to."""
        found: list[tuple[_Folder, _Found]] = []
        for folder in folders:
            before = len(found)
            for name in FILE_NAMES:
                path = f"{folder.path}/{name}" if folder.path else name
                at = self._look(path, Reference(name, "any", 1), folder.origin)
                if at is not None and at.kind == "file":
                    found.append((folder, at))
                    known = self.graph.kustomizations.get(folder.path, ())
                    names = tuple(dict.fromkeys((*known, at.path)))
                    self.graph.kustomizations[folder.path] = names
            if len(found) == before:
                origin = folder.origin
                target = NamedTarget(origin.path or folder.path, origin.line, folder.path)
                self.graph.missing.append(target)
        self._files.prepare([at.path for _, at in found])
        further: list[_Folder] = []
        for folder, at in found:
            try:
                references = read_references(self._files.read(at.path) or b"", at.path)
            except ManifestError as error:
                self.graph.broken[at.path] = error.problem
                continue
            self.graph.used |= references.fields
            if folder.origin.path is None and self._passed_over:
                kept = [one for one in references.found if one.field not in self._passed_over]
                references = replace(references, found=tuple(kept))
            further += self._follow(references, folder.path, at.path, folder.config_root)
        return further

    def _follow(
        self, references: References, root: str, named_in: str, config_root: str | None
    ) -> list[_Folder]:
        """Look at each reference, seen from `root`; return the folders among them."""
        if references.programs:
            known = self.graph.programs.get(named_in, ())
            self.graph.programs[named_in] = tuple(dict.fromkeys((*known, *references.programs)))
        folders: list[_Folder] = []
        configs: list[tuple[str, str]] = []
        for one in references.found:
            if self._is_too_much():
                break
            target = NamedTarget(named_in, one.line, one.target)
            if is_remote(one.target):
                self.graph.remotes.append(target)
            origin = Origin(named_in, one.line, one.field)
            at = self._reach(one, root, target, origin)
            if at is None:
                continue
            seen_from = root if one.kind == "config" else config_root
            if at.kind == "folder":
                folders += self._folder(at.path, one.kind, seen_from, origin)
            elif at.kind == "file":
                self._note_manifest(at.path, one.field)
                if seen_from is not None:
                    configs.append((at.path, seen_from))
        self._files.prepare([path for path, _ in configs])
        for path, seen_from in configs:
            folders += self._config(path, seen_from)
        return folders

    def _reach(
        self, one: Reference, root: str, target: NamedTarget, origin: Origin
    ) -> _Found | None:
        path = join(root, one.target)
        if path is None:
            # A text that only might be a path, and begins with "/", is mostly a JSON pointer.
            if not (one.guessed and one.target.startswith("/")) and not is_remote(one.target):
                self.graph.outside.append(target)
            return None
        at = self._look(path, one, origin)
        if at is None and not one.guessed:
            self.graph.missing.append(target)
        self.graph.named.add(path)
        if at is not None:
            self.graph.named.add(at.path)
        return at

    def _folder(
        self, path: str, kind: ReferenceKind, config_root: str | None, origin: Origin
    ) -> list[_Folder]:
        if kind == "folder":
            self._note_folder(path, origin)
            return []
        return [_Folder(path, config_root, origin)]

    def _config(self, path: str, root: str) -> list[_Folder]:
        """Follow what the configuration of a generator or transformer names."""
        if (path, root) in self._read:
            return []
        self._read.add((path, root))
        try:
            references = read_config_references(self._files.read(path) or b"", path)
        except ManifestError as error:
            self.graph.broken[path] = error.problem
            return []
        return self._follow(references, root, path, None)

    def _look(self, path: str, one: Reference, origin: Origin) -> _Found | None:
        """Return what lies at `path`, links followed; None for nothing, or outside of the tree."""
        done: list[str] = []
        todo = [part for part in path.split("/") if part not in ("", ".")]
        links = 0
        while todo:
            part = todo.pop(0)
            if part == "..":
                if not done:
                    self._lost(origin, path, one)
                    return None
                done.pop()
                continue
            here = "/".join((*done, part))
            kind = self._files.kind(here)
            if kind == "link":
                links += 1
                self.graph.paths.setdefault(here, origin)
                if links > _MOST_LINKS:
                    self.graph.limits.append(f"{path} leads through over {_MOST_LINKS} links")
                    return None
                target = self._files.target(here)
                if len(target) > _LONGEST_LINK:
                    self.graph.limits.append(f"{path} leads through a link that is too long")
                    return None
                if target.startswith("/"):
                    self._lost(origin, path, one)
                    return None
                todo = [word for word in target.split("/") if word not in ("", ".")] + todo
                continue
            if kind is None or (todo and kind != "folder"):
                rest = [word for word in todo if word != ".."]
                # Whatever appears there, a file or a folder with files, will be read.
                self._note_folder("/".join((here, *rest)), origin)
                return None
            if not todo and kind != "folder":
                self.graph.paths.setdefault(here, origin)
                return _Found(here, kind)
            done.append(part)
        here = "/".join(done)
        kind = self._files.kind(here)
        return _Found(here, kind) if kind is not None else None

    def _lost(self, origin: Origin, path: str, one: Reference) -> None:
        """Note a link that leads out of the tree."""
        shown = one.target if origin.path is not None else path
        self.graph.outside.append(NamedTarget(origin.path or path, origin.line, shown))

    def _note_folder(self, path: str, origin: Origin) -> None:
        self.graph.folders.setdefault(path, origin)

    def _note_manifest(self, path: str, field: str) -> None:
        if path not in self.graph.fields:
            self.graph.manifests.append(path)
        self.graph.fields.setdefault(path, set()).add(field)
