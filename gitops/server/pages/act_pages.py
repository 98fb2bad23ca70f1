"""`/e/ENV[/APP]/VERB`: GET shows what would be done, and changes nothing; POST does it as seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gitops.core.environments.environment import label_of
from gitops.core.text.page_links import app_named, overlay_path
from gitops.core.text.plain import split_lines
from gitops.errors import GitopsError, NotFound, Refused, UsageError
from gitops.server.acts.asking import (
    check_acts,
    find_call,
    id_of,
    notes_on,
    require_person,
    take_up,
    wait_for,
)
from gitops.server.acts.orders import AskedFor
from gitops.server.acts.preview import ActPreview, as_seen, preview
from gitops.server.acts.requests import BODIES, Body
from gitops.server.failures import headers_of, status_of
from gitops.server.forms import read_form
from gitops.server.identity.person import Person
from gitops.server.pages.render import Pages
from gitops.server.writer.order import Call, Outcome
from gitops.wiring import new_id

if TYPE_CHECKING:
    from gitops.core.report import FileDiff, HistoryReport, WriteReport
    from gitops.server.board.board import Board, BoardCell
    from gitops.server.service import Service

_PATIENCE = 20.0  # seconds that a press waits for its answer; then the page follows
_RELEASES = 6
_REASONS = 6
_NOBODY = Person("nobody", "", "", via="token")


_TEXTS: Mapping[str, tuple[str, ...]] = {
    "rollback": ("to", "bad", "reason", "override"),
    "undo": ("rollback", "reason"),
    "hold": ("reason",),
    "resume": (),
    "promote": ("source", "override", "reason"),
    "approve": ("head", "override"),
    "close": ("reason",),
    "qa": ("release", "verdict", "note"),
    "deploy": ("override", "reason"),
}
"""The fields of each verb's form; what is empty was not said."""
_SWITCHES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "rollback": (("schema", "acceptSchemaRisk"),),
    "approve": (("update", "update"),),
}
_STAND_IN: Mapping[str, Mapping[str, str]] = {
    "hold": {"reason": "…"},
    "qa": {"verdict": "pass", "release": "newest"},
}
"""What a preview takes for what is asked on its page."""


def read_body(verb: str, fields: Mapping[str, str], *, shown: bool = False) -> Body:
    """Return what the fields ask for; `shown`: for a preview, before all was said.

    Raises UsageError for what does not fit.
    """
    told: dict[str, Any] = {**_STAND_IN.get(verb, {})} if shown else {}
    for key in _TEXTS[verb]:
        if text := fields.get(key, "").strip():
            told[key] = " ".join(text.split())
    for key, name in _SWITCHES.get(verb, ()):
        if fields.get(key):
            told[name] = True
    if verb == "deploy":
        told["images"] = pins_of(fields)
    if verb == "rollback" and fields.get("hold") == "no":
        told["hold"] = False
    try:
        return msgspec.convert(told, BODIES[verb])
    except msgspec.ValidationError as error:
        raise UsageError(f"the form: {error}") from None


