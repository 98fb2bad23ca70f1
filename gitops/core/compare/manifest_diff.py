"""What changes in the manifests that an overlay builds, object by object, within bounds.

Values of Secrets are never shown: only that one differs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from gitops.core.text.plain import one_line, split_lines
from gitops.core.yamltext import compose_first
from gitops.errors import ManifestError

_SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)
_CONTEXT = 3
_MOST_LINES = 600  # of one overlay
_LONGEST_LINE = 300
_LARGEST_OBJECT = 4000  # lines; difflib takes long over more
_HIDDEN, _OTHER = "(hidden)", "(hidden, another value)"


class ObjectDiff(Struct, frozen=True):
    """One object that came, went or changed.

    Attributes:
        name: `Deployment api`, with its namespace where it has one: `Deployment shop/api`.
        lines: of a unified diff, without its head.
        cut: lines that are not shown.
    """

    name: str
    kind: Literal["added", "removed", "changed"]
    lines: tuple[str, ...]
    cut: int = 0


class _Object(Struct, frozen=True):
    name: str
    text: str


def diff_manifests(before: str, after: str) -> tuple[ObjectDiff, ...]:
    """Return what differs between two builds, in the order of the newer one; what went, last."""
    old, new = _objects(before), _objects(after)
    found: list[ObjectDiff] = []
    left = _MOST_LINES
    for name in dict.fromkeys((*new, *old)):
        one = _difference(name, old.get(name), new.get(name))
        if one is None:
            continue
        if len(one.lines) > left:
            cut = one.cut + len(one.lines) - left
            one = ObjectDiff(one.name, one.kind, one.lines[:left], cut)
        left -= len(one.lines)
        found.append(one)
    return tuple(found)


def _objects(text: str) -> dict[str, _Object]:
    """Return name -> object; a name that stands twice gets a number."""
    found: dict[str, _Object] = {}
    for document in _SEPARATOR.split(text):
        if not document.strip():
            continue
        name = _name_of(document)
        unique, number = name, 2
        while unique in found:
            unique, number = f"{name} ({number})", number + 1
        found[unique] = _Object(unique, document.strip("\n"))
    return found


def _name_of(document: str) -> str:
    """Read kind, namespace and name off the text, as kustomize writes them."""
    kind = re.search(r"^kind: *(\S+)", document, re.MULTILINE)
    block = re.search(r"^metadata:\n((?:[ \t].*\n?)*)", document, re.MULTILINE)
    fields = dict(re.findall(r"^  (name|namespace): *(\S+)", block[1] if block else "", re.M))
    place = f"{fields['namespace']}/" if "namespace" in fields else ""
    words = (kind[1] if kind else "object", f"{place}{fields.get('name', '?')}")
    return one_line(" ".join(word.strip("'\"") for word in words), 200)


def _difference(name: str, old: _Object | None, new: _Object | None) -> ObjectDiff | None:
    if old is not None and new is not None and old.text == new.text:
        return None
    kind: Literal["added", "removed", "changed"] = "changed"
    if old is None:
        kind = "added"
    elif new is None:
        kind = "removed"
    before, after = _shown(old), _shown(new)
    if name.casefold().startswith("secret "):
        before, after = _hide(before, after)
    ours, theirs = split_lines(before), split_lines(after)
    if max(len(ours), len(theirs)) > _LARGEST_OBJECT:
        return ObjectDiff(name, kind, (), max(len(ours), len(theirs)))
    lines = list(difflib.unified_diff(ours, theirs, lineterm="", n=_CONTEXT))[2:]
    return ObjectDiff(name, kind, tuple(_line(text) for text in lines))


def _shown(one: _Object | None) -> str:
    return one.text if one is not None else ""


def _line(text: str) -> str:
    """Return one line without anything that a terminal or a page obeys; its indent stays."""
    plain = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return plain if len(plain) <= _LONGEST_LINE else plain[: _LONGEST_LINE - 1] + "…"


def _hide(before: str, after: str) -> tuple[str, str]:
    """Return two Secrets without their values; one that cannot be read is hidden as a whole."""
    old, new = _values(before), _values(after)
    if old is None or new is None:
        return "", "(a Secret that cannot be read is not shown)"
    words = {
        key: _OTHER if key in old and old[key][1] != value else _HIDDEN
        for key, (_, value) in new.items()
    }
    return _replaced(before, old, {}), _replaced(after, new, words)


_Values = dict[str, tuple[tuple[int, int], str]]
"""Key -> (span, value)."""


def _values(text: str) -> _Values | None:
    """Return everything under `data` and `stringData`.

    Annotations too: kubectl keeps the last applied text there.
    """
    if not text:
        return {}
    try:
        document = compose_first(text.encode(), "manifest")
    except ManifestError:
        return None
    root: Any = document.root
    if root is None or root.id != "mapping":
        return None
    found: _Values = {}
    for key, node in root.value:
        if key.value in ("data", "stringData"):
            _collect(node, str(key.value), found)
        elif key.value == "metadata" and node.id == "mapping":
            for inner, value in node.value:
                if inner.value == "annotations":
                    _collect(value, "annotations", found)
    return found


def _collect(node: Any, path: str, found: _Values) -> None:
    if node.id != "mapping":
        found[path] = ((node.start_mark.index, node.end_mark.index), str(node.value))
        return
    for key, value in node.value:
        span = (value.start_mark.index, value.end_mark.index)
        found[f"{path}/{key.value}"] = (span, str(value.value))


def _replaced(text: str, values: _Values, words: Mapping[str, str]) -> str:
    parts: list[str] = []
    at = 0
    for (start, end), key in sorted((span, key) for key, (span, _) in values.items()):
        if start < at:
            continue  # an alias of what is hidden already
        # A block scalar ends with the line breaks before what follows.
        rest = "\n" if text[start:end].endswith("\n") else ""
        parts += (text[at:start], words.get(key, _HIDDEN), rest)
        at = end
    return "".join((*parts, text[at:]))
