"""What a value in `gitops.yaml` may look like, described once for its two readers.

A shape reads a YAML node (`read`, which reports every problem at its place) and prints itself as
JSON Schema (`schema`, for editors). `gitops/config/keys.py` is built from shapes only, so the two
cannot disagree. Nodes are told apart by their `id`, because PyYAML is imported by
`gitops.core.yamltext` alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from gitops.core.text.plain import nearest_word
from gitops.core.yamltext import YamlDocument

Node = Any  # yaml.Node: id ("scalar", "sequence", "mapping"), tag, value, start_mark
LineColumn = tuple[int, int]  # line and column, both from 1

_STR = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_INT = "tag:yaml.org,2002:int"
_BOOL = "tag:yaml.org,2002:bool"
_DIGITS = r"0|[1-9][0-9]{0,8}"
_SCALARS = {
    "null": "nothing",
    "bool": "a yes/no value",
    "int": "a number",
    "float": "a number",
    "timestamp": "a date",
}


class Value(Struct, frozen=True):
    """A value that has the right shape, with where it stands.

    Attributes:
        path: its key as messages print it (`environments[0].name`).
        text: of a text, else "".
        items: of a list, in order, without the ones that were wrong.
        keys: of a table, without the ones that were wrong.
        texts, lists: key -> text, and key -> items, of the values of a table.
    """

    path: str
    place: LineColumn
    text: str = ""
    items: tuple[Value, ...] = ()
    keys: Mapping[str, Value] = {}
    texts: Mapping[str, str] = {}
    lists: Mapping[str, tuple[Value, ...]] = {}

    def get(self, key: str, default: str = "") -> str:
        """Return the text at `key` of a table, or `default` where the key is left out."""
        return self.texts.get(key, default)

    def words(self) -> dict[str, tuple[str, ...]]:
        """Return key -> texts of the list there, all at once; () for what is no list."""
        return {key: tuple(i.text for i in value.items) for key, value in self.keys.items()}

    def list(self, key: str) -> tuple[Value, ...]:
        """Return the items at `key` of a table, () where the key is left out."""
        return self.lists.get(key, ())

    def list_texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of that list."""
        return tuple(item.text for item in self.lists.get(key, ()))


class Problems:
    """Collects what is wrong with one file; nothing stops at the first."""

    def __init__(self, document: YamlDocument, file: str) -> None:
        self._document = document
        self._file = file
        self._found: list[tuple[LineColumn, str, str]] = []

    def place(self, node: Node) -> LineColumn:
        """Return where `node` begins."""
        return node.start_mark.line + 1, node.start_mark.column + 1

    def add(self, place: LineColumn, path: str, what: str) -> None:
        """Note that the value at `path` is wrong; an empty path is the whole file."""
        self._found.append((place, path, what))

    def add_repeated(self, rows: Iterable[Value], key: str, what: str) -> None:
        """Note each row whose `key` an earlier one has too; `what` names it: `a freeze {}`."""
        seen: dict[str, Value] = {}
        for row in rows:
            value = row.keys.get(key)
            if value is None:
                continue
            first = seen.setdefault(value.text, value)
            if first is not value:
                told = f"there is {what.format(value.text)} already, on line {first.place[0]}"
                self.add(value.place, value.path, told)

    def add_no_environment(self, items: Iterable[Value], known: Sequence[str]) -> None:
        """Note each of `items` that is none of `known`: environments, and groups where they may."""
        for item in items:
            if item.text not in known:
                near = nearest(item.text, [word for word in known if word])
                self.add(item.place, item.path, f"no environment {shown(item.text)}{near}")

    def has(self, path: str) -> bool:
        """Is something wrong with the value at exactly this path?"""
        return any(found == path for _, found, _ in self._found)

    def has_inside(self, path: str) -> bool:
        """Is something wrong with the value at this path, or with one in it?"""
        return any(found == path or found.startswith(f"{path}.") for _, found, _ in self._found)

    def lines(self) -> tuple[str, ...]:
        """Return one `FILE:LINE:COL: path.to.key: what is wrong` per problem, sorted by place."""
        return tuple(
            f"{self._file}:{line}:{column}: {path + ': ' if path else ''}{what}"
            for (line, column), path, what in sorted(set(self._found))
        )


