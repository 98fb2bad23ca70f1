"""`POST /hooks/KIND/NAME`: a hint to look now; what it says is not believed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gitops.core.alerts.alert import read_alerts
from gitops.documents.alerts import alert_document
from gitops.errors import Denied, GitopsError, NotFound, UsageError
from gitops.server.failures import failed
from gitops.server.hooks.proofs import is_proved
from gitops.server.identity.person import Unproved
from gitops.server.settings import HookRow, hooks_of

if TYPE_CHECKING:
    from gitops.server.service import Service

# Registries have types of their own: application/vnd.docker.distribution.events.v2+json.
_JSON = re.compile(r"application/(?:[A-Za-z0-9.-]+\+)?json\b.*")


def hook_routes(service: Service) -> list[BaseRoute]:
    """Return the routes of hooks."""
    hooks = _Hooks(service)

    async def take(request: Request) -> Response:
        try:
            return await hooks.take(request)
        except GitopsError as error:
            return failed(error)

    return [Route("/hooks/{kind}/{name}", take, methods=["POST"])]


class _Hooks:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._rows = {(one.kind, one.name): one for one in hooks_of(service.settings.file)}

    async def take(self, request: Request) -> Response:
        """Prove it, then do what it may cause."""
        kind, name = request.path_params["kind"], request.path_params["name"]
        row = self._rows.get((kind, name))
        if row is None:
            hint = "`hooks` of the server's settings has those that there are"
            raise NotFound(f"there is no hook /hooks/{kind}/{name}", hint=hint)
        body = await request.body()
        headers = dict(request.headers.items())
        if not is_proved(row.kind, row.secret, headers, body):
            raise Unproved("the hook is not signed with the secret of the settings")
        if _JSON.fullmatch(request.headers.get("content-type", "")) is None:
            raise UsageError("a hook is JSON: set its content type to application/json")
        if row.kind == "alertmanager":
            return await self._alerts(row, body)
        self._look()
        return JSONResponse({"outcome": "looking"}, 202)

    def _look(self) -> None:
        """Wake whoever looks; each bounds by itself how often, and none forgets the last one."""
        self._service.board.wake()
        self._service.pulls.ask_again()
        self._service.images.wake()

    async def _alerts(self, row: HookRow, body: bytes) -> Response:
        """Answer when what is to be done is done: else Alertmanager sends it again."""
        if self._service.settings.read_only:
            raise Denied("this server only shows", hint="it was started with --read-only")
        try:
            batch = read_alerts(body)
        except ValueError as error:
            raise UsageError(f"the body {error}") from None
        done = await self._service.take_alerts(row.name, batch)
        return JSONResponse(
            {"alerts": [{**alert_document(one.judged), **one.told()} for one in done]}
        )
