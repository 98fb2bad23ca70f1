"""The audit as a page, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace

from gitops.actions.audit.trail import AuditQuestion
from gitops.core.audit.trail import TrailEntry
from gitops.core.text.plain import timestamp

PAGE = 100
MOST = 5_000
"""Entries of one file."""

FARTHEST = 99_999  # entries that one may skip

_LONGEST = 200
_COLUMNS = (
    *("time", "author", "email", "action", "environments", "summary", "reason", "overrides"),
    *("via", "actor", "branch", "commit", "id"),
)


def read_question(given: Mapping[str, str], limit: int = PAGE) -> AuditQuestion:
    """Read the query of an address; what makes no sense is left out."""
    skip = given.get("skip", "0")
    return AuditQuestion(
        who=given.get("who", "").strip()[:_LONGEST],
        environment=given.get("environment", "").strip()[:_LONGEST],
        action=given.get("action", "").strip()[:_LONGEST],
        skip=int(skip) if skip.isascii() and skip.isdecimal() and len(skip) <= 5 else 0,
        limit=limit,
    )


def query_of(question: AuditQuestion) -> str:
    """Return the query of an address that asks for the same, with its `?`; "" for everything."""
    given = {
        "who": question.who,
        "environment": question.environment,
        "action": question.action,
        "skip": str(question.skip) if question.skip else "",
    }
    told = {key: one for key, one in given.items() if one}
    return f"?{urlencode(told)}" if told else ""


def older_url(question: AuditQuestion) -> str:
    """Return the address of the next page."""
    return f"/audit{query_of(replace(question, skip=question.skip + question.limit))}"


def audit_document(entry: TrailEntry) -> dict[str, Any]:
    """Return one entry as JSON has it."""
    return {
        "time": timestamp(entry.time) if entry.time is not None else None,
        "author": entry.author.name,
        "email": entry.author.email,
        "action": entry.action,
        "environments": list(entry.labels),
        "summary": entry.summary,
        "reason": entry.reason,
        "overrides": list(entry.overrides),
        "via": entry.via,
        "actor": entry.actor,
        "branch": entry.branch,
        "commit": entry.commit,
        "id": entry.intent,
    }


def audit_csv(entries: Iterable[TrailEntry]) -> str:
    """Return a table for spreadsheets; no cell of it is taken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for entry in entries:
        told = audit_document(entry)
        writer.writerow(_cell(told[name]) for name in _COLUMNS)
    return text.getvalue()


def _cell(value: Any) -> str:
    text = "; ".join(value) if isinstance(value, list) else str(value if value is not None else "")
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
