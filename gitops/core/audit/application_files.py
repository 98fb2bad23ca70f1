"""Argo CD Applications that lie in the manifest repository: which folders they read.

Whoever changes one can turn an overlay aside, so it belongs to the environment whose overlay it
reads (argo-cd: pkg/apis/application/v1alpha1, `spec.source`, `spec.sources`; an ApplicationSet has
the same in `spec.template`, with placeholders, and reads files by `generators`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from gitops.core.kustomization.references import join
from gitops.core.text.wildcards import in_order
from gitops.core.yamltext import compose_all, pairs_of, text_of
from gitops.errors import ManifestError

_KINDS = ("Application", "ApplicationSet")
_LONGEST_PATH = 4096  # PATH_MAX
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
# A word may be hidden behind escapes, a binary tag or another encoding; nothing else is parsed.
_MAY_HOLD = re.compile(rb"Application|\\|binary|%TAG|\x00")
# What looks like one in a text that is no YAML as it stands: a template of a chart, say.
_LOOKS_LIKE = re.compile(rb"kind[\"']?:[ \t]*[\"']?Application(Set)?\b")


class ApplicationFile(Struct, frozen=True):
    """One Application, or ApplicationSet, of a file.

    Attributes:
        name: `metadata.name`, "" where a template fills it in.
        folders: that it reads, as they are written; empty for a patch of one.
        files: patterns of files that generators read.
        readable: False for a text that holds one and is no YAML: it may read anything.
    """

    name: str = ""
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    readable: bool = True

    def reads(self, directory: str) -> bool:
        """Say whether `directory` is one of its folders, or may become one."""
        return not self.readable or any(may_be(folder, directory) for folder in self.folders)


def is_manifest(path: str) -> bool:
    """Say whether a file may hold an Application, by its name."""
    return path.lower().endswith((".yaml", ".yml", ".json"))


def read_applications(content: bytes, path: str) -> tuple[ApplicationFile, ...]:
    """Return the Applications in `content`.

    What Argo CD, or a chart, might read there and nobody here can, is one that may read anything.
    """
    if _MAY_HOLD.search(content) is None:
        return ()
    try:
        documents = compose_all(content, path)
    except ManifestError:
        hidden = content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"argoproj" in content
        looks = _LOOKS_LIKE.search(content.replace(b"\x00", b"")) is not None
        return (ApplicationFile(readable=False),) if hidden and looks else ()
    roots = [document.root for document in documents if document.root is not None]
    seen: set[int] = set()
    return tuple(one for root in roots for one in _applications(root, seen))


def names_by_folder(content: bytes, path: str) -> dict[str, str]:
    """Return folder -> name of the Application in `content` that reads it, as written there."""
    return {folder: one.name for one in read_applications(content, path) for folder in one.folders}


def may_be(folder: str, directory: str) -> bool:
    """Say whether the `folder` of an Application is `directory`, or may become it."""
    pieces = _PLACEHOLDER.split(folder)
    if len(pieces) > 1:
        return in_order(pieces, directory)  # a placeholder that is a whole path may stand for any
    return join("", folder) == directory


def matches(pattern: str, path: str) -> bool:
    """Say whether a generator's pattern may mean `path`; placeholders stand for anything."""
    pieces = re.split(r"\{\{.*?\}\}|\*+|\?|\[[^]]*\]", pattern.removeprefix("./"))
    return in_order(pieces, path)


def _applications(root: Any, seen: set[int]) -> Iterator[ApplicationFile]:
    """Yield those of a mapping, or of a list in it; `seen`: aliases may lead to one again."""
    if root.id != "mapping" or id(root) in seen:
        return
    seen.add(id(root))
    kinds, versions = _texts(root, "kind"), _texts(root, "apiVersion")
    for items in _values(root, "items") if "List" in "".join(kinds) else ():
        for item in items.value if items.id == "sequence" else ():
            yield from _applications(item, seen)
    if not any(version.startswith("argoproj.io") for version in versions):
        return
    if not set(kinds) & set(_KINDS):
        return
    specs = list(_values(root, "spec"))
    templates = [template for spec in specs for template in _values(spec, "template")]
    specs += [inner for template in templates for inner in _values(template, "spec")]
    folders = [folder for spec in specs for folder in _folders(spec)]
    if any(True for spec in specs for _ in _values(spec, "templatePatch")):
        folders.append("{{templatePatch}}")  # it may set any
    names = [name for meta in _values(root, "metadata") for name in _texts(meta, "name")]
    generators = [one for spec in specs for one in _values(spec, "generators")]
    yield ApplicationFile(
        next((name for name in reversed(names) if "{{" not in name), ""),
        tuple(folders),
        tuple(_files(generators)),
    )


def _folders(spec: Any) -> Iterator[str]:
    many = [one for value in _values(spec, "sources") if value.id == "sequence"
            for one in value.value]  # fmt: skip
    for entry in (*_values(spec, "source"), *many):
        for folder in filter(None, _texts(entry, "path")):
            yield folder if len(folder) <= _LONGEST_PATH else "{{too long}}"  # it may be any


def _files(generators: Sequence[Any]) -> Iterator[str]:
    """Yield the `path` of each entry of a `files` list, however deep generators are nested."""
    todo, seen = [(node, "") for node in generators], set[tuple[int, str]]()
    while todo:
        node, inside = todo.pop()
        if (id(node), inside) in seen:
            continue
        seen.add((id(node), inside))
        if node.id == "sequence":
            todo += [(one, inside) for one in node.value]
        elif node.id == "mapping":
            todo += [(value, key) for key, value in pairs_of(node) if value.id != "scalar"]
            for path in _texts(node, "path") if inside == "files" else ():
                yield path if len(path) <= _LONGEST_PATH else "*"


def _values(node: Any, name: str) -> Iterator[Any]:
    if node.id == "mapping":
        yield from (value for key, value in pairs_of(node) if key == name)


def _texts(node: Any, name: str) -> tuple[str, ...]:
    return tuple(text_of(value) for value in _values(node, name) if value.id == "scalar")
