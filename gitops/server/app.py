"""The application: the routes of every room, and what each request goes through before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute

from gitops.errors import GitopsError
from gitops.server.pages.render import Pages
from gitops.server.pages.routes import page_routes
from gitops.server.probes import probe_routes
from gitops.server.service import Service


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

    return Starlette(
        routes=_routes(service),
        middleware=_middleware(service),
        exception_handlers={GitopsError: Pages(service).error},
        lifespan=lifespan,
    )


def _routes(service: Service) -> list[BaseRoute]:
    """Every room has a function that returns its routes; the first that fits is taken."""
    return [*probe_routes(service), *page_routes(service)]


def _middleware(_service: Service) -> list[Middleware]:
    """What requests go through, the outermost first."""
    return [Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)]
