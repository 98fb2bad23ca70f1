"""Find the entries of `images:` in the events of a kustomization, as kustomize reads them.

Reading is lenient, since it meets every version of a file that ever was: of duplicates the last
counts, numbers are their text, aliases and merge keys are followed. `refusals.py` is strict.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from gitops.core.kustomization.image import FieldTexts, ImageValue, meant
from gitops.core.yamltext import (
    NULLS,
    AliasEvent,
    EventText,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    YamlEvent,
    parse_first,
)
from gitops.errors import ManifestError

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""Which file of a directory is its kustomization."""

LISTS = {"images": "images", "imagetags": "imageTags"}
FIELDS = {"newName": "name", "newTag": "tag", "digest": "digest"}
"""Field of an entry -> attribute of `ImageValue`, in the order in which they are written."""

ENTRY_KEYS = {name.lower(): name for name in ("name", *FIELDS, "tagSuffix")}
"""Key of an entry in lower case, since kustomize matches without case -> as it is written."""

_OPENING = (MappingStartEvent, SequenceStartEvent)
_CLOSING = (MappingEndEvent, SequenceEndEvent)
_DEEPEST_MERGE = 20
_tuple = tuple.__new__  # a third of the cost of `Pair(…)`, which counts in lists of thousands

MOST_IMAGES = 10_000
"""Entries of one kustomization: kustomize takes minutes for as many, and nobody looks at more."""

_MOST_AGAIN = 500_000  # events: aliases of aliases grow with a power of their number
_SPLIT = "kustomize takes ever longer for each entry: give apps overlays of their own"


def choose_file(names: Sequence[str], directory: str) -> str | None:
    """Return the kustomization file among `names`, None when there is none.

    Raises ManifestError when there are two: kustomize builds neither.
    """
    found = [name for name in FILE_NAMES if name in names]
    if len(found) > 1:
        raise ManifestError(
            f"there are two kustomizations in one directory: {' and '.join(found)}",
            path=directory or ".",
            hint="kustomize builds neither: remove one",
        )
    return found[0] if found else None


class ImageEntry(NamedTuple):
    """One entry of `images:`; line and column (from 1) are those of its name."""

    image: str
    value: ImageValue
    line: int
    column: int
    tag_suffix: str | None = None


class MappingPair(NamedTuple):
    """A key and its value, as indexes of events; `end` is that of the event after the value."""

    key: int
    value: int
    end: int


class SequenceItem(Struct, eq=False):
    """One entry as it stands in the events.

    Attributes:
        start, end: event index of the entry (an alias, maybe), and of the event after it.
        fields: canonical name -> the pair that counts.
        repeated: pairs that do not count, for a later pair has the same name.
        merged: what came by a merge key (`<<`).
    """

    start: int
    list: ImageList
    end: int = 0
    image: str | None = None
    fields: dict[str, MappingPair] = {}
    repeated: tuple[tuple[str, MappingPair], ...] = ()
    merged: frozenset[str] = frozenset()


class ImageList(NamedTuple):
    """The pair `images:` (or `imageTags:`) of the root."""

    name: str
    pair: MappingPair
    merged: bool


