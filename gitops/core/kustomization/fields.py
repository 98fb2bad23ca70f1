"""Plan changes of single fields of an entry: a value replaced, a line put in or taken out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gitops.core.kustomization.read import FIELDS, Lists, MappingPair, SequenceItem, pairs_of
from gitops.core.kustomization.splices import (
    SplicePlan,
    after_break,
    before_break,
    break_at,
    line_end,
    line_start,
    node_end,
    scalar,
    scalar_span,
    written,
)
from gitops.core.yamltext import MappingStartEvent, ScalarEvent, needs_quotes

_COMMENT_BESIDE = r"[ \t]*,?[ \t]*#"  # compiled when it is used first: few edits need it
_PLAIN_URL = re.compile(r"[A-Za-z0-9_/](?:[A-Za-z0-9._/@:+=?&%~-]*[A-Za-z0-9._/@+=&%~-])?")
_HAND = "write it by hand this once, or put the entry on one line"


def replace(plan: SplicePlan, item: SequenceItem, name: str, text: str) -> None:
    """Write `text` over the value of field `name`, in the quotes that stand there."""
    pair = item.fields[name]
    replace_scalar(plan, pair.value, text, json=is_json(plan.lists, item.start, pair))


def replace_scalar(plan: SplicePlan, index: int, text: str, *, json: bool = False) -> None:
    """Write `text` over the scalar at event `index`, in the quotes that stand there."""
    lists = plan.lists
    source = lists.document.text
    event = lists.document.events[index]
    start, end = scalar_span(lists, index)
    style = event.style if event.style in ("'", '"') else None
    if style is None and (json or source.lstrip()[:1] == "{"):
        style = '"'
    if style is None and not event.style and _PLAIN_URL.fullmatch(text) and not needs_quotes(text):
        new = text  # an address that stands there plain stays so
    else:
        new = written(text, style)
    gap = ""
    if start == end and source[start - 1 : start] not in (" ", "\t"):
        gap = " "
    plan.splices.append((start, end, gap + new))
    form = None if new[0] not in ("'", '"') else new[0]
    signature = (text, form, event.anchor, event.tag)
    plan.events.append((index, index + 1, [signature]))


def insert(plan: SplicePlan, item: SequenceItem, fields: Sequence[tuple[str, str]]) -> None:
    """Put new fields behind the name of an entry, in the manner of the entry."""
    lists = plan.lists
    source = lists.document.text
    name = item.fields.get("name")
    if name is None or "name" in item.merged:
        raise lists.unsafe(item.start, f"{item.image} has its name from elsewhere", _HAND)
    _refuse_explicit(plan, name)
    key = lists.document.events[name.key]
    style = _style_of(lists, item)
    quotes = key.style if key.style in ("'", '"') else ""
    if is_json(lists, item.start, name):
        style = '"'
    pairs = [(f"{quotes}{field}{quotes}", written(text, style)) for field, text in fields]
    end = node_end(lists, name.end - 1)
    if is_flow(lists, item.start):
        if re.compile(_COMMENT_BESIDE).match(source, end):
            raise lists.unsafe(name.key, f"a comment stands beside the name {item.image}", _HAND)
        comma, colon = separators(lists, item.start, name)
        new = "".join(f"{comma}{field}{colon}{value}" for field, value in pairs)
    else:
        end = line_end(source, end)
        newline = break_at(source, end) + " " * key.start_mark.column
        new = "".join(f"{newline}{field}: {value}" for field, value in pairs)
    plan.splices.append((end, end, new))
    planned = [
        signature
        for (field, text), (shown, value) in zip(fields, pairs, strict=True)
        for signature in (scalar(shown, field), scalar(value, text))
    ]
    plan.events.append((name.end, name.end, planned))


def remove(plan: SplicePlan, item: SequenceItem, names: Sequence[str]) -> None:
    """Take fields out, each with its line, or in flow style with one comma."""
    lists = plan.lists
    gone = {item.fields[name] for name in names}
    for pair in gone:
        _refuse_explicit(plan, pair)
        plan.events.append((pair.key, pair.end, []))
    pairs = pairs_of(lists, item.start)
    if is_flow(lists, item.start):
        _remove_flow(plan, pairs, gone, item)
    else:
        _remove_block(plan, pairs, gone, item)


def is_flow(lists: Lists, mapping: int) -> bool:
    """Say whether the mapping at event `mapping` stands in braces."""
    event = lists.document.events[mapping]
    return type(event) is MappingStartEvent and bool(event.flow_style)


def is_json(lists: Lists, mapping: int, pair: MappingPair) -> bool:
    """Say whether values must be in double quotes, since the keys are, as in JSON."""
    return lists.document.events[pair.key].style == '"' and is_flow(lists, mapping)


def separators(lists: Lists, mapping: int, pair: MappingPair) -> tuple[str, str]:
    """Return what stands between two pairs, and between key and value, in a mapping in braces.

    Read off `pair` (one of that mapping) and what stands around it.
    """
    source = lists.document.text
    key = lists.document.events[pair.key]
    key_start, key_end = key.start_mark.index, key.end_mark.index
    colon = source[key_end : lists.document.events[pair.value].start_mark.index]
    if colon.strip(" ") != ":" or (colon[-1] == ":" and key.style != '"'):
        colon = ": "
    start = line_start(source, key_start)
    indent = source[start:key_start]
    if not indent.strip(" \t") and lists.document.events[mapping].start_mark.index < start:
        return f",{break_at(source, before_break(source, start))}{indent}", colon
    return "," if colon == ":" else ", ", colon


def _style_of(lists: Lists, item: SequenceItem) -> str | None:
    """The quotes that all values of the entry stand in, which new ones copy."""
    styles = set()
    for name in FIELDS:
        pair = item.fields.get(name)
        if pair is not None and name not in item.merged:
            event = lists.document.events[pair.value]
            styles.add(event.style if type(event) is ScalarEvent else None)
    style = styles.pop() if len(styles) == 1 else None
    return style if style in ("'", '"') else None


def _refuse_explicit(plan: SplicePlan, pair: MappingPair) -> None:
    lists = plan.lists
    source = lists.document.text
    start = lists.document.events[pair.key].start_mark.index
    if source[line_start(source, start) : start].rstrip().endswith("?"):
        raise lists.unsafe(pair.key, "the key stands behind a `?`", "write it as `key: value`")


def _remove_block(
    plan: SplicePlan, pairs: list[MappingPair], gone: set[MappingPair], item: SequenceItem
) -> None:
    lists = plan.lists
    source = lists.document.text
    ranges: list[tuple[int, int]] = []
    moving_up = False  # the key behind the dash goes, so what comes next takes its place
    for pair in pairs:
        if pair not in gone:
            moving_up = False
            continue
        start = lists.document.events[pair.key].start_mark.index
        end = line_end(source, _value_end(plan, pair))
        _warn_of_comments(plan, pair, end, item)
        if pair is pairs[0] and source[line_start(source, start) : start].strip():
            moving_up = True
        if moving_up:
            end = after_break(source, end)
            while end < len(source) and source[end] in " \t\r\n":
                end += 1
            following = lists.document.events[pair.end].start_mark.index
            ranges.append((start, end))
            moving_up = end == following
            continue
        ranges.append((line_start(source, start), after_break(source, end)))
    for start, end in _merged(ranges):
        if end == len(source) and source[end - 1 : end] not in ("\n", "\r", "\x85"):
            # The last line of a file that ends without a break: the break before goes instead.
            start = before_break(source, start)
        plan.splices.append((start, end, ""))


def _remove_flow(
    plan: SplicePlan, pairs: list[MappingPair], gone: set[MappingPair], item: SequenceItem
) -> None:
    lists = plan.lists
    source, events = lists.document.text, lists.document.events
    named = pairs.index(item.fields["name"])
    for index, pair in enumerate(pairs):
        if pair not in gone:
            continue
        key, end = events[pair.key], _value_end(plan, pair)
        if index < named:
            start, stop = key.start_mark.index, events[pair.end].start_mark.index
            around = source[end:stop]
        else:
            start, stop = node_end(lists, pair.key - 1), end
            around = source[start : key.start_mark.index]
        between = source[key.end_mark.index : events[pair.value].start_mark.index]
        if "#" in around or "#" in between or re.compile(_COMMENT_BESIDE).match(source, end):
            raise lists.unsafe(pair.key, "a comment stands beside what is to go", _HAND)
        plan.splices.append((start, stop, ""))


def _value_end(plan: SplicePlan, pair: MappingPair) -> int:
    return scalar_span(plan.lists, pair.value)[1]


def _warn_of_comments(plan: SplicePlan, pair: MappingPair, end: int, item: SequenceItem) -> None:
    lists = plan.lists
    source, events = lists.document.text, lists.document.events
    between = source[events[pair.key].end_mark.index : events[pair.value].start_mark.index]
    for text in (between, source[_value_end(plan, pair) : end]):
        found = text.find("#")
        if found >= 0:
            comment = " ".join(text[found:].split())
            plan.warnings.append(
                f"{lists.document.path}:{lists.line(pair.key)}: the comment goes with "
                f"{events[pair.key].value} of {item.image}: {comment}"
            )


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged
