"""Pages that Git is asked for each time: the audit, and release branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gitops.actions.audit.trail import AuditQuestion, AuditTrail, audit_trail
from gitops.core.report import ReleaseListReport
from gitops.errors import GitopsError
from gitops.server.api.bodies import number_of
from gitops.server.pages import audit_page
from gitops.server.pages.render import Pages
from gitops.server.pages.words import ACTIONS

if TYPE_CHECKING:
    from gitops.server.service import Service


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
        question = audit_page.read_question(request.query_params)
        trail = await self._trail(question)
        return self._pages.render(
            request,
            "audit.html",
            here="audit",
            entries=trail.entries,
            asked=question,
            query=audit_page.query_of(question),
            actions=[one for one in ACTIONS if one is not None],
            older=audit_page.older_url(question) if trail.more else None,
        )

    async def audit_json(self, request: Request) -> Response:
        """The same for programs."""
        question = audit_page.read_question(request.query_params, audit_page.MOST)
        trail = await self._trail(question)
        entries = [audit_page.audit_document(one) for one in trail.entries]
        return JSONResponse({"entries": entries, "more": trail.more})

    async def audit_api(self, request: Request) -> Response:
        """The same; what a program asks for in vain is said."""
        number_of(request, "skip", 0, least=0, most=audit_page.FARTHEST)
        return await self.audit_json(request)

    async def audit_csv(self, request: Request) -> Response:
        """The same for spreadsheets."""
        question = audit_page.read_question(request.query_params, audit_page.MOST)
        trail = await self._trail(question)
        return Response(
            audit_page.audit_csv(trail.entries),
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