class Shape(Protocol):
    """What a value may look like."""

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        """Return the value of `node`, or None after adding to `problems`."""
        ...

    def schema(self) -> dict[str, object]:
        """Return the same as JSON Schema."""
        ...


class Text:
    """A text that matches `pattern` as a whole.

    Attributes:
        pattern: a regular expression in what Python and JSON Schema (ECMA 262) have in common.
        explain: says what is wrong with a text that does not match; words go behind the text.
    """

    def __init__(self, pattern: str, explain: str | Callable[[str], str]) -> None:
        self.pattern = pattern
        self.explain = explain

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        """Return the text, or None after saying what is wrong with it."""
        text = _text(node, path, problems)
        if text is None:
            return None
        if re.fullmatch(self.pattern, text) is None:
            why = self.explain
            told = f"{shown(text)} {why}" if isinstance(why, str) else why(text)
            problems.add(problems.place(node), path, told)
            return None
        return Value(path, problems.place(node), text)

    def schema(self) -> dict[str, object]:
        """Return the pattern, anchored at both ends."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


class WholeNumber:
    """A whole number, in decimal digits; its Value has them as text."""

    def __init__(self, least: int, most: int) -> None:
        self.least = least
        self.most = most

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        """Return the number, or None after saying which ones there are."""
        right = node.id == "scalar" and node.tag == _INT and re.fullmatch(_DIGITS, node.value)
        if right and self.least <= int(node.value) <= self.most:
            return Value(path, problems.place(node), node.value)
        shown_value = node.value if node.id == "scalar" and node.tag == _INT else _kind(node)
        what = f"must be a number from {self.least} to {self.most}, not {shown_value}"
        problems.add(problems.place(node), path, what)
        return None

    def schema(self) -> dict[str, object]:
        """Return the range."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class YesNo:
    """true or false; its Value has one of these words as text."""

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        """Return the word, or None after saying which ones there are."""
        if node.id == "scalar" and node.tag == _BOOL:
            word = "true" if node.value.lower() in ("true", "yes", "on") else "false"
            return Value(path, problems.place(node), word)
        problems.add(problems.place(node), path, f"must be true or false, not {_kind(node)}")
        return None

    def schema(self) -> dict[str, object]:
        """Return the type."""
        return {"type": "boolean"}


