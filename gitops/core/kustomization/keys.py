"""Find values in the events of a file by their keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitops.core.environments.follower import Step
from gitops.core.kustomization.read import Lists, items_of, pairs_of
from gitops.core.yamltext import MappingStartEvent, ScalarEvent, SequenceStartEvent

_ROOT = 1  # behind the start of the document


def find_scalars(lists: Lists, steps: Sequence[Step]) -> list[tuple[int, tuple[int, ...]]]:
    """Return the events of the texts that a key leads to, each with the nodes on the way there.

    An event may be an alias of a text. What is no text is passed over.
    """
    if len(lists.document.events) <= _ROOT:
        return []
    found: list[tuple[int, tuple[int, ...]]] = [(_ROOT, ())]
    for step in steps:
        found = [(child, (*way, at)) for at, way in found for child in _children(lists, at, step)]
    events = lists.document.events
    return [(at, way) for at, way in found if type(events[lists.resolve(at)]) is ScalarEvent]


def _children(lists: Lists, at: int, step: Step) -> Iterator[int]:
    at = lists.resolve(at)
    start = lists.document.events[at]
    if step.name is not None:
        if type(start) is MappingStartEvent:
            value = _value(lists, at, step.name)
            if value is not None:
                yield value
    elif type(start) is SequenceStartEvent:
        for number, item in enumerate(items_of(lists, at)):
            if step.every or step.number == number or _has(lists, item, step.where):
                yield item


def _value(lists: Lists, mapping: int, name: str) -> int | None:
    events = lists.document.events
    found = None
    for pair in pairs_of(lists, mapping):
        key = events[pair.key]
        if type(key) is ScalarEvent and key.value == name:
            found = pair.value  # of two the last one counts
    return found


def _has(lists: Lists, item: int, where: tuple[str, str] | None) -> bool:
    item = lists.resolve(item)
    if where is None or type(lists.document.events[item]) is not MappingStartEvent:
        return False
    value = _value(lists, item, where[0])
    return value is not None and lists.text(value) == where[1]
