"""The application: the routes of every room, probes, and what each request goes through before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gitops.errors import Bug, GitopsError
from gitops.server.api.routes import api_routes, nothing_routes
from gitops.server.argocd.routes import argocd_routes
from gitops.server.demo.routes import DemoPerson, demo_routes
from gitops.server.events import event_routes
from gitops.server.failures import failed, status_of
from gitops.server.hooks.routes import hook_routes
from gitops.server.identity.middleware import KnowsWhoAsks
from gitops.server.identity.routes import identity_routes
from gitops.server.pages.act_pages import act_routes
from gitops.server.pages.render import Pages
from gitops.server.pages.routes import page_routes
from gitops.server.security.answers import SafeAnswers
from gitops.server.security.bodies import BodyBounds
from gitops.server.security.origin import OwnOrigin
from gitops.server.security.rates import CallerRates
from gitops.server.security.refusals import Refuse, WrongHost
from gitops.server.service import Service
from gitops.server.telemetry.metrics import Metrics, metric_routes
from gitops.server.telemetry.requests import TellsRequests
from gitops.server.telemetry.traces import TracesRequests

if TYPE_CHECKING:
    from gitops.server.service import Service


_PROGRAMS = ("/v1/", "/hooks/")


def create_app(service: Service) -> Starlette:
    """Return the application of `service`, which lives as long as it does."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            service.stop()
            service.close()

    pages, metrics = Pages(service), Metrics(service)
    refuse = _refuse(pages)

    def bug(request: Request, error: Exception) -> Response:
        hint = "the server's log has the details"
        return refuse(request, Bug(f"this is a bug in gitops: {type(error).__name__}", hint=hint))

    return Starlette(
        routes=[*metric_routes(metrics), *_routes(service, refuse)],
        middleware=[
            Middleware(TellsRequests, metrics=metrics),
            Middleware(TracesRequests),
            *_middleware(service, refuse),
        ],
        exception_handlers={GitopsError: refuse, 404: pages.missing, Exception: bug},
        lifespan=lifespan,
    )


def _routes(service: Service, refuse: Refuse) -> list[BaseRoute]:
    """Every room has a function that returns its routes; the first that fits is taken."""
    return [
        *probe_routes(service),
        *event_routes(service),
        *identity_routes(service.identity, refuse),
        *argocd_routes(service),
        *api_routes(service),
        *hook_routes(service),
        *(demo_routes() if service.settings.demo else ()),
        *act_routes(service),
        *page_routes(service),
        *nothing_routes(),
    ]


def _middleware(service: Service, refuse: Refuse) -> list[Middleware]:
    """What requests go through, the outermost first."""
    settings = service.settings
    return [
        Middleware(SafeAnswers, is_https=settings.url.startswith("https:")),
        Middleware(
            OwnOrigin,
            hosts=settings.hosts,
            origins=settings.origins,
            refuse=refuse,
            only_here=settings.listen.is_loopback,
        ),
        Middleware(BodyBounds, refuse=refuse),
        Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
        Middleware(KnowsWhoAsks, identity=service.identity, refuse=refuse),
        *([Middleware(DemoPerson)] if settings.demo else ()),
        Middleware(CallerRates, refuse=refuse),
    ]


def _refuse(pages: Pages) -> Refuse:
    """Return what makes an answer of an error: a document for programs, a page for people."""

    def refuse(request: Request, error: Exception) -> Response:
        if not isinstance(error, GitopsError):
            raise error
        if isinstance(error, WrongHost):  # no page: its links would lead under that name
            return PlainTextResponse(f"{error.message}: {error.hint}\n", status_of(error))
        if not request.scope["path"].startswith(_PROGRAMS):
            return pages.error(request, error)
        return failed(error)

    return refuse


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
