"""What kustomize would refuse, or no runtime would pull, told without a build.

The keys are those of kustomize 5.8 (api/types/kustomization.go), which matches them without case.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from gitops.core.kustomization.image import wrong_part
from gitops.core.kustomization.read import (
    ENTRY_KEYS,
    FIELDS,
    Lists,
    SequenceItem,
    items_of,
    pairs_of,
    read_lists,
)
from gitops.core.kustomization.refusals import Check, is_template
from gitops.core.text.plain import nearest_word
from gitops.core.yamltext import (
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    is_no_string,
    parse_first,
    quote,
)
from gitops.errors import ManifestError

_TEXTS = ("namePrefix", "nameSuffix", "namespace")
_LISTS = (
    *("resources", "bases", "components", "crds", "patchesStrategicMerge", "patchesJson6902"),
    *("patches", "images", "imageTags", "replacements", "replicas", "vars", "labels"),
    *("configMapGenerator", "secretGenerator", "helmCharts", "helmChartInflationGenerator"),
    *("configurations", "generators", "transformers", "validators", "buildMetadata"),
)
_OTHERS = (
    *("apiVersion", "kind", "metadata", "openapi", "commonLabels", "commonAnnotations"),
    *("sortOptions", "helmGlobals", "generatorOptions", "inventory"),
)
_KEYS = {name.lower(): name for name in (*_TEXTS, *_LISTS, *_OTHERS)}
_ONCE = frozenset(("resources", "components", "bases"))


class Fault(Struct, frozen=True):
    """What is wrong, with its place (from 1)."""

    line: int
    column: int
    message: str


def find_faults(content: bytes, path: str) -> Iterator[Fault]:
    """Yield what is wrong with a kustomization. Raises ManifestError for what cannot be read."""
    lists = read_lists(parse_first(content, path))
    events = lists.document.events
    if len(events) < 2 or type(events[1]) is not MappingStartEvent:
        return
    try:
        Check(lists).kind()
    except ManifestError as error:
        yield Fault(error.line, error.column, error.problem)
        return
    yield from _keys(lists)
    for item in lists.items:
        yield from _entry(lists, item)


def _keys(lists: Lists) -> Iterator[Fault]:
    events = lists.document.events
    seen: dict[str, int] = {}
    for pair in pairs_of(lists, 1):
        key = events[pair.key]
        if type(key) is not ScalarEvent or key.value == "<<":
            continue
        name = _KEYS.get(key.value.lower())
        if name is None:
            yield _at(lists, pair.key, f"kustomize knows no key {_shown(key.value, _KEYS)}")
            continue
        first = seen.setdefault(name, pair.key)
        if first != pair.key:
            what = f"{name} stands here again, first on line {lists.line(first)}"
            yield _at(lists, pair.key, f"{what}: kustomize takes one of them only")
        value = events[lists.resolve(pair.value)]
        if name in _LISTS and type(value) is SequenceStartEvent:
            if name in _ONCE:
                yield from _repeated(lists, lists.resolve(pair.value), name)
        elif name in _LISTS and not lists.is_null(pair.value):
            yield _at(lists, pair.value, f"{name} must be a list")
        elif name in _TEXTS:
            yield from _text(lists, pair.value, name)


def _repeated(lists: Lists, sequence: int, name: str) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for at in items_of(lists, sequence):
        text = lists.text(at)
        first = seen.setdefault(text, at) if text is not None else at
        if first != at:
            what = f"{text} stands in {name} twice, first on line {lists.line(first)}"
            yield _at(lists, at, what)


def _entry(lists: Lists, item: SequenceItem) -> Iterator[Fault]:
    events = lists.document.events
    start = lists.resolve(item.start)
    if type(events[start]) is not MappingStartEvent:
        return
    for pair in pairs_of(lists, start):
        key = events[pair.key]
        if type(key) is ScalarEvent and key.value != "<<" and key.value.lower() not in ENTRY_KEYS:
            what = f"an entry of {item.list.name} has no key {_shown(key.value, ENTRY_KEYS)}"
            yield _at(lists, pair.key, what)
    faults = [
        fault
        for name in FIELDS
        if name in item.fields
        for fault in _text(lists, item.fields[name].value, name)
    ]
    yield from faults
    if not faults:
        value = lists.value(item)
        for name, attribute in FIELDS.items():
            text = getattr(value, attribute)
            wrong = wrong_part(attribute, text) if text and not is_template(text) else None
            if wrong is not None:
                at = item.fields[name].value if name in item.fields else item.start
                yield _at(lists, at, f"{item.image} cannot be pulled: {wrong}")


def _text(lists: Lists, index: int, name: str) -> Iterator[Fault]:
    """Say what is no text to kustomize."""
    event = lists.document.events[lists.resolve(index)]
    if type(event) is not ScalarEvent:
        yield _at(lists, index, f"{name} is no text")
    elif lists.is_null(index):
        return  # as if it were not there
    elif not event.style and event.tag is None and is_no_string(event.value):
        what = f"kustomize does not take {name} {event.value} for a text"
        yield _at(lists, index, f"{what}: write {quote(event.value)}")


def _shown(word: str, known: dict[str, str]) -> str:
    near = nearest_word(word, list(known.values()))
    return f"{word!r}; did you mean {near}?" if near else repr(word)


def _at(lists: Lists, index: int, message: str) -> Fault:
    mark = lists.document.events[index].start_mark
    return Fault(mark.line + 1, mark.column + 1, message)
