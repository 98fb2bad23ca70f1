"""Read the edited file again and refuse it unless just what was planned differs."""

from __future__ import annotations

from gitops.core.kustomization.plan import Plan, signatures
from gitops.core.yamltext import EventText, parse_first
from gitops.errors import ManifestError

_HINT = "this is a shape that gitops does not know: please report it with the file; nothing changed"


def prove(plan: Plan, after: bytes) -> EventText:
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
        raise _refusal(plan, f"the result cannot be read: {exc.problem}") from exc
    if new.bom != old.bom or not _is_outside_equal(plan, new.text):
        raise _refusal(plan, "other bytes would change")
    if plan.expected() != signatures(new.events):
        raise _refusal(plan, "other values would change")
    behind = len(old.text) - old.events[-1].start_mark.index
    if len(new.text) - new.events[-1].start_mark.index != behind:
        raise _refusal(plan, "the document would end elsewhere")
    return new


def _is_outside_equal(plan: Plan, text: str) -> bool:
    old = plan.lists.document.text
    at = moved = 0
    for start, end, new in plan.ordered():
        if start < at or old[at:start] != text[at + moved : start + moved]:
            return False
        at, moved = end, moved + len(new) - (end - start)
    return old[at:] == text[at + moved :] and len(old) + moved == len(text)


def _refusal(plan: Plan, why: str) -> ManifestError:
    old = plan.lists.document
    before = old.text[: plan.ordered()[0][0]] if plan.splices else ""
    return ManifestError(
        f"cannot be edited safely: {why}",
        path=old.path,
        line=before.count("\n") + 1,
        column=len(before) - before.rfind("\n"),
        hint=_HINT,
    )
