"""Where in the sources something stands that a build shows: file, line and column.

A build does not tell where its texts come from, and patches, generators and replacements may have
put them together. So the texts of all files that the build reads are looked through: the best place
is one that says the same, under the same name, in the same object, nearest to the overlay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from gitops.core.data.findings import DataFinding
from gitops.core.data.manifests import decoded
from gitops.core.yamltext import compose_all, text_of
from gitops.errors import ManifestError

_MOST_TEXTS = 100_000


class Place(Struct, frozen=True):
    """A place in a file of the repository, from 1."""

    path: str
    line: int = 1
    column: int = 1


class _Text(Struct, frozen=True):
    """One text of a source.

    Attributes:
        field: the key that it stands at, or the name beside it.
        kind, name: of the object that it stands in.
        raw: as it stands in the file, quotes and all.
    """

    path: str
    line: int
    column: int
    text: str
    field: str
    kind: str
    name: str
    raw: str
    rank: int


class Places:
    """The texts of the files that one overlay is built from, read when they are first asked for.

    Args:
        files: their paths, the nearest to the overlay first.
        read: their bytes, None for one that cannot be read.
    """

    def __init__(self, files: Sequence[str], read: Callable[[str], bytes | None]) -> None:
        self._files = list(dict.fromkeys(files))
        self._read = read
        self._texts: list[_Text] | None = None

    def find(self, finding: DataFinding) -> Place:
        """Return the best place for a finding; the first file where nothing says so."""
        if self._texts is None:
            self._texts = list(self._all())
        best: tuple[tuple[int, ...], _Text, str] | None = None
        for order, needle in enumerate(finding.needles):
            if not needle:
                continue
            for one in self._texts:
                if needle in one.text:
                    score = (*_score(finding, one, needle), -order, -one.rank)
                    if best is None or score > best[0]:
                        best = score, one, needle
            if best is not None:
                break
        if best is None:
            return Place(self._files[0] if self._files else "gitops.yaml")
        return _placed(best[1], best[2])

    def _all(self) -> Iterator[_Text]:
        count = 0
        for rank, path in enumerate(self._files):
            content = self._read(path)
            if content is None:
                continue
            for one in _texts_of(path, content, rank):
                count += 1
                if count > _MOST_TEXTS:
                    return
                yield one


def _score(finding: DataFinding, one: _Text, needle: str) -> tuple[int, ...]:
    said = one.text.strip()
    exact = said == needle or said == f"{finding.field}={needle}"
    named = bool(finding.field) and (
        one.field == finding.field or said.startswith((f"{finding.field}=", f"{finding.field}:"))
    )
    kind = one.kind == finding.kind
    same = kind and bool(one.name) and finding.name.find(one.name) >= 0
    return int(named and same), int(named), int(same), int(exact), int(kind)


def _placed(one: _Text, needle: str) -> Place:
    """Point at the needle itself, where the file has it as it is."""
    at = one.raw.find(needle)
    if at < 0:
        return Place(one.path, one.line, one.column)
    before = one.raw[:at]
    lines = before.count("\n")
    column = len(before) - before.rfind("\n") if lines else one.column + at
    return Place(one.path, one.line + lines, column)


def _texts_of(path: str, content: bytes, rank: int) -> Iterator[_Text]:
    if not path.endswith((".yaml", ".yml", ".json")):
        yield from _lines(path, content, rank)
        return
    try:
        documents = compose_all(content, path)
    except ManifestError:
        yield from _lines(path, content, rank)
        return
    for document in documents:
        root: Any = document.root
        if root is None or root.id != "mapping":
            continue
        fields = {key.value: value for key, value in root.value if key.id == "scalar"}
        kind = _scalar(fields.get("kind"))
        name = _named(fields.get("metadata")) if kind != "Kustomization" else ""
        for node, field in _scalars(root, kind == "Secret"):
            start, end = node.start_mark, node.end_mark
            raw = document.text[start.index : end.index]
            text = text_of(node)
            if field.startswith("\0"):
                field, text = field[1:], decoded(text)
            yield _Text(path, start.line + 1, start.column + 1, text, field, kind, name, raw, rank)


def _scalars(root: Any, secret: bool) -> Iterator[tuple[Any, str]]:
    """Yield every scalar once with what it is called; a NUL before it: it is coded in base64."""
    todo: list[tuple[Any, str]] = [(root, "")]
    seen: set[int] = set()
    while todo:
        node, field = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "scalar":
            yield node, field
        elif node.id == "sequence":
            todo += [(one, field) for one in node.value]
        else:
            beside = _named_beside(node)
            for key, value in node.value:
                yield from ((key, field) for _ in [0] if key.id == "scalar")
                name = str(key.value) if key.id == "scalar" else ""
                if secret and field == "data" and value.id == "scalar":
                    name = f"\0{name}"
                elif name in ("value", "newName") and beside:
                    name = beside
                elif name == "metadata":
                    name = ""
                todo.append((value, name))


def _named_beside(mapping: Any) -> str:
    return next(
        (
            str(value.value)
            for key, value in mapping.value
            if key.value == "name" and value.id == "scalar"
        ),
        "",
    )


def _named(node: Any) -> str:
    return _named_beside(node) if node is not None and node.id == "mapping" else ""


def _scalar(node: Any) -> str:
    return str(node.value) if node is not None and node.id == "scalar" else ""


def _lines(path: str, content: bytes, rank: int) -> Iterable[_Text]:
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
        if line.strip():
            yield _Text(path, number, 1, line, line.partition("=")[0].strip(), "", "", line, rank)