class OneOf:
    """One word of a few."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        """Return the word, or None after listing the ones there are."""
        # YAML takes `off` for a yes/no value: as it is written it is the word.
        if node.id == "scalar" and node.tag in (_STR, _BOOL) and node.value in self.words:
            return Value(path, problems.place(node), node.value)
        what = f"must be {_either(self.words)}, not {_kind(node)}"
        if node.id == "scalar":
            what += nearest(node.value, self.words)
        problems.add(problems.place(node), path, what)
        return None

    def schema(self) -> dict[str, object]:
        """Return the words."""
        return {"type": "string", "enum": list(self.words)}


class ListOf:
    """A list with items of one shape; texts must not repeat.

    Attributes:
        least: how many items there must be.
    """

    def __init__(self, item: Shape, least: int = 0) -> None:
        self.item = item
        self.least = least

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        """Return the items that are right."""
        if node.id != "sequence":
            what = f"must be a list, not {_kind(node)}"
            if node.id == "scalar" and node.tag == _STR:
                what += f": write [{shown(node.value)}]"
            problems.add(problems.place(node), path, what)
            return None
        if len(node.value) < self.least:
            problems.add(problems.place(node), path, "the list is empty: it needs one at least")
        items: dict[int, Value] = {}
        texts: set[str] = set()
        for index, child in enumerate(node.value):
            item = self.item.read(child, f"{path}[{index}]", problems)
            if item is None:
                continue
            if item.text and item.text in texts:
                problems.add(item.place, item.path, f"{shown(item.text)} stands in the list twice")
            texts.add(item.text)
            items[index] = item
        return Value(path, problems.place(node), items=tuple(items.values()))

    def schema(self) -> dict[str, object]:
        """Return the shape of the items, and how many there must be."""
        schema: dict[str, object] = {"type": "array", "items": self.item.schema()}
        return {**schema, "minItems": self.least, "uniqueItems": True}


class OneOrMore:
    """A text, or a list of such; its Value has the first as text, and all as items."""

    def __init__(self, item: Text) -> None:
        self.item = item

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        """Return the texts, or None after saying what is wrong."""
        if node.id != "sequence":
            one = self.item.read(node, path, problems)
            return Value(path, one.place, one.text, (one,)) if one is not None else None
        found = ListOf(self.item, least=1).read(node, path, problems)
        if found is None or not found.items:
            return None
        return Value(path, found.place, found.items[0].text, found.items)

    def schema(self) -> dict[str, object]:
        """Return both forms."""
        return {"anyOf": [self.item.schema(), ListOf(self.item, least=1).schema()]}


class Key:
    """One key of a table.

    Attributes:
        note: one sentence for editors and for the reference page.
        default: what it means when it is left out, if that is a value.
    """

    def __init__(
        self, shape: Shape, note: str, *, required: bool = False, default: str | None = None
    ) -> None:
        self.shape = shape
        self.note = note
        self.required = required
        self.default = default

    def schema(self) -> dict[str, object]:
        """Return the shape with the note and the default."""
        schema = {**self.shape.schema(), "description": self.note}
        return schema if self.default is None else {**schema, "default": self.default}


class Table:
    """A mapping with known keys; every other key is a mistake."""

    def __init__(self, known: Mapping[str, Key]) -> None:
        self.known = known

    def read(self, node: Node, path: str, problems: Problems) -> Value | None:
        """Return the keys that are right; unknown, repeated and missing ones are problems."""
        if node.id != "mapping":
            known = ", ".join(self.known)
            what = f"must be a mapping with the keys {known}, not {_kind(node)}"
            problems.add(problems.place(node), path, what)
            return None
        prefix = f"{path}." if path else ""
        keys: dict[str, Value] = {}
        seen: dict[str, LineColumn] = {}
        for key_node, child in node.value:
            place = problems.place(key_node)
            if key_node.id != "scalar" or key_node.tag == _MERGE:
                what = "a key must be a word" if key_node.id != "scalar" else _NO_MERGE
                problems.add(place, path, what)
                continue
            name = key_node.value
            inner = prefix + (name if name.isidentifier() else shown(name))
            if name in seen:
                problems.add(place, inner, f"stands here twice: first on line {seen[name][0]}")
                continue
            seen[name] = place
            if name not in self.known:
                near = nearest(name, [key for key in self.known if key not in seen])
                known = "" if near else f"; the keys are {', '.join(self.known)}"
                problems.add(place, inner, f"unknown key{near}{known}")
                continue
            value = self.known[name].shape.read(child, inner, problems)
            if value is not None:
                keys[name] = value
        for name, key in self.known.items():
            if key.required and name not in seen:
                problems.add(problems.place(node), prefix + name, "is missing")
        texts = {name: value.text for name, value in keys.items()}
        lists = {name: value.items for name, value in keys.items()}
        return Value(path, problems.place(node), keys=keys, texts=texts, lists=lists)

    def schema(self) -> dict[str, object]:
        """Return the keys; no others are allowed."""
        return {
            "type": "object",
            "properties": {name: key.schema() for name, key in self.known.items()},
            "required": [name for name, key in self.known.items() if key.required],
            "additionalProperties": False,
        }


_NO_MERGE = "merge keys (<<) are not read here: write the keys out"


def shown(text: str) -> str:
    """Return `text` in quotes for a message: on one line, without control characters, not long."""
    return repr(text if len(text) <= 60 else text[:59] + "…")


def nearest(word: str, words: list[str] | tuple[str, ...]) -> str:
    """Return `; did you mean …?` with the word most like `word`, or "" when none is."""
    near = nearest_word(word, words)
    return f"; did you mean {near}?" if near else ""


def _either(words: tuple[str, ...]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _text(node: Node, path: str, problems: Problems) -> str | None:
    if node.id == "scalar" and node.tag == _STR:
        return str(node.value)
    what = f"must be text, not {_kind(node)}"
    if node.id == "scalar" and node.tag.endswith(":null"):
        what = "has no value"
    elif node.id == "scalar" and node.tag.rpartition(":")[2] in _SCALARS:
        what += f': put it in quotes, "{node.value}"'
    problems.add(problems.place(node), path, what)
    return None


def _kind(node: Node) -> str:
    if node.id == "mapping":
        return "a mapping"
    if node.id == "sequence":
        return "a list"
    if node.tag == _STR:
        return shown(node.value)
    return _SCALARS.get(node.tag.rpartition(":")[2], f"a value tagged {shown(node.tag)}")
