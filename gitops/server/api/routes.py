"""The addresses of `/v1`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from gitops.core.environments.environment import split_label
from gitops.core.report import WriteReport
from gitops.documents.reports import (
    JsonDocument,
    diff_document,
    error_document,
    history_document,
    status_document,
    write_document,
)
from gitops.errors import Denied, NotFound, UsageError
from gitops.server.acts.asking import (
    check_acts,
    find_call,
    id_of,
    require_person,
    take_up,
    wait_for,
)
from gitops.server.acts.orders import AskedFor
from gitops.server.acts.preview import as_seen, mark_of
from gitops.server.acts.requests import BODIES
from gitops.server.api.bodies import number_of, read_body
from gitops.server.api.openapi import description
from gitops.server.failures import failed, json_answer
from gitops.server.writer.order import Call, Outcome

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.server.service import Service

Endpoint = Callable[[Request], Awaitable[Response]]
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def api_routes(service: Service) -> list[BaseRoute]:
    """Return the routes of the API."""
    api = _Api(service)
    env = "/v1/environments/{environment:path}"
    return [
        _route("/v1/deploy", api.verb("deploy"), "POST"),
        _route("/v1/environments", api.environments),
        _route(f"{env}/history", api.history),
        _route(f"{env}/diff", api.diff),
        *(_route(f"{env}/{verb}", api.verb(verb), "POST") for verb in BODIES),
        _route("/v1/calls/{id}", api.call),
        _route("/v1/whoami", api.whoami),
        _route("/v1/openapi.json", api.openapi),
    ]


def nothing_routes() -> list[BaseRoute]:
    """Return the answer for what is no address of the API; behind all other routes."""
    return [Route("/v1/{rest:path}", _nothing, methods=_METHODS)]


def _route(path: str, endpoint: Endpoint, method: str = "GET") -> Route:
    return Route(path, endpoint, methods=[method])


async def _nothing(request: Request) -> Response:
    hint = "GET /v1/openapi.json says what there is"
    missing = NotFound(f"there is no {request.method} {request.url.path}", hint=hint)
    others = {
        method
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is Match.PARTIAL
        for method in route.methods or ()
    }
    if not others:
        raise missing
    return json_answer(error_document(missing), 405, {"Allow": ", ".join(sorted(others))})


class _Api:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def _read(self, read: Callable[[Session], object]) -> Response:
        return json_answer(await self._service.read(read))

    def verb(self, verb: str) -> Endpoint:
        async def act(request: Request) -> Response:
            check_acts(self._service)
            person = require_person(request)
            body = await read_body(request, BODIES[verb])
            name = id_of(request.headers.get("idempotency-key"))
            environment = request.path_params.get("environment", "")
            asked = AskedFor(verb, environment, body, person, via="api", id=name)
            run = as_seen(asked, body.seen) if body.seen is not None else None
            call = await take_up(self._service, asked, run)
            return await answer_of(call, wait_of(request.headers.get("prefer", "")))

        return act

    async def call(self, request: Request) -> Response:
        require_person(request)
        name = id_of(request.path_params["id"]) or ""
        call, is_known = await find_call(self._service, request, name)
        prefer = request.headers.get("prefer") if is_known else ""
        return await answer_of(call, wait_of(prefer) if prefer is not None else 0.0)

    async def environments(self, request: Request) -> Response:
        from gitops.actions.status import status

        words = tuple(request.query_params.getlist("environment"))
        return await self._read(lambda session: status_document(status(session, words)))

    async def history(self, request: Request) -> Response:
        from gitops.actions.history import history

        name, app = split_label(request.path_params["environment"])
        limit = number_of(request, "limit", 20)
        return await self._read(
            lambda session: history_document(history(session, name, app=app, limit=limit)),
        )

    async def diff(self, request: Request) -> Response:
        from gitops.actions.diff import diff

        name, query = request.path_params["environment"], request.query_params
        other, since = query.get("other"), query.get("since")
        if (other is None) == (since is None):
            raise UsageError("say with what: ?other=ENV, or ?since=RELEASE")
        return await self._read(
            lambda session: diff_document(diff(session, name, other, since=since))
        )

    async def whoami(self, request: Request) -> Response:
        person = require_person(request)
        named = {"id": person.id, "name": person.name, "email": person.email}
        return json_answer({**named, "groups": list(person.groups), "via": person.via})

    async def openapi(self, _request: Request) -> Response:
        return json_answer(description())


LONGEST_WAIT = 75.0  # seconds; a call is over after a minute, and what follows it soon after
_WAIT = "wait="


def result_of(name: str, outcome: Outcome) -> Response:
    """Return what came of a call."""
    if outcome.report is None:
        return failed(outcome.error or Denied("nothing came of it"), name)
    return json_answer({"id": name, **report_document(outcome.report)})


def report_document(report: WriteReport) -> JsonDocument:
    """Return the document of a write; of a dry run with its mark and the files as they would be."""
    document = write_document(report)
    if report.outcome in ("planned", "unchanged"):
        document["mark"] = mark_of(report)
    if report.outcome == "planned":
        document["diffs"] = [
            {
                "path": one.path,
                "branch": one.branch,
                "before": _text(one.before),
                "after": _text(one.after),
            }
            for one in report.diffs
        ]
    return document


def _text(content: bytes | None) -> str | None:
    return content.decode("utf-8", "replace") if content is not None else None


async def answer_of(call: Call, seconds: float) -> Response:
    """Wait for a call, at most so long, and return what came of it, or 202 with where to ask."""
    outcome = await wait_for(call, seconds)
    name = call.order.id
    if outcome is None:
        where = {"Location": f"/v1/calls/{name}", "Retry-After": "1"}
        return json_answer({"id": name, "state": state_of(call)}, 202, where)
    return result_of(name, outcome)


def state_of(call: Call) -> str:
    """Return the word for how far a call is."""
    if call.outcome is not None:
        return "done"
    return "running" if call.began else "queued"


def wait_of(prefer: str) -> float:
    """Return how long `Prefer` (RFC 7240) asks to wait, in seconds: `wait=10`, `respond-async`."""
    for word in (part.strip().lower() for part in prefer.split(",")):
        if word == "respond-async":
            return 0.0
        number = word.removeprefix(_WAIT)
        if word.startswith(_WAIT) and number.isascii() and number.isdecimal():
            return min(float(number[:6]), LONGEST_WAIT)
    return LONGEST_WAIT
