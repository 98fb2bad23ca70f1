"""Read the edited file again and refuse it unless just what was planned differs."""

from __future__ import annotations

from collections.abc import Mapping

from gitops.core.kustomization.image import ImageValue
from gitops.core.kustomization.read import Lists, SequenceItem, read_item, read_lists
from gitops.core.kustomization.splices import PLACE, SplicePlan, signatures
from gitops.core.yamltext import EventText, parse_first
from gitops.errors import ManifestError

_HINT = "this is a shape that gitops does not know: please report it with the file; nothing changed"


def prove(plan: SplicePlan, after: bytes) -> EventText:
    """Return the events of `after`, once it is certain that `plan`, and nothing else, was done.

    Three looks, independent of each other: the bytes outside the splices are the old ones, in
    order; the parser events (kinds, keys, tags, anchors, aliases, styles, texts, in order) are the
    old ones but for those planned; the first document ends where it did, so that what follows it
    does not count now either.

    Raises ManifestError, with the place of the first splice.
    """
    old = plan.lists.document
    try:
        new = parse_first(after, old.path)
    except ManifestError as exc:
        raise refusal(plan, f"the result cannot be read: {exc.problem}") from exc
    if new.bom != old.bom or not _is_outside_equal(plan, new.text):
        raise refusal(plan, "other bytes would change")
    if plan.expected() != signatures(new.events):
        raise refusal(plan, "other values would change")
    behind = len(old.text) - old.events[-1].start_mark.index
    if len(new.text) - new.events[-1].start_mark.index != behind:
        raise refusal(plan, "the document would end elsewhere")
    return new


def confirm(
    plan: SplicePlan,
    after: EventText,
    edited: Mapping[SequenceItem, ImageValue],
    added: Mapping[str, ImageValue],
) -> None:
    """Read the edited and the new entries in `after` as any reader would, and see what they pin.

    This does not believe the plan: it catches a value that was planned for the wrong field.
    Raises ManifestError.
    """
    new = Lists(after)
    planned = sorted(plan.events, key=PLACE)
    at = moved = 0
    for old, value in sorted(edited.items(), key=lambda pair: pair[0].start):
        while at < len(planned) and planned[at][0] < old.start:
            start, end, signed = planned[at]
            moved += len(signed) - (end - start)
            at += 1
        item = SequenceItem(old.start + moved, old.list)
        read_item(new, item)
        if item.image != old.image or new.value(item) != value:
            raise refusal(plan, f"{old.image} would not read as asked")
    if added:
        new = read_lists(after)
        values = {item.image: new.value(item) for item in new.items}
        for image, value in added.items():
            if values.get(image) != value:
                raise refusal(plan, f"{image} would not read as asked")


def _is_outside_equal(plan: SplicePlan, text: str) -> bool:
    old = plan.lists.document.text
    at = moved = 0
    for start, end, new in plan.ordered():
        if start < at or old[at:start] != text[at + moved : start + moved]:
            return False
        at, moved = end, moved + len(new) - (end - start)
    return old[at:] == text[at + moved :] and len(old) + moved == len(text)


def refusal(plan: SplicePlan, why: str) -> ManifestError:
    """Return the refusal to write what cannot be proven, with the place of the first splice."""
    old = plan.lists.document
    before = old.text[: plan.ordered()[0][0]] if plan.splices else ""
    return ManifestError(
        f"cannot be edited safely: {why}",
        path=old.path,
        line=before.count("\n") + 1,
        column=len(before) - before.rfind("\n"),
        hint=_HINT,
    )
