"""Which person of the story looks: a button for each, and a cookie that keeps it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gitops.server.demo.people import PEOPLE
from gitops.server.forms import read_form
from gitops.server.identity.person import Person
from gitops.server.identity.routes import own_path

COOKIE = "gitops-demo-person"
_KNOWN: Mapping[str, Person] = {one.id: one for one in PEOPLE}


def demo_routes() -> list[BaseRoute]:
    """Return the choice of a person."""
    return [Route("/demo/person", _choose, methods=["POST"])]


async def _choose(request: Request) -> Response:
    form = await read_form(request)
    answer = RedirectResponse(own_path(form.get("back", "/")), 303)
    if form.get("id") in _KNOWN:
        answer.set_cookie(COOKIE, form["id"].partition(":")[2], httponly=True, samesite="lax")
    return answer


class DemoPerson:
    """Middleware: whoever asks is the person that they chose, else the first one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set `request.state.person`."""
        if scope["type"] == "http":
            chosen = Request(scope).cookies.get(COOKIE, "")
            scope.setdefault("state", {})["person"] = _KNOWN.get(f"user:{chosen}", PEOPLE[0])
        await self._app(scope, receive, send)
