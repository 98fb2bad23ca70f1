"""The addresses of the pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from gitops.server.pages.render import Pages

if TYPE_CHECKING:
    from gitops.server.service import Service

STATIC = Path(__file__).parent / "static"


def page_routes(service: Service) -> list[BaseRoute]:
    """Return the routes of the pages."""
    pages = Pages(service)

    async def board(request: Request) -> Response:
        return pages.render(request, "board.html", board=service.board.current())

    return [
        Route("/", board, name="board"),
        Mount("/static", StaticFiles(directory=STATIC), name="static"),
    ]
