"""Alerts as JSON."""

from __future__ import annotations

from gitops.actions.alerts import JudgedAlert
from gitops.documents.parts import place_document
from gitops.documents.reports import JsonDocument, time_text


def alert_document(one: JudgedAlert) -> JsonDocument:
    """An alert, and what is done about it."""
    return {
        "name": one.alert.name,
        "fingerprint": one.alert.fingerprint,
        "firing": one.alert.firing,
        "starts_at": time_text(one.alert.starts_at),
        "summary": one.alert.summary or None,
        **place_document(one.label),
        "release": one.release.commit if one.release is not None else None,
        "decision": one.action,
        "reason": one.why or None,
    }