class Lists:
    """The image lists of one file.

    Attributes:
        lists: every list there is, also those that do not count.
        items: the entries of those that count, `images:` before `imageTags:`, as kustomize runs
            them.
    """

    def __init__(self, document: EventText) -> None:
        self.document = document
        self.lists: list[ImageList] = []
        self.items: list[SequenceItem] = []
        self._anchors: dict[str, list[int]] | None = None
        self._again = 0

    def resolve(self, index: int) -> int:
        """Return the event that the node at `index` stands for: itself, unless it is an alias."""
        events = self.document.events
        event = events[index]
        if type(event) is not AliasEvent:
            return index
        if self._anchors is None:
            self._anchors = {}
            for at, other in enumerate(events):
                if type(other) is not AliasEvent and getattr(other, "anchor", None) is not None:
                    self._anchors.setdefault(other.anchor, []).append(at)
        named = self._anchors.get(str(event.anchor), [])
        place = bisect_left(named, index)
        return named[place - 1] if place else index

    def count_again(self, start: int, end: int) -> None:
        """Count events that an alias or a merge key has read once more. Raises ManifestError."""
        self._again += end - start
        if self._again > _MOST_AGAIN:
            raise self.unsafe(start, "is repeated by aliases more often than anybody looks")

    def text(self, index: int) -> str | None:
        """Return the text of the scalar at `index`, None for null, "" and what is no scalar."""
        event = self.document.events[index]
        if type(event) is AliasEvent:
            event = self.document.events[self.resolve(index)]
        if type(event) is not ScalarEvent or _is_null(event):
            return None
        return event.value or None

    def is_null(self, index: int) -> bool:
        """Say whether the node at `index`, maybe an alias, is YAML's null."""
        event = self.document.events[self.resolve(index)]
        return type(event) is ScalarEvent and _is_null(event)

    def value(self, item: SequenceItem) -> ImageValue:
        """Return what `item` pins."""
        return meant(item.image, self.texts(item))

    def texts(self, item: SequenceItem) -> FieldTexts:
        """Return what stands in the fields of `item`."""
        fields = item.fields
        return (
            self.text(fields["newName"].value) if "newName" in fields else None,
            self.text(fields["newTag"].value) if "newTag" in fields else None,
            self.text(fields["digest"].value) if "digest" in fields else None,
        )

    def unsafe(self, index: int, problem: str, hint: str | None = None) -> ManifestError:
        """Return the refusal to work on what stands at event `index`."""
        mark = self.document.events[index].start_mark
        return ManifestError(
            problem, path=self.document.path, line=mark.line + 1, column=mark.column + 1, hint=hint
        )

    def line(self, index: int) -> int:
        """Return the line, from 1, of event `index`."""
        return int(self.document.events[index].start_mark.line) + 1


def read_entries(content: bytes, path: str) -> tuple[ImageEntry, ...]:
    """Return the entries in file order.

    Raises ManifestError for what is no YAML, no mapping, or has no list under `images:`.
    """
    lists = read_lists(parse_first(content, path))
    entries = []
    for item in lists.items:
        pair = item.fields.get("name")
        if item.image is None or pair is None:
            continue
        suffix = item.fields.get("tagSuffix")
        mark = lists.document.events[pair.value].start_mark
        entries.append(
            ImageEntry(
                item.image,
                lists.value(item),
                mark.line + 1,
                mark.column + 1,
                lists.text(suffix.value) if suffix is not None else None,
            )
        )
    return tuple(entries)


def image_values(content: bytes, path: str) -> dict[str, ImageValue]:
    """Return image name -> what it pins, in file order; the last of two entries counts.

    Raises ManifestError as `read_entries` does.
    """
    try:
        return dict(_values(content))
    except ManifestError:
        return _read_values(content, path)  # raises the same, with the path


@lru_cache(maxsize=4096)
def _values(content: bytes) -> Mapping[str, ImageValue]:
    """Read equal bytes once: a tip, its history and other environments have the same ones."""
    return _read_values(content, "")


def _read_values(content: bytes, path: str) -> dict[str, ImageValue]:
    lists = read_lists(parse_first(content, path))
    return {item.image: lists.value(item) for item in lists.items if item.image is not None}


def read_lists(document: EventText) -> Lists:
    """Find the lists and their entries. Raises ManifestError where there can be none."""
    lists, events = Lists(document), document.events
    if not events or lists.is_null(1):
        return lists
    if type(events[1]) is not MappingStartEvent:
        raise lists.unsafe(1, "is not a mapping: a kustomization has keys like `images:`")
    chosen: dict[str, tuple[str, ImageList]] = {}
    for pair, merged in _pairs(lists, 1, 0):
        key = events[pair.key]
        name = LISTS.get(key.value.lower()) if type(key) is ScalarEvent else None
        if name is not None:
            found = ImageList(name, pair, merged)
            lists.lists.append(found)
            # Go sorts the keys before it reads them: `images` comes after `Images`, and wins.
            if name not in chosen or key.value >= chosen[name][0]:
                chosen[name] = (key.value, found)
    for name in filter(chosen.get, LISTS.values()):
        _read_list(lists, chosen[name][1])
    return lists


def pairs_of(lists: Lists, mapping: int) -> list[MappingPair]:
    """Return the pairs that stand in the mapping at event `mapping`, merge keys as they are."""
    events = lists.document.events
    pairs = []
    at = mapping + 1
    while type(events[at]) is not MappingEndEvent:
        value = after(events, at)
        end = after(events, value)
        pairs.append(MappingPair(at, value, end))
        at = end
    return pairs


def items_of(lists: Lists, sequence: int) -> Iterator[int]:
    """Yield the event of each item in the sequence at event `sequence`, aliases as they are."""
    events = lists.document.events
    at = sequence + 1
    while type(events[at]) is not SequenceEndEvent:
        yield at
        at = after(events, at)


