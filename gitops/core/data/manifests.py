"""What kustomize built, read as objects, within bounds: every value of it may come from anybody."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from gitops.core.text.plain import one_line
from gitops.core.unstructured import table, text
from gitops.core.yamltext import compose_first, pairs_of, text_of
from gitops.errors import ManifestError

CLASS_LABEL = "gitops.dev/data-class"
"""The label of what leads to a database: `real` or `dummy`."""

RESET_LABEL = "gitops.dev/data-reset"
"""The label of Jobs that throw data away and fill in other: `job`, `schedule`."""

GUARD = "data-guard"
"""The container that runs first in such a Job, and fails where a Secret of real data is."""

_SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)
_MOST_OBJECTS = 5000
_MOST_VALUES = 300_000
_DEEPEST = 60

Path = tuple[str | int, ...]


class BuiltObject(Struct, frozen=True):
    """One object of a build.

    Attributes:
        value: its fields; every scalar is the text that YAML has, null is "".
    """

    kind: str
    name: str
    namespace: str
    value: dict[str, Any]

    @property
    def title(self) -> str:
        """What messages call it: `Deployment api`."""
        return one_line(f"{self.kind} {self.name}", 120)

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return _texts(table(self.value, "metadata", "labels"))

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return _texts(table(self.value, "metadata", "annotations"))


def read_manifests(text: str) -> tuple[BuiltObject, ...]:
    """Return the objects of a build, those inside of a List too.

    Raises ManifestError for what is no YAML, and for more of it than anybody looks at.
    """
    return tuple(_read(text, _Reader()))


def read_typed(text: str) -> tuple[dict[str, Any], ...]:
    """Return the objects of a build with numbers and truths as such, as an API server wants them.

    Raises ManifestError as `read_manifests` does.
    """
    return tuple(one.value for one in _read(text, _Reader(typed=True)))


def strings(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield every text of an object with the keys and indexes that lead to it."""
    todo: list[tuple[Path, object]] = [(path, value)]
    while todo:
        at, one = todo.pop()
        if isinstance(one, str):
            yield at, one
        elif isinstance(one, list):
            todo += [((*at, index), item) for index, item in reversed(list(enumerate(one)))]
        elif isinstance(one, dict):
            todo += [((*at, key), item) for key, item in reversed(one.items())]


def along(value: object, path: Path) -> Iterator[object]:
    """Yield an object, and what each step of a path in it leads to."""
    yield value
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
        yield value


def decoded(value: str) -> str:
    """Return what a value of a Secret's `data` says; text that is none is returned as it is."""
    try:
        return base64.b64decode(value, validate=False).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return value


def told_path(value: object, path: Path) -> str:
    """Return a path for people: items of lists by their names, `containers[api].env[DB_HOST]`."""
    words: list[str] = []
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
            name = text(value, "name") or str(step)
            words[-1:] = [f"{words[-1] if words else ''}[{name}]"]
        else:
            value = value.get(step) if isinstance(value, dict) else None
            if step not in ("spec", "template", "jobTemplate", "data", "stringData"):
                words.append(step)
    return one_line(".".join(words), 160)


def _read(text: str, reader: _Reader) -> Iterator[BuiltObject]:
    count = 0
    for document in _SEPARATOR.split(text):
        if not document.strip():
            continue
        root = compose_first(document.encode("utf-8", "replace"), "the build").root
        for one in _objects(reader.plain(root, 0) if root is not None else None):
            count += 1
            if count > _MOST_OBJECTS:
                raise ManifestError(f"more than {_MOST_OBJECTS} objects", path="the build")
            yield one


def _objects(value: object) -> Iterator[BuiltObject]:
    if not isinstance(value, dict):
        return
    kind = text(value, "kind")
    if kind.endswith("List") and isinstance(value.get("items"), list):
        for one in value["items"]:
            yield from _objects(one)
        return
    name, namespace = text(value, "metadata", "name"), text(value, "metadata", "namespace")
    yield BuiltObject(kind or "object", name or "?", namespace, value)


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {key: one for key, one in value.items() if isinstance(one, str)}


def _typed(node: Any) -> Any:
    """Return a plain scalar as JSON would have it: what kustomize writes needs no more."""
    kind, said = node.tag.rpartition(":")[2], str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return said.lower() == "true"
    try:
        if kind == "int":
            return int(said, 10)
        return float(said) if kind == "float" else text_of(node)
    except ValueError:
        return said


class _Reader:
    """Makes plain values of nodes; an alias is made each time, so what is made is counted."""

    def __init__(self, *, typed: bool = False) -> None:
        self._left = _MOST_VALUES
        self._typed = typed

    def plain(self, node: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise ManifestError("more values than anybody looks at", path="the build")
        if node.id == "scalar" and self._typed:
            return _typed(node)
        if node.id == "scalar":
            return "" if node.tag.endswith(":null") else text_of(node)
        if node.id == "sequence":
            return [self.plain(one, depth + 1) for one in node.value]
        return {key: self.plain(one, depth + 1) for key, one in pairs_of(node)}
