"""Plan new entries, written in the manner of those that are there, and a new list for them."""

from __future__ import annotations

from gitops.core.kustomization.fields import is_flow, separators
from gitops.core.kustomization.image import ImageValue
from gitops.core.kustomization.read import FIELDS, ImageList, Lists, MappingPair, items_of, pairs_of
from gitops.core.kustomization.splices import (
    MAPPING_END,
    SEQUENCE_END,
    Signature,
    SplicePlan,
    break_at,
    line_end,
    line_start,
    mapping,
    node_end,
    scalar,
    sequence,
    written,
)
from gitops.core.yamltext import MappingStartEvent, ScalarEvent, SequenceStartEvent
from gitops.errors import ManifestError

Fields = list[tuple[str, str]]  # name first


def fields_of(image: str, value: ImageValue) -> Fields:
    """Return the fields of a new entry, in the order in which they are written."""
    pairs = [("name", image)]
    for field, attribute in FIELDS.items():
        text = getattr(value, attribute)
        if text is not None:
            pairs.append((field, text))
    return pairs


def add(plan: SplicePlan, entries: list[Fields]) -> None:
    """Put `entries` at the end of the list, which is made where there is none."""
    lists = plan.lists
    if not lists.lists:
        _new_list(plan, entries)
        return
    found = next((one for one in lists.lists if one.name == "images"), lists.lists[0])
    event = lists.document.events[found.pair.value]
    if type(event) is ScalarEvent:
        _fill_null(plan, found, entries)
    elif event.flow_style:
        _append_flow(plan, found, entries)
    else:
        _append_block(plan, found, entries)


def _append_block(plan: SplicePlan, found: ImageList, entries: list[Fields]) -> None:
    lists = plan.lists
    source, events = lists.document.text, lists.document.events
    start, stop = found.pair.value, found.pair.end - 1
    item = _last_item(lists, start)
    end = line_end(source, node_end(lists, stop - 1))
    column = events[start].start_mark.column
    if source[line_start(source, events[start].start_mark.index) :][:column].strip():
        raise lists.unsafe(start, "the list shares its line with something else", "break the line")
    gap = events[item].start_mark.column - column - 1
    gap = gap if gap > 0 and events[item].start_mark.line == _dash_line(lists, item) else 1
    head = break_at(source, end) + " " * column + "-" + " " * gap
    pad = " " * (column + 1 + gap)
    style, quotes = _manner(lists, item)
    flow = is_flow(lists, item)
    new = ""
    planned: list[Signature] = []
    for fields in entries:
        if flow:
            text, signed = _flow_entry(fields, style, quotes, *_spacing(lists, item))
        else:
            text, signed = _block_entry(fields, style, quotes, break_at(source, end) + pad)
        new += head + text
        planned += signed
    plan.splices.append((end, end, new))
    plan.events.append((stop, stop, planned))


def _append_flow(plan: SplicePlan, found: ImageList, entries: list[Fields]) -> None:
    lists = plan.lists
    source, events = lists.document.text, lists.document.events
    start, stop = found.pair.value, found.pair.end - 1
    new = ""
    planned: list[Signature] = []
    if stop == start + 1:
        end = events[stop].start_mark.index
        quotes = _quotes(lists, found.pair)
        for number, fields in enumerate(entries):
            text, signed = _flow_entry(fields, _json(quotes), quotes)
            new += (", " if number else "") + text
            planned += signed
        if "#" in source[events[start].end_mark.index : end]:
            raise lists.unsafe(start, "a comment stands inside the empty list", "remove it")
    else:
        item = _last_item(lists, start)
        end = node_end(lists, stop - 1)
        after_item = source[end : line_end(source, end)].lstrip(" \t,")
        if after_item.startswith("#"):
            raise lists.unsafe(item, "a comment stands beside the last entry", "move it above")
        begin = events[item].start_mark.index
        first = line_start(source, begin)
        indent = source[first:begin]
        comma = ", " if " " in _spacing(lists, item)[1] else ","
        if not indent.strip(" \t") and events[start].start_mark.index < first:
            comma = f",{break_at(source, line_end(source, begin))}{indent}"
        style, quotes = _manner(lists, item)
        for fields in entries:
            text, signed = _flow_entry(fields, style, quotes, *_spacing(lists, item))
            new += comma + text
            planned += signed
    plan.splices.append((end, end, new))
    plan.events.append((stop, stop, planned))


def _fill_null(plan: SplicePlan, found: ImageList, entries: list[Fields]) -> None:
    lists = plan.lists
    source, events = lists.document.text, lists.document.events
    event = events[found.pair.value]
    if event.anchor is not None or event.tag is not None or event.value or event.style:
        raise lists.unsafe(found.pair.value, f"{found.name}: is null", f"write `{found.name}: []`")
    if is_flow(lists, 1):
        raise lists.unsafe(found.pair.value, f"{found.name}: is empty", f"write `{found.name}: []`")
    end = line_end(source, event.end_mark.index)
    newline = break_at(source, end)
    new, planned = _block_list(lists, entries, newline)
    plan.splices.append((end, end, new))
    plan.events.append((found.pair.value, found.pair.end, planned))


