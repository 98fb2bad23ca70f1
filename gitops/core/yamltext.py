"""The one place that reads YAML: the first document of a file, as nodes or as events.

Only the first document counts, as in kustomize. Marks (`yaml.Mark`) count code points from 0 in
`text`, which is the file without its byte order mark; places shown to people count from 1.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

from msgspec import Struct

from gitops.errors import ManifestError
from gitops.late import late_patterns

# The reader in Python, whose patterns take longest, reads nothing where libyaml is there.
with late_patterns("yaml"):
    import yaml
    from yaml.events import AliasEvent as AliasEvent
    from yaml.events import DocumentEndEvent as DocumentEndEvent
    from yaml.events import DocumentStartEvent as DocumentStartEvent
    from yaml.events import MappingEndEvent as MappingEndEvent
    from yaml.events import MappingStartEvent as MappingStartEvent
    from yaml.events import ScalarEvent as ScalarEvent
    from yaml.events import SequenceEndEvent as SequenceEndEvent
    from yaml.events import SequenceStartEvent as SequenceStartEvent
    from yaml.events import StreamEndEvent as StreamEndEvent

BOM = b"\xef\xbb\xbf"

LARGEST = 4 << 20
"""Bytes of a file that is read as YAML: it takes a hundred times as much memory."""

NULLS = frozenset(("", "~", "null", "Null", "NULL"))
"""The plain texts that are YAML's null."""

YamlEvent = Any
"""One of the classes above; which of anchor, tag, style, value it has depends on the class."""

_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_Result = TypeVar("_Result")

# Plain texts that some reader takes for no string: YAML 1.1 (PyYAML), YAML 1.2 or go-yaml v2, which
# is more liberal than both. Measured against all three; "_" is dropped before, as go-yaml does.
_NOT_A_STRING = re.compile(
    r"""(?ix)
    [-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]*)?
    | [-+]?0(?:x[0-9a-f]*|o[0-7]*|b[01]*)
    | [-+]?[0-9]+(?::[0-9]+)+(?:\.[0-9]*)?
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t\ ].*)?
    | y|n|yes|no|on|off|true|false|null
    | [-+]?\.(?:inf|nan)"""
)
_PLAIN = re.compile(r"[A-Za-z0-9_/](?:[A-Za-z0-9._/@:+-]*[A-Za-z0-9._/@+-])?")

# Compiled when they are used first: most calls need none of them.
_UNREADABLE = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]"
_DATE = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt].*)?"
_BREAK = r"\r\n|[\n\r\x85\u2028\u2029]"
# What JSON leaves as it is and YAML would refuse, or end a line at.
_UNPRINTABLE = r"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"


class YamlDocument(Struct, frozen=True):
    """The first YAML document of a file.

    Attributes:
        root: its node, with resolved tags; None when the file holds no document.
        text: the whole file, without its byte order mark.
    """

    root: yaml.Node | None
    text: str
    path: str

    def place(self, mark: yaml.Mark) -> tuple[int, int]:
        """Return the line and column of `mark`, both from 1."""
        return mark.line + 1, mark.column + 1


class EventText(Struct, frozen=True):
    """The first YAML document of a file as parser events: half the cost of nodes, aliases kept.

    Attributes:
        events: from DocumentStart to DocumentEnd; empty when the file holds no document. Nobody
            changes them: the next reading of the same text gets the same ones.
        text: the whole file, without its byte order mark.
        bom: the byte order mark, or nothing.
    """

    events: list[YamlEvent]
    text: str
    bom: bytes
    path: str


def compose_first(content: bytes, path: str) -> YamlDocument:
    """Read the first document of `content` as nodes.

    Raises ManifestError, with `path` and the place, for what is not UTF-8 or not YAML.
    """
    text = _decode(content, path)

    def compose(loader: Any) -> yaml.Node | None:
        node: yaml.Node | None = loader.get_node() if loader.check_node() else None
        return node

    return YamlDocument(_read(compose, text, path), text, path)


def compose_all(content: bytes, path: str) -> tuple[YamlDocument, ...]:
    """Read every document of `content` as nodes. Raises ManifestError as `compose_first` does."""
    text = _decode(content, path)

    def compose(loader: Any) -> list[yaml.Node | None]:
        nodes: list[yaml.Node | None] = []
        while loader.check_node():
            nodes.append(loader.get_node())
        return nodes

    return tuple(YamlDocument(node, text, path) for node in _read(compose, text, path))


def parse_first(content: bytes, path: str) -> EventText:
    """Read the first document of `content` as events. Raises ManifestError, with the place.

    What was read lately is not parsed again: one call looks at the same few files many times.
    """
    text = _decode(content, path)
    bom = BOM if content.startswith(BOM) else b""
    try:
        events = _events_of(text)
    except ManifestError:
        events = _read(_events, text, path)  # raises the same, with the path
    return EventText(events, text, bom, path)


def pairs_of(mapping: Any) -> Iterator[tuple[str, Any]]:
    """Yield key and value of a mapping node, those of merge keys and of repeated keys too.

    Other readers take the first or the last of several; whoever must not miss one looks at all.
    """
    todo, seen = [mapping], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "sequence":
            todo += node.value
        elif node.id == "mapping":
            for key, value in node.value:
                if key.id == "scalar" and key.value == "<<":
                    todo.append(value)
                elif key.id == "scalar":
                    yield text_of(key), value


def text_of(scalar: Any) -> str:
    """Return what go-yaml reads in a scalar node: it decodes what is tagged as binary."""
    if scalar.tag != "tag:yaml.org,2002:binary":
        return str(scalar.value)
    try:
        return base64.b64decode(scalar.value).decode()
    except ValueError:
        return str(scalar.value)


def needs_quotes(text: str) -> bool:
    """Say whether some reader would take plain `text` for a number, bool, null or date."""
    return bool(_NOT_A_STRING.fullmatch(text.replace("_", ""))) or text in ("", "~", "<<", "=")


def is_no_string(text: str) -> bool:
    """Say whether kustomize takes plain `text` for no string: as `needs_quotes`, less dates."""
    return needs_quotes(text) and not re.fullmatch(_DATE, text)


def quote(text: str) -> str:
    """Return `text` as a double-quoted scalar that YAML and JSON readers understand alike."""
    import json  # most calls quote nothing

    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(_UNPRINTABLE, lambda found: f"\\u{ord(found[0]):04x}", quoted)


def plain_or_quoted(text: str) -> str:
    """Return `text` plain where every reader takes it for that string, else double-quoted."""
    if _PLAIN.fullmatch(text) and not needs_quotes(text):
        return text
    return quote(text)


def _decode(content: bytes, path: str) -> str:
    if len(content) > LARGEST:
        raise ManifestError(
            f"is larger than {LARGEST >> 20} MB",
            path=path,
            hint="nobody looks at so much: split it",
        )
    if content.startswith(_LFS):
        raise ManifestError(
            "is a pointer of Git LFS, not the file itself",
            path=path,
            hint=f"keep it in Git: git lfs untrack {path}, then commit the file itself",
        )
    try:
        return content.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as exc:
        before = content[: exc.start].removeprefix(BOM).decode("utf-8")
        line, column = _place(before)
        raise ManifestError(
            "is not UTF-8", path=path, line=line, column=column, hint="save the file as UTF-8"
        ) from exc


_LFS = b"version https://git-lfs.github.com/spec/"


@lru_cache(maxsize=8)
def _events_of(text: str) -> list[YamlEvent]:
    return _read(_events, text, "")


def _events(loader: Any) -> list[YamlEvent]:
    get = loader.get_event
    events: list[YamlEvent] = []
    get()  # the start of the stream
    event = get()
    if type(event) is StreamEndEvent:
        return events
    while type(event) is not DocumentEndEvent:
        events.append(event)
        event = get()
    events.append(event)
    return events


def _read(work: Callable[[Any], _Result], text: str, path: str) -> _Result:
    loader = None
    try:
        loader = _LOADER(text)
        return work(loader)
    except yaml.reader.ReaderError as exc:
        found = re.search(_UNREADABLE, text)
        line, column = _place(text[: found.start()] if found else "")
        what = f"the character U+{ord(found[0]):04X} is not allowed in YAML" if found else "no YAML"
        raise ManifestError(what, path=path, line=line, column=column) from exc
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        what = ", ".join(part for part in (exc.problem, exc.context) if part)
        raise ManifestError(
            f"is not valid YAML: {what}",
            path=path,
            line=mark.line + 1 if mark else 1,
            column=mark.column + 1 if mark else 1,
        ) from exc
    except RecursionError as exc:  # the parser written in Python; the C one counts levels
        raise ManifestError("is nested too deeply", path=path) from exc
    finally:
        if loader is not None:
            loader.dispose()


def _place(before: str) -> tuple[int, int]:
    """Return the place, from 1, of what follows `before`."""
    last = 0
    line = 1
    for found in re.finditer(_BREAK, before):
        line, last = line + 1, found.end()
    return line, len(before) - last + 1