def after(events: list[YamlEvent], index: int) -> int:
    """Return the index of the event after the node at `index`."""
    if type(events[index]) not in _OPENING:
        return index + 1
    depth = 0
    while True:
        kind = type(events[index])
        index += 1
        if kind in _OPENING:
            depth += 1
        elif kind in _CLOSING:
            depth -= 1
            if not depth:
                return index


def _pairs(lists: Lists, mapping: int, depth: int) -> Iterator[tuple[MappingPair, bool]]:
    """Yield the pairs of a mapping, those of merge keys where they stand, and whether merged."""
    events = lists.document.events
    pairs = pairs_of(lists, mapping)
    if depth:
        lists.count_again(mapping, pairs[-1].end if pairs else mapping + 1)
    for pair in pairs:
        key = events[pair.key]
        if type(key) is not ScalarEvent or key.value != "<<" or key.style:
            yield pair, depth > 0
        elif depth < _DEEPEST_MERGE:
            for source in _sources(lists, pair.value):
                for merged, _ in _pairs(lists, source, depth + 1):
                    yield merged, True


def _sources(lists: Lists, index: int) -> list[int]:
    """Return the mappings that a merge key names, the one that counts most last."""
    events = lists.document.events
    found = [lists.resolve(index)]
    if type(events[found[0]]) is SequenceStartEvent:
        found = [*map(lists.resolve, items_of(lists, found[0]))][::-1]
    return [source for source in found if type(events[source]) is MappingStartEvent]


def _read_list(lists: Lists, found: ImageList) -> None:
    events = lists.document.events
    at = lists.resolve(found.pair.value)
    if lists.is_null(at):
        return
    if type(events[at]) is not SequenceStartEvent:
        raise lists.unsafe(at, f"{found.name}: is not a list", "write entries as `- name: …`")
    at += 1
    while type(events[at]) is not SequenceEndEvent:
        item = SequenceItem(at, found)
        at = item.end = read_item(lists, item)
        lists.items.append(item)
        if len(lists.items) > MOST_IMAGES:
            raise lists.unsafe(
                item.start, f"{found.name}: has more than {MOST_IMAGES} entries", _SPLIT
            )


def read_item(lists: Lists, item: SequenceItem) -> int:
    """Fill `item` from the events at its start; return the index of the event after it."""
    events = lists.document.events
    start = lists.resolve(item.start)
    if type(events[start]) is not MappingStartEvent:
        return after(events, item.start)
    at = start + 1
    fields = item.fields
    while True:
        key = events[at]
        kind = type(key)
        if kind is MappingEndEvent:
            break
        if kind is ScalarEvent:
            value = at + 1
            name = ENTRY_KEYS.get(key.value.lower())
            if name is None and key.value == "<<":
                _merge(lists, item, value)
        else:
            value, name = after(events, at), None
        end = value + 1 if type(events[value]) is ScalarEvent else after(events, value)
        if name is not None:
            pair = _tuple(MappingPair, (at, value, end))
            if name in fields:
                _take(lists, item, name, pair)
            else:
                fields[name] = pair
        at = end
    named = fields.get("name")
    if named is not None:
        item.image = lists.text(named.value)
    if start == item.start:
        return at + 1
    lists.count_again(start, at)
    return item.start + 1


def _take(lists: Lists, item: SequenceItem, name: str, pair: MappingPair) -> None:
    events, former = lists.document.events, item.fields[name]
    if name in item.merged:
        item.fields[name] = pair  # `merged` still says so: who edits must know that both are there
        return
    if events[pair.key].value >= events[former.key].value:
        item.fields[name], pair = pair, former
    item.repeated += ((name, pair),)


def _merge(lists: Lists, item: SequenceItem, index: int) -> None:
    """go-yaml v2 lets a merge key win over what stands before it; `edit` refuses that order."""
    for source in _sources(lists, index):
        for pair, _ in _pairs(lists, source, 1):
            key = lists.document.events[pair.key]
            name = ENTRY_KEYS.get(key.value.lower()) if type(key) is ScalarEvent else None
            if name is not None:
                item.fields[name] = pair
                item.merged |= {name}


def _is_null(event: ScalarEvent) -> bool:
    if event.tag is not None:
        return bool(event.tag == "tag:yaml.org,2002:null")
    return not event.style and event.value in NULLS
