"""Which files a kustomization refers to: every field that may name a file, a folder or a URL.

Kustomize matches keys without case, and loads whatever a field names through one loader, so any of
them may be a URL (kustomize 5.8: api/types, api/internal/loader). A key that is not known here is
taken to hold nothing but references: newer kustomizes know more keys, and to look at a file too
many is harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.yamltext import YamlDocument, compose_all, compose_first, pairs_of, text_of
from gitops.errors import ManifestError

ReferenceKind = Literal["any", "config", "folder"]

_LISTS = {
    **dict.fromkeys(("resources", "bases", "components", "crds", "configurations"), "any"),
    **dict.fromkeys(("generators", "transformers", "validators"), "config"),
}
_INLINE = ("patchesstrategicmerge", "generators", "transformers", "validators")
_WITH_PATH = ("patches", "patchesjson6902", "replacements", "openapi")
_CONTENT = ("configmapgenerator", "secretgenerator")
_CHARTS = ("helmcharts", "helmchartinflationgenerator")
_CHART_FILES = ("valuesfile", "additionalvaluesfiles", "values")
_CHART_FOLDERS = ("charthome", "confighome", "helmhome")
_WITHOUT_FILES = frozenset(
    (
        *("apiversion", "kind", "metadata", "nameprefix", "namesuffix", "namespace", "labels"),
        *("commonlabels", "commonannotations", "images", "imagetags", "replicas", "vars"),
        *("generatoroptions", "sortoptions", "buildmetadata", "inventory"),
    )
)
_REMOTE = re.compile(
    r"[a-z][a-z0-9+.-]*::?//|(?:git|hg|s3|gcs|oci)::|gh:|[^/@\s]+@[^/:\s]+[:/]|github\.com[/:]"
    r"|.*\?(?:ref|version|timeout|submodules)=|.*[^:]//|.*\.git(?:/|$)|.*/_git/",
    re.IGNORECASE,
)
_LONGEST_PATH = 4096  # PATH_MAX
_PROGRAM = "config.kubernetes.io/function"


class Reference(Struct, frozen=True):
    """Something that a kustomization names.

    Attributes:
        target: as it is written.
        kind: `any` is a file, or a folder with a kustomization in it; `config` is the same, and
            what its files say names more (relative to whoever named it); `folder` is a whole one.
        line: from 1.
        field: the top-level field that names it, in lower case; "" in a configuration.
        guessed: a text of a configuration, which may be a path or something else.
    """

    target: str
    kind: ReferenceKind
    line: int
    field: str = ""
    guessed: bool = False


class References(Struct, frozen=True):
    """What one file refers to, and the programs that a build would run for it, in words.

    Attributes:
        fields: the top-level fields of a kustomization, in lower case.
    """

    found: tuple[Reference, ...] = ()
    programs: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset()


def read_references(content: bytes, path: str) -> References:
    """Return what the kustomization in `content` refers to.

    Raises ManifestError where it cannot be read: then kustomize cannot build it either.
    """
    document = compose_first(content, path)
    root: Any = document.root
    if root is None or root.id != "mapping":
        return References()
    reader = _Reader(document)
    fields = list(_folded(root))
    for key, value in fields:
        reader.read(key, value)
    names = frozenset(key for key, _ in fields)
    return References(tuple(reader.found), tuple(dict.fromkeys(reader.programs)), names)


def read_config_references(content: bytes, path: str) -> References:
    """Return what the configuration of a generator or transformer may refer to: every text in it.

    Which of its fields name files depends on its kind, so each text that could be a path is one.
    Raises ManifestError where it cannot be read.
    """
    found: list[Reference] = []
    programs: list[str] = []
    for document in compose_all(content, path):
        _read_config(document, found, programs)
    return References(tuple(found), tuple(dict.fromkeys(programs)))


def is_remote(target: str) -> bool:
    """Say whether kustomize would look for `target` elsewhere than in the folder tree.

    Rather one too many: a file URL and a path with an empty part count too.
    """
    return _REMOTE.match(target) is not None


def is_pinned(target: str) -> bool:
    """Say whether a remote target names a commit, so that what it leads to stays as it is."""
    return (
        re.search(r"[?&](?:ref|version)=[0-9a-f]{40}(?:[0-9a-f]{24})?(?:&|$)", target) is not None
    )


def join(directory: str, target: str) -> str | None:
    """Return `target`, seen from `directory`, as a path from the root; "" is the root itself.

    None when it leads out of the root (kustomize refuses absolute paths), or names nothing that a
    tree could hold.
    """
    if target.startswith("/") or "\0" in target:
        return None
    parts = directory.split("/") if directory else []
    for part in target.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


class _Reader:
    def __init__(self, document: YamlDocument) -> None:
        self._document = document
        self._field = ""
        self.found: list[Reference] = []
        self.programs: list[str] = []

    def read(self, key: str, node: Any) -> None:
        """Add what the top-level field `key` refers to."""
        if key in _WITHOUT_FILES:
            return
        self._field = key
        if key in _LISTS or key in _INLINE:
            kind: ReferenceKind = "config" if _LISTS.get(key) == "config" else "any"
            for item in _scalars(node):
                if key in _INLINE and "\n" in text_of(item).strip():
                    self._inline(key, item)
                else:
                    self._add(item, kind)
        elif key in _WITH_PATH:
            for name, value in _fields(node):
                if name == "path":
                    self._add_all(value)
        elif key in _CONTENT:
            for name, value in _fields(node):
                if name in ("files", "env", "envs"):
                    self._add_all(value, after="=" if name == "files" else None)
        elif key in _CHARTS or key == "helmglobals":
            self._charts(key, node)
        else:
            self._add_all(node)

    def _charts(self, key: str, node: Any) -> None:
        fields = list(_fields(node))
        for name, value in fields:
            if name in _CHART_FILES:
                self._add_all(value)
            elif name in _CHART_FOLDERS:
                self._add_all(value, kind="folder")
        if key in _CHARTS:
            self.programs.append("Helm")
            # Where `helmGlobals` names no other folder, charts lie here.
            self.found.append(Reference("charts", "folder", self._line(node), key))

    def _inline(self, key: str, node: Any) -> None:
        if key == "patchesstrategicmerge":
            return
        line = self._line(node)
        try:
            inner = read_config_references(text_of(node).encode(), self._document.path)
        except ManifestError as error:
            raise ManifestError(error.problem, path=self._document.path, line=line) from None
        self.found += [replace(one, line=line, field=key) for one in inner.found]
        self.programs += inner.programs

    def _add_all(self, node: Any, kind: ReferenceKind = "any", after: str | None = None) -> None:
        for scalar in _scalars(node):
            self._add(scalar, kind, after)

    def _add(self, scalar: Any, kind: ReferenceKind, after: str | None = None) -> None:
        target = text_of(scalar)
        if after is not None and after in target:
            target = target.partition(after)[2]
        if target.strip():
            self.found.append(Reference(target, kind, self._line(scalar), self._field))

    def _line(self, node: Any) -> int:
        return self._document.place(node.start_mark)[0]


def _read_config(document: YamlDocument, found: list[Reference], programs: list[str]) -> None:
    root: Any = document.root
    if root is None:
        return
    if root.id == "mapping":
        version = next((node.value for key, node in _folded(root) if key == "apiversion"), "")
        if isinstance(version, str) and version and version != "builtin":
            programs.append(f"a plugin ({version})")
    for scalar in _scalars(root, keys=True):
        text = text_of(scalar)
        if _PROGRAM in text:
            programs.append("a function")
        if len(text) > _LONGEST_PATH:
            continue
        line = document.place(scalar.start_mark)[0]
        for target in dict.fromkeys((text, text.partition("=")[2])):
            if target.strip():
                found.append(Reference(target, "any", line, guessed=True))


def _folded(mapping: Any) -> Iterator[tuple[str, Any]]:
    """Yield key (case folded, as Go compares them) and value, those of merge keys too."""
    return ((key.casefold(), value) for key, value in pairs_of(mapping))


def _fields(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a mapping, or of each mapping in a list."""
    for item in node.value if node.id == "sequence" else [node]:
        if item.id in ("mapping", "sequence"):
            yield from _folded(item)


def _scalars(node: Any, *, keys: bool = False) -> Iterator[Any]:
    """Yield every scalar below `node` once, however often an alias repeats it."""
    todo, seen = [node], set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if one.id == "scalar":
            yield one
        elif one.id == "sequence":
            todo += reversed(one.value)
        else:
            for key, value in reversed(one.value):
                todo.append(value)
                if keys:
                    todo.append(key)
