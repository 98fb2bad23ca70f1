"""What a load balancer asks: is it alive, may it be sent people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from gitops.server.service import Service


def probe_routes(service: Service) -> list[BaseRoute]:
    """Return `/healthz` and `/readyz`."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        if service.hub.closed:
            return PlainTextResponse("stopping\n", 503)
        if service.board.current() is None:
            return PlainTextResponse(f"Git is not read yet: {service.board.trouble or ''}\n", 503)
        return PlainTextResponse("ok\n")

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