def pins_of(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is to be deployed: `NAME:TAG`, of a name and a tag that were given."""
    image, tag = fields.get("image", "").strip(), fields.get("tag", "").strip()
    if not image:
        return ()
    if not tag:
        return (image,)
    return (f"{image}@{tag}" if tag.startswith("sha256:") else f"{image}:{tag}",)


class ActPlace(Struct, frozen=True):
    """Where an act is: the overlay, or all apps of an environment."""

    environment: str
    app: str | None
    cell: BoardCell | None

    @property
    def word(self) -> str:
        """What stands where ENV stands."""
        return label_of(self.environment, self.app)

    @property
    def url(self) -> str:
        """Its page."""
        return overlay_path(self.environment, self.app)


def act_routes(service: Service) -> list[BaseRoute]:
    """Return the routes of all acts, and of what came of them."""
    pages = _ActPages(service)
    found: list[BaseRoute] = []
    for prefix in ("/e/{environment}", "/e/{environment}/{app}"):
        for verb in BODIES:
            path = f"{prefix}/{verb}"
            found += [
                Route(path, pages.shown(verb), methods=["GET"]),
                Route(path, pages.pressed(verb), methods=["POST"]),
            ]
        found.append(Route(f"{prefix}/acts/{{verb}}/{{id}}", pages.followed, methods=["GET"]))
    return found


class _ActPages:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._pages = Pages(service)

    def shown(self, verb: str) -> Any:
        """Return the page that shows what would be done."""

        async def page(request: Request) -> Response:
            return await self._page(request, verb, dict(request.query_params))

        return page

    def pressed(self, verb: str) -> Any:
        """Return what does what was seen, and then leads to the page that follows it."""

        async def act(request: Request) -> Response:
            check_acts(self._service)
            person = require_person(request)
            place, fields = self._place(request), await read_form(request)
            try:
                call = await self._take_up(place, verb, fields, person)
            except UsageError as error:
                return await self._page(request, verb, fields, error)
            outcome = await wait_for(call, _PATIENCE)
            if outcome is not None and isinstance(outcome.error, Refused):
                return await self._page(request, verb, fields, outcome.error)
            if outcome is not None and outcome.error is not None:
                raise outcome.error
            self._service.board.wake()
            return RedirectResponse(f"{place.url}/acts/{verb}/{call.order.id}", 303)

        return act

    async def followed(self, request: Request) -> Response:
        """Show what came of an act, and what becomes of it."""
        place, verb = self._place(request), request.path_params["verb"]
        name = id_of(request.path_params["id"]) or ""
        if verb not in BODIES:
            raise NotFound("no page has this address")
        check_acts(self._service)  # where nobody acts there is nothing to look for
        call, is_known = await find_call(self._service, request, name, "an act")
        if not is_known:
            await wait_for(call, _PATIENCE)
        outcome = call.outcome or Outcome()
        if outcome.error is not None:
            raise outcome.error
        report = outcome.report
        steps = _steps(report, place.cell)
        return self._pages.render(
            request,
            "followed.html",
            live=True,
            place=place,
            verb=verb,
            call=call,
            report=report,
            steps=steps,
            waits=report is None or (bool(steps) and not steps[-1].done),
        )

    async def _take_up(
        self, place: ActPlace, verb: str, fields: Mapping[str, str], person: Person
    ) -> Call:
        name = id_of(fields.get("id") or None)
        if name is None:
            raise UsageError("the form is not whole: open the page again")
        asked = AskedFor(verb, place.word, read_body(verb, fields), person, via="page", id=name)
        if place.cell is not None and place.cell.environment.confirm == "name":
            typed = fields.get("typed", "").strip()
            if typed != place.word:
                raise UsageError(f"type {place.word} to say that you mean it")
        one_click = place.cell is not None and place.cell.environment.confirm == "off"
        mark = fields.get("mark", "")
        if not mark and not (one_click and _is_safe(verb, fields)):
            raise UsageError("the form does not say what you saw: open the page again")
        run = as_seen(asked, mark) if mark and verb != "qa" else None
        return await take_up(self._service, asked, run)

    async def _page(
        self,
        request: Request,
        verb: str,
        fields: Mapping[str, str],
        error: GitopsError | None = None,
    ) -> Response:
        """Show what would be done now; `error`: why the last press did nothing."""
        place = self._place(request)
        person = getattr(request.state, "person", None)
        fields = dict(fields)
        if error is not None:  # what is shown is what would be done now
            for key in ("bad", "head", "rollback", *([] if fields.get("chosen") else ["to"])):
                fields.pop(key, None)
        found, past = ActPreview(), None
        notes: tuple[str, ...] = ()
        right = self._service.may(person, verb, place.environment, place.app)
        # Of a deploy whoever asks chooses the registry, and it is asked with the server's account.
        if verb == "deploy" and not (pins_of(fields) and right.allowed):
            pass  # asks first
        elif verb in ("qa", "undo"):
            found, past = await self._service.workers.run(self._past, place, verb, fields, person)
        else:
            asked = AskedFor(
                verb, place.word, read_body(verb, fields, shown=True), person or _NOBODY, via="page"
            )
            found = await self._service.workers.run(self._preview, asked, person)
            notes = await notes_on(self._service, asked)
        status = status_of(error) if error is not None else 200
        answer = self._pages.render(
            request,
            "act.html",
            status=status,
            place=place,
            verb=verb,
            fields=defaultdict(str, fields),
            found=found,
            past=past,
            notes=notes,
            reasons=_last_reasons(self._pages.board()),
            may_override=self._service.may(person, "override", place.environment, place.app),
            error=error,
            right=right,
            id=new_id(),
            difference=_difference,
        )
        answer.headers.update(headers_of(status))
        return answer

    def _preview(self, asked: AskedFor, person: Person | None) -> ActPreview:
        with self._service.open_session(person) as session:
            return preview(session, asked)

    def _past(
        self, place: ActPlace, verb: str, fields: Mapping[str, str], person: Person | None
    ) -> tuple[ActPreview, HistoryReport | None]:
        """Return the newest releases, and of an undo what it would do."""
        from gitops.actions.history import history

        with self._service.open_session(person) as session:
            past = None
            if place.cell is not None:
                past = history(session, place.environment, app=place.app, limit=_RELEASES)
            if verb == "qa":
                return ActPreview(mark="qa"), past
            newest = past.releases[0] if past is not None and past.releases else None
            fields = dict(fields)
            if newest is not None and newest.action == "rollback":
                fields.setdefault("rollback", newest.commit)
        body = read_body(verb, fields, shown=True)
        asked = AskedFor(verb, place.word, body, person or _NOBODY, via="page")
        return self._preview(asked, person), past

    def _place(self, request: Request) -> ActPlace:
        board = self._pages.board()
        name = request.path_params["environment"]
        app = app_named(request.path_params.get("app"), lambda one: board.has(name, one))
        if all(row.name != name for row in board.config.environments):
            raise NotFound(f"there is no environment {name}")
        cell = board.cell(name, app)
        if cell is None and app is not None:
            raise NotFound(f"there is no {app}/{name}")
        return ActPlace(name, app, cell)


def _last_reasons(board: Board) -> list[str]:
    """Return why things are held, the newest first: what is done next is often for the same."""
    holds = [cell.hold for cell in board.cells() if cell.hold is not None]
    holds.sort(key=lambda one: one.since.timestamp() if one.since is not None else 0.0)
    return list(dict.fromkeys(one.reason for one in reversed(holds) if one.reason))[:_REASONS]


def _difference(diff: FileDiff) -> str:
    """Return what changes in a file, line by line."""
    old, new = (
        split_lines(content.decode("utf-8", "replace")) if content is not None else []
        for content in (diff.before, diff.after)
    )
    return "\n".join(list(unified_diff(old, new, n=2, lineterm=""))[2:])


class _Step(Struct, frozen=True):
    """One step of what follows an act: its word, whether it is done, when it was, and what is told
    of it."""

    name: str
    done: bool
    text: str = ""
    bad: bool = False
    time: datetime | None = None


def _steps(report: WriteReport | None, cell: BoardCell | None) -> list[_Step]:
    """Return how far it is: committed, seen by Argo CD, healthy."""
    if report is None:
        return [_Step("written", done=False)]
    newest = cell.release if cell is not None else None
    known = newest is not None and newest.commit == report.commit
    written = newest.time if newest is not None and known else None
    steps = [_Step("written", done=True, text=(report.commit or "")[:7], time=written)]
    # Of what had landed before, the report does not know the changes.
    changed = bool(report.changes) or known
    if report.outcome != "committed" or cell is None or not cell.applications or not changed:
        return steps
    states = [one.state for one in cell.applications]
    seen = known and not any(one in ("unseen", "unknown") for one in states)
    bad = [one for one in cell.applications if one.state in ("degraded", "failed", "unrendered")]
    healthy = seen and all(one == "healthy" for one in states)
    told = "; ".join(one.text for one in bad)
    since = max((one.since for one in cell.applications if one.since is not None), default=None)
    # One that was Healthy all along says since when: from before this was written.
    is_new = since is not None and written is not None and since >= written
    return [
        *steps,
        _Step("seen", done=seen),
        _Step(
            "healthy",
            done=healthy,
            text=told if seen else "",
            bad=seen and bool(bad),
            time=since if is_new else None,
        ),
    ]


def _is_safe(verb: str, fields: Mapping[str, str]) -> bool:
    """Say whether one press alone can do nothing twice, and nothing else than what was shown."""
    return (verb == "rollback" and bool(fields.get("bad"))) or (
        verb == "undo" and bool(fields.get("rollback"))
    )
