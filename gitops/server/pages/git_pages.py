"""Pages that Git is asked for each time: the audit, and release branches."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gitops.actions.audit.trail import AuditQuestion, AuditTrail, audit_trail
from gitops.core.audit.trail import TrailEntry
from gitops.core.report import ReleaseListReport
from gitops.core.text.plain import no_formula, timestamp
from gitops.errors import GitopsError
from gitops.server.api.bodies import number_of
from gitops.server.pages.render import Pages
from gitops.server.pages.words import ACTIONS

if TYPE_CHECKING:
    from gitops.server.service import Service


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
    return no_formula(text)


def git_page_routes(service: Service) -> list[BaseRoute]:
    """Return `/audit` in its three forms, one of which is `/v1/audit`, too, and `/releases`."""
    pages = _GitPages(service)
    return [
        Route("/audit", pages.audit, methods=["GET"]),
        Route("/audit.json", pages.audit_json, methods=["GET"]),
        Route("/v1/audit", pages.audit_api, methods=["GET"]),
        Route("/audit.csv", pages.audit_csv, methods=["GET"]),
        Route("/releases", pages.releases, methods=["GET"]),
    ]


class _GitPages:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._pages = Pages(service)

    async def audit(self, request: Request) -> Response:
        """Who did what, when and why."""
        question = read_question(request.query_params)
        trail = await self._trail(question)
        return self._pages.render(
            request,
            "audit.html",
            here="audit",
            entries=trail.entries,
            asked=question,
            query=query_of(question),
            actions=[one for one in ACTIONS if one is not None],
            older=older_url(question) if trail.more else None,
        )

    async def audit_json(self, request: Request) -> Response:
        """The same for programs."""
        question = read_question(request.query_params, MOST)
        trail = await self._trail(question)
        entries = [audit_document(one) for one in trail.entries]
        return JSONResponse({"entries": entries, "more": trail.more})

    async def audit_api(self, request: Request) -> Response:
        """The same; what a program asks for in vain is said."""
        number_of(request, "skip", 0, least=0, most=FARTHEST)
        return await self.audit_json(request)

    async def audit_csv(self, request: Request) -> Response:
        """The same for spreadsheets."""
        question = read_question(request.query_params, MOST)
        trail = await self._trail(question)
        return Response(
            audit_csv(trail.entries),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="gitops-audit.csv"'},
        )

    async def releases(self, request: Request) -> Response:
        """Release branches, and what of them runs where."""
        from gitops.actions.release import list_releases

        report: ReleaseListReport | None = None
        trouble: GitopsError | None = None
        try:
            report = await self._service.read(list_releases)
        except GitopsError as error:
            trouble = error
        return self._pages.render(
            request, "releases.html", here="releases", report=report, trouble=trouble
        )

    async def _trail(self, question: AuditQuestion) -> AuditTrail:
        return await self._service.read(lambda session: audit_trail(session, question))
