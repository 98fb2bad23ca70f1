"""`/v1/application`: what the extension shows before anybody presses anything.

Argo CD's server hands requests on after its own sign-in (`identity/headers.py`). What is done then
goes through `/v1` like any other call, with the rights of the extension that it came by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gitops.core.environments.environment import label_of
from gitops.core.text.page_links import overlay_path
from gitops.core.text.plain import timestamp
from gitops.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from gitops.server.board.board import BoardCell
    from gitops.server.identity.person import Person
    from gitops.server.service import Service

_ACTS = ("rollback", "undo", "hold", "resume")


def argocd_routes(service: Service) -> list[BaseRoute]:
    """Return the routes."""

    async def application(request: Request) -> Response:
        person: Person | None = request.state.person
        if person is None or person.application is None:
            raise NotFound(
                "no Application is named", hint="this is asked through Argo CD's proxy extension"
            )
        environment, app = person.application
        board = service.board.current()
        cell = board.cell(environment, app) if board is not None else None
        if cell is None:
            raise Unavailable("Git has not been read yet", hint="try again in a moment")
        told = {**_place(service, environment, app), **_state(cell)}
        rights = {act: service.may(person, act, environment, app) for act in _ACTS}
        told["may"] = {act: {"allowed": one.allowed, "why": one.why} for act, one in rights.items()}
        return Response(msgspec.json.encode(told), media_type="application/json")

    return [Route("/v1/application", application, methods=["GET"])]


def _place(service: Service, environment: str, app: str | None) -> dict[str, Any]:
    return {
        "environment": environment,
        "app": app,
        "word": label_of(environment, app),
        "url": f"{service.settings.url}{overlay_path(environment, app)}",
    }


def _state(cell: BoardCell) -> dict[str, Any]:
    """Return what runs there: `release` is what a rollback would take back."""
    hold, release = cell.hold, cell.release
    return {
        "release": release.commit if release is not None else None,
        "since": timestamp(release.time) if release is not None and release.time else None,
        "by": release.author.name if release is not None else None,
        "hold": {"by": hold.by, "reason": hold.reason} if hold is not None else None,
    }
