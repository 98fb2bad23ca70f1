"""A server that knows people and has nothing else: it tells whoever asks who they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from gitops.config.shapes import Value
from gitops.core.environments.environment import Config, Environment
from gitops.core.environments.rows import AccessRow, JobRow
from gitops.errors import GitopsError
from gitops.server.failures import status_of
from gitops.server.identity.identity import IdentityDoor
from gitops.server.identity.middleware import KnowsWhoAsks
from gitops.server.identity.person import Person
from gitops.server.identity.routes import identity_routes
from gitops.server.identity.settings import read_identity
from gitops.server.security.bodies import BodyBounds
from gitops.server.security.origin import OwnOrigin
from gitops.server.security.rates import CallerRates, Rates
from gitops.server.settings import parse_settings

URL = "https://gitops.example.com"
PROD = Environment("prod", "apps/{app}/prod", change="pull-request")
ROW = AccessRow(("rollback", "approve"), ("prod",), ("group:shop:oncall", "group:Shop"))
JOB = JobRow("shop-ci", "works", (("ref", "refs/heads/main"), ("repository_id", "74")))
T = TypeVar("T")


class Clock:
    """Unix time that a test moves."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class World:
    """The server, and what is around it.

    Attributes:
        config: what gitops.yaml says now; None: it was not read.
        overlays: (environment, app) of those that there are.
        clock: what cookies are judged by.
    """

    def __init__(
        self,
        settings: str = "",
        *,
        rows: Sequence[AccessRow] = (ROW,),
        is_loopback: bool = True,
        read_only: bool = False,
        now: float = 1_800_000_000.0,
    ) -> None:
        self.config: Config | None = Config(
            None, (PROD,), access=tuple(rows), jobs=(JOB, JobRow("old", "static"))
        )
        self.overlays = {("prod", "shop")}
        self.clock = Clock(now)
        self.identity = IdentityDoor(
            read_identity(settings_of(settings), URL, _no_trouble),
            self,
            url=URL,
            is_loopback=is_loopback,
            read_only=read_only,
            now=self.clock,
        )

    async def prove(self, call: Callable[..., T], /, *args: Any) -> T:
        return call(*args)

    def policy(self) -> Config | None:
        return self.config

    def has_overlay(self, environment: str, app: str | None) -> bool:
        return (environment, app) in self.overlays

    def own_person(self) -> Person:
        return Person("user:me", "Me", "me@example.com")

    def client(self, *, rates: Rates | None = None, peer: str = "10.1.2.3") -> TestClient:
        """Return a browser without cookies, which follows nothing by itself."""
        app = Starlette(
            routes=[
                *identity_routes(self.identity, refuse),
                Route("/{path:path}", _tell, methods=["GET", "POST"]),
            ],
            middleware=[
                Middleware(OwnOrigin, hosts=["gitops.example.com"], origins=[URL], refuse=refuse),
                Middleware(BodyBounds, refuse=refuse),
                Middleware(KnowsWhoAsks, identity=self.identity, refuse=refuse),
                Middleware(CallerRates, refuse=refuse, rates=rates),
            ],
            exception_handlers={GitopsError: refuse},
        )
        return TestClient(app, URL, follow_redirects=False, client=(peer, 4711))


def refuse(_request: Request, error: Exception) -> Response:
    """Answer with the words of an error."""
    assert isinstance(error, GitopsError)
    return JSONResponse({"error": error.message}, status_of(error))


async def _tell(request: Request) -> Response:
    person = request.state.person
    if request.method == "POST":
        await request.body()
    if person is None:
        return JSONResponse(None)
    names = ("id", "name", "email", "via", "token", "branch", "commit", "application")
    told: dict[str, Any] = {name: getattr(person, name) for name in names}
    more = {"groups": list(person.groups), "addresses": sorted(person.addresses)}
    return JSONResponse({**told, **more})


def settings_of(text: str) -> Value:
    """Read a settings file as the server does."""
    return parse_settings(text.encode() or b"{}", "settings.yaml")


def sign_in_settings(folder: Path, issuer: str, **more: str) -> str:
    """Return settings for an OpenID provider, its secret written to `folder`."""
    from servers.openid import CLIENT, SECRET

    (folder / "secret").write_text(f"{SECRET}\n")
    (folder / "key").write_text("k" * 40)
    rows = {"issuer": issuer, "clientId": CLIENT, "clientSecretFile": f"{folder}/secret", **more}
    lines = "".join(f"  {name}: {value}\n" for name, value in rows.items())
    return f"publicUrl: {URL}\nsignIn:\n{lines}session: {{keyFiles: ['{folder}/key']}}\n"


def come_back(client: TestClient, query: Mapping[str, str]) -> Any:
    """Be the browser that the provider sends back."""
    return client.get(f"/sign-in/back?{urlencode(query)}")


def _no_trouble(value: Value, what: str) -> None:
    raise AssertionError(f"{value.path}: {what}")
