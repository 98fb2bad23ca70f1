"""A report, read of the document of a write: for whoever sent the verb to a server.

What a server answers is foreign: what does not fit is left out, and nothing of it is trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gitops.core.environments.environment import Environment, Overlay
from gitops.core.kustomization.image import ImageChange, ImageValue
from gitops.core.report import (
    AuditEntry,
    Committed,
    FileDiff,
    Outcome,
    OverlayChange,
    Proposal,
    Skipped,
    WriteReport,
)
from gitops.core.unstructured import tables, texts
from gitops.errors import Unavailable

_OUTCOMES = ("committed", "proposed", "edited", "closed", "unchanged", "planned")
Document = Mapping[str, Any]


def read_report(document: Document) -> WriteReport:
    """Return what the document tells. Raises Unavailable for one that is of no write."""
    outcome, action = document.get("outcome"), document.get("action")
    if outcome not in _OUTCOMES or not isinstance(action, str):
        raise Unavailable("what answers is no gitops server of this version")
    return WriteReport(
        action=action,
        outcome=cast(Outcome, outcome),
        branch=_text(document, "branch") or "",
        repository=_text(document, "repository") or "",
        commit=_text(document, "commit"),
        attempts=attempts if isinstance(attempts := document.get("attempts"), int) else 0,
        commits=tuple(
            Committed(_text(one, "branch") or "", _text(one, "commit") or "")
            for one in tables(document, "commits")
        ),
        changes=tuple(map(_change, tables(document, "changes"))),
        skipped=tuple(
            Skipped(place, _text(one, "reason") or "")
            for one in tables(document, "skipped")
            if (place := _place(one)) is not None
        ),
        proposals=tuple(
            _proposal(one, place)
            for one in tables(document, "proposals")
            if (place := _place(one)) is not None
        ),
        warnings=texts(document, "warnings"),
        notes=texts(document, "notes"),
        hint=_text(document, "hint"),
        diffs=tuple(
            FileDiff(_text(one, "path") or "", _bytes(one, "before"), _bytes(one, "after"))
            for one in tables(document, "diffs")
        ),
        audit=tuple(map(_audit, tables(document, "audit"))),
    )


def _change(row: Document) -> OverlayChange:
    change = ImageChange(_text(row, "image") or "", _value(row, "before"), _value(row, "after"))
    return OverlayChange(_place(row), _text(row, "path") or "", change, _text(row, "branch"))


def _proposal(row: Document, place: Overlay) -> Proposal:
    number = row.get("number")
    return Proposal(
        place,
        _text(row, "branch") or "",
        _text(row, "commit"),
        state=_text(row, "state") or "open",
        number=number if isinstance(number, int) else None,
        url=_text(row, "url"),
        base=_text(row, "base"),
        waits_for=texts(row, "waits_for"),
        overlays=texts(row, "overlays"),
    )


def _audit(row: Document) -> AuditEntry:
    kind = row.get("kind")
    return AuditEntry(
        kind if kind in ("override", "claim", "bypass") else "claim",
        _text(row, "environment"),
        _text(row, "by") or "",
        _text(row, "reason"),
        _text(row, "passed"),
    )


def _place(row: Document) -> Overlay | None:
    name = _text(row, "environment")
    return Overlay(Environment(name, ""), _text(row, "app")) if name is not None else None


def _value(row: Document, key: str) -> ImageValue:
    value = row.get(key)
    if not isinstance(value, dict):
        return ImageValue()
    return ImageValue(_text(value, "name"), _text(value, "tag"), _text(value, "digest"))


def _text(document: Document, key: str) -> str | None:
    found = document.get(key)
    return found if isinstance(found, str) else None


def _bytes(document: Document, key: str) -> bytes | None:
    text = _text(document, key)
    return text.encode() if text is not None else None