def _new_list(plan: SplicePlan, entries: list[Fields]) -> None:
    lists = plan.lists
    source, events = lists.document.text, lists.document.events
    pairs = pairs_of(lists, 1) if events and type(events[1]) is MappingStartEvent else []
    if not pairs:
        raise ManifestError(
            "is empty", path=lists.document.path, hint="give it `resources:` first: the base"
        )
    stop = len(events) - 2
    if is_flow(lists, 1):
        end = node_end(lists, stop - 1)
        if source[end : line_end(source, end)].lstrip(" \t,").startswith("#"):
            raise lists.unsafe(pairs[-1].key, "a comment stands beside the last key", "move it up")
        comma, colon = separators(lists, 1, pairs[-1])
        quotes = _quotes(lists, pairs[-1])
        items = [_flow_entry(fields, _json(quotes), quotes) for fields in entries]
        key = f"{quotes}images{quotes}"
        new = f"{comma}{key}{colon}[{', '.join(text for text, _ in items)}]"
        planned = [sequence(True), *(one for _, signed in items for one in signed), SEQUENCE_END]
    else:
        first = events[pairs[0].key].start_mark
        newline = break_at(source, line_end(source, first.index))
        key = "images"
        body, planned = _block_list(lists, entries, newline)
        new = " " * first.column + "images:" + body
        end = events[-1].start_mark.index
        if line_start(source, end) == end:
            new += newline
        else:  # the file ends without a break, and so it shall
            new = newline + new
    plan.splices.append((end, end, new))
    plan.events.append((stop, stop, [scalar(key, "images"), *planned]))


def _block_list(lists: Lists, entries: list[Fields], newline: str) -> tuple[str, list[Signature]]:
    """A new list below its key, indented as other lists of the file are, else not at all."""
    events = lists.document.events
    root = events[1].start_mark.column
    indent = 0
    for pair in pairs_of(lists, 1):
        mark = events[pair.value].start_mark
        if type(events[pair.value]) is SequenceStartEvent and not events[pair.value].flow_style:
            indent = max(mark.column - root, 0)
            break
    lead = newline + " " * (root + indent)
    new = ""
    planned = [sequence(False)]
    for fields in entries:
        text, signed = _block_entry(fields, None, "", lead + "  ")
        new += f"{lead}- {text}"
        planned += signed
    return new, [*planned, SEQUENCE_END]


def _block_entry(
    fields: Fields, style: str | None, quotes: str, newline: str
) -> tuple[str, list[Signature]]:
    shown = [(f"{quotes}{field}{quotes}", written(text, style)) for field, text in fields]
    return newline.join(f"{key}: {value}" for key, value in shown), _signed(fields, shown, False)


def _flow_entry(
    fields: Fields,
    style: str | None,
    quotes: str,
    brace: str = "",
    colon: str = ": ",
) -> tuple[str, list[Signature]]:
    shown = [(f"{quotes}{field}{quotes}", written(text, style)) for field, text in fields]
    comma = ", " if colon != ":" else ","
    body = comma.join(f"{key}{colon}{value}" for key, value in shown)
    return f"{{{brace}{body}{brace}}}", _signed(fields, shown, True)


def _signed(fields: Fields, shown: list[tuple[str, str]], flow: bool) -> list[Signature]:
    planned = [mapping(flow)]
    for (field, text), (key, value) in zip(fields, shown, strict=True):
        planned += (scalar(key, field), scalar(value, text))
    return [*planned, MAPPING_END]


def _last_item(lists: Lists, sequence_start: int) -> int:
    return [sequence_start + 1, *items_of(lists, sequence_start)][-1]


def _dash_line(lists: Lists, item: int) -> int:
    """The line of the dash before an entry, from 0; it may stand on a line of its own."""
    source = lists.document.text
    mark = lists.document.events[item].start_mark
    before = source[line_start(source, mark.index) : mark.index]
    return int(mark.line) if before.lstrip().startswith("-") else -1


def _manner(lists: Lists, item: int) -> tuple[str | None, str]:
    """The quotes of values and of keys that all of an entry has."""
    events = lists.document.events
    if type(events[item]) is not MappingStartEvent:
        return None, ""
    pairs = pairs_of(lists, item)
    values = {getattr(events[pair.value], "style", None) or None for pair in pairs}
    quotes = _quotes(lists, pairs[0]) if pairs else ""
    style = values.pop() if len(values) == 1 else None
    if style not in ("'", '"'):
        style = None
    return (_json(quotes) if is_flow(lists, item) else None) or style, quotes


def _spacing(lists: Lists, item: int) -> tuple[str, str]:
    """What an entry in braces has behind its brace, and between key and value."""
    if not is_flow(lists, item):
        return "", ": "
    pairs = pairs_of(lists, item)
    if not pairs:
        return "", ": "
    source, events = lists.document.text, lists.document.events
    inside = source[events[item].start_mark.index : events[pairs[0].key].start_mark.index]
    return " " if inside.endswith("{ ") else "", separators(lists, item, pairs[0])[1]


def _quotes(lists: Lists, pair: MappingPair) -> str:
    style = getattr(lists.document.events[pair.key], "style", None)
    return style if style in ("'", '"') else ""


def _json(quotes: str) -> str | None:
    return '"' if quotes == '"' else None
