"""What an edit is going to do: which bytes, and which parser events, become what.

The two are planned side by side and meet in `prove.py`: the bytes are written, parsed again, and
must give just the events that were planned. Offsets count code points of the text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from typing import Any

from gitops.core.kustomization.read import Lists
from gitops.core.yamltext import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    YamlEvent,
    plain_or_quoted,
    quote,
)

Signature = tuple[Any, ...]  # what an event says, less its place

PLACE = itemgetter(0, 1)
"""What splices are sorted by: two of one place stay in the order in which they came."""

MAPPING_END: Signature = ("}",)
SEQUENCE_END: Signature = ("]",)
_BREAK = r"\r\n|[\n\r\x85\u2028\u2029]"
_PROPERTIES = r"(?:[&!]\S*\s*){1,2}"
_FOLDED = r"[|>][-+0-9]*[ \t]*"


class SplicePlan:
    """Splices of text and of events, gathered over all requests of one call.

    Attributes:
        splices: (start, end, new text), ends exclusive.
        events: (start, end, new signatures), ends exclusive.
        warnings: what a person should know, such as a comment that goes.
    """

    def __init__(self, lists: Lists) -> None:
        self.lists = lists
        self.splices: list[tuple[int, int, str]] = []
        self.events: list[tuple[int, int, list[Signature]]] = []
        self.warnings: list[str] = []

    def write(self) -> str:
        """Return the new text."""
        text = self.lists.document.text
        parts: list[str] = []
        at = 0
        for start, end, new in self.ordered():
            parts += (text[at:start], new)
            at = end
        parts.append(text[at:])
        return "".join(parts)

    def ordered(self) -> list[tuple[int, int, str]]:
        """Return the splices in file order, an insertion before what is taken out behind it."""
        return sorted(self.splices, key=PLACE)

    def expected(self) -> list[Signature]:
        """Return the signatures that the new text must have."""
        old = signatures(self.lists.document.events)
        expected: list[Signature] = []
        at = 0
        for start, end, new in sorted(self.events, key=PLACE):
            expected += old[at:start]
            expected += new
            at = end
        expected += old[at:]
        return expected


def signatures(events: list[YamlEvent]) -> list[Signature]:
    """Return what each event says: its kind, anchor, tag, style and text."""
    found: list[Signature] = []
    add = found.append
    for event in events:
        kind = type(event)
        if kind is ScalarEvent:
            add((event.value, event.style or None, event.anchor, event.tag))
        elif kind is MappingEndEvent:
            add(MAPPING_END)
        elif kind is MappingStartEvent:
            add(("{", bool(event.flow_style), event.anchor, event.tag, None))
        elif kind is SequenceStartEvent:
            add(("[", bool(event.flow_style), event.anchor, event.tag, None))
        elif kind is SequenceEndEvent:
            add(SEQUENCE_END)
        elif kind is AliasEvent:
            add(("*", event.anchor))
        elif kind is DocumentStartEvent:
            add(("---", bool(event.explicit), event.version, str(event.tags), None))
        elif kind is DocumentEndEvent:
            add(("...", bool(event.explicit), None))
    return found


def scalar(written: str, text: str) -> Signature:
    """Return the signature of a new scalar that stands as `written` and reads as `text`."""
    return (text, written[0] if written[:1] in ("'", '"') else None, None, None)


def mapping(flow: bool) -> Signature:
    """Return the signature of the start of a new mapping."""
    return ("{", flow, None, None, None)


def sequence(flow: bool) -> Signature:
    """Return the signature of the start of a new list."""
    return ("[", flow, None, None, None)


@lru_cache(maxsize=16)  # one tag often goes to many images
def written(text: str, style: str | None) -> str:
    """Return `text` as a scalar in quotes `style`; None: plain where all readers read a string."""
    if style == '"':
        return quote(text)
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return plain_or_quoted(text)


def scalar_span(lists: Lists, index: int) -> tuple[int, int]:
    """Return where the scalar at event `index` stands, without its anchor, tag and blank lines.

    Raises ManifestError for a text of several lines.
    """
    text = lists.document.text
    event = lists.document.events[index]
    start, end = event.start_mark.index, event.end_mark.index
    if event.anchor is not None or event.tag is not None:
        properties = re.compile(_PROPERTIES).match(text, start, end)
        start = properties.end() if properties is not None else start
    if event.style in ("|", ">"):
        lines = [line for line in re.split(_BREAK, text[start:end]) if line.strip()]
        if len(lines) != 2 or not re.fullmatch(_FOLDED, lines[0]):
            raise lists.unsafe(index, "a text of several lines", "write it on one line first")
        end = text.rindex(lines[1], start, end) + len(lines[1].rstrip())
    elif "\n" in event.value:
        raise lists.unsafe(index, "a text of several lines", "write it on one line first")
    return start, end


def node_end(lists: Lists, last: int) -> int:
    """Return where the node whose last event is `last` ends: blocks end late in the events."""
    event = lists.document.events[last]
    while (
        type(event) in (MappingEndEvent, SequenceEndEvent)
        and event.start_mark.index == event.end_mark.index
    ):
        last -= 1
        event = lists.document.events[last]
    start: int = event.start_mark.index
    end: int = event.end_mark.index
    if type(event) is ScalarEvent and event.style in ("|", ">"):
        return start + len(lists.document.text[start:end].rstrip())
    return end


def line_start(text: str, index: int) -> int:
    """Return the start of the line that `index` lies in."""
    start = text.rfind("\n", 0, index) + 1
    return max(start, *(text.rfind(other, start, index) + 1 for other in "\r\x85\u2028\u2029"))


def line_end(text: str, index: int) -> int:
    """Return the end of the line that `index` lies in, before its break."""
    found = re.compile(_BREAK).search(text, index)
    return found.start() if found else len(text)


def after_break(text: str, index: int) -> int:
    """Return the start of the next line for the end of a line; the end of the text stays."""
    found = re.compile(_BREAK).match(text, index)
    return found.end() if found else index


def before_break(text: str, index: int) -> int:
    """Return the end of the line before the one that starts at `index`."""
    if text.endswith("\r\n", 0, index):
        return index - 2
    return max(index - 1, 0)


def break_at(text: str, index: int) -> str:
    """Return the break of the line that ends at `index`; of the line before, where there is none.

    Breaks that only YAML 1.1 knows are not copied.
    """
    found = text[index : after_break(text, index)]
    if not found:
        start = line_start(text, index)
        found = text[before_break(text, start) : start]
    return found if found in ("\r\n", "\n", "\r") else "\n"
