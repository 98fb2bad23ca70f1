"""The addresses of the pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gitops.core.environments.environment import label_of
from gitops.core.text.page_links import app_named
from gitops.errors import NotFound
from gitops.server.board.board import BoardCell
from gitops.server.forms import read_form
from gitops.server.identity.person import Person
from gitops.server.pages.board_page import read_query, shown_board
from gitops.server.pages.data_page import data_routes
from gitops.server.pages.git_pages import git_page_routes
from gitops.server.pages.images_page import shown_images, shown_pushed
from gitops.server.pages.insights_page import insights_routes
from gitops.server.pages.language import COOKIE as LANGUAGE_COOKIE
from gitops.server.pages.language import LANGUAGES, translations
from gitops.server.pages.render import STATIC, THEME_COOKIE, THEMES, Pages, language_of
from gitops.server.pages.timeline import read_release, read_timeline

if TYPE_CHECKING:
    from gitops.server.service import Service

_USUAL = 20  # releases that a timeline begins with
_MOST = 1000
_ROWS = 100
_YEAR = 365 * 86_400
Page = Callable[[Request], Awaitable[Response]]


class _Files(StaticFiles):
    """Files of ours; their addresses change when they do, so browsers keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


def page_routes(service: Service) -> list[BaseRoute]:
    """Return the routes of the pages."""
    pages = _BoardPages(service)
    told: list[tuple[str, Page]] = [
        ("/", pages.front),
        ("/e/{environment}", pages.environment),
        ("/e/{environment}/r/{commit}", pages.release),
        ("/e/{environment}/{app}", pages.overlay),
        ("/e/{environment}/{app}/r/{commit}", pages.release),
        ("/a/{app}", pages.app),
        ("/proposals", pages.proposals),
        ("/holds", pages.holds),
        ("/images", pages.images),
        ("/alerts", pages.alerts),
        ("/preferences", pages.preferences),
    ]
    return [
        *git_page_routes(service),
        *insights_routes(service),
        *data_routes(service),
        *(Route(path, page, methods=["GET"]) for path, page in told),
        Route("/preferences", keep_preferences, methods=["POST"]),
        Mount("/static", _Files(directory=STATIC), name="static"),
    ]


class _BoardPages:
    """Pages of what the board knows; one overlay's past is read from Git."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._pages = Pages(service)

    async def front(self, request: Request) -> Response:
        """Apps × environments."""
        board = self._service.board.current()
        query = read_query(request.query_params)
        shown = None
        if board is not None:
            language = language_of(request)
            _ = translations(language).gettext
            key = ("shown", query, language)
            shown = board.remembered(key, lambda: shown_board(board, query, _))
        return self._pages.render(
            request, "board.html", here="board", live=True, query=query, shown=shown, notes=()
        )

    async def environment(self, request: Request) -> Response:
        """One environment: its overlay, or those of its apps."""
        name = request.path_params["environment"]
        board = self._pages.board()
        row = next((one for one in board.config.environments if one.name == name), None)
        if row is None:
            raise NotFound(f"there is no environment {name}")
        if (alone := board.cell(name, None)) is not None:
            return await self._overlay(request, alone)
        cells = [cell for cell in board.cells() if cell.environment.name == name]
        page = _number(request, "page", 1)
        last = max(1, -(-len(cells) // _ROWS))
        return self._pages.render(
            request,
            "environment.html",
            live=True,
            row=row,
            cells=cells[(page - 1) * _ROWS : page * _ROWS],
            page=page,
            last=last,
            page_url=lambda number: f"?page={number}",
        )

    async def overlay(self, request: Request) -> Response:
        """One overlay, and what was released there."""
        return await self._overlay(request, self._cell(request))

    async def _overlay(self, request: Request, cell: BoardCell) -> Response:
        limit = min(_number(request, "limit", _USUAL), _MOST)
        name = cell.environment.name
        timeline = await self._service.read(lambda one: read_timeline(one, name, cell.app, limit))
        config = self._pages.board().config
        explained = await self._service.last_words.of(config, cell)
        newest = timeline.entries[0].release if timeline.entries else None
        return self._pages.render(
            request,
            "overlay.html",
            live=True,
            cell=cell,
            entries=timeline.entries,
            more=timeline.more,
            warnings=timeline.warnings,
            explained=explained,
            limit=limit,
            can_undo=newest is not None and newest.action == "rollback",
        )

    async def release(self, request: Request) -> Response:
        """One release: its images beside those before and now, and the whole commit."""
        cell = self._cell(request)
        commit = request.path_params["commit"]
        name = cell.environment.name
        found = await self._service.read(lambda one: read_release(one, name, cell.app, commit))
        entry = found.entry
        images = entry.release.images or {}
        before = {image: old for image, old, _new in entry.changes}
        names = dict.fromkeys([*images, *before, *cell.images])
        rows = [
            (one, before.get(one, images.get(one)), images.get(one), cell.images.get(one))
            for one in names
        ]
        return self._pages.render(
            request, "release.html", cell=cell, entry=entry, message=found.message, rows=rows
        )

    async def app(self, request: Request) -> Response:
        """One app across environments."""
        name = request.path_params["app"]
        row = next((one for one in self._pages.board().rows if one.app == name), None)
        if row is None:
            raise NotFound(f"there is no app {name}")
        return self._pages.render(request, "app.html", live=True, row=row)

    async def proposals(self, request: Request) -> Response:
        """What waits for approval: mine first, then what waits for me, then the oldest."""
        person = getattr(request.state, "person", None)
        mine = person.name if person is not None else None

        def waits_for_me(cell: BoardCell) -> bool:
            row, app = cell.environment.name, cell.app
            by = cell.proposal.by if cell.proposal is not None else None
            return person is not None and by != mine and self._may(person, row, app)

        first: dict[str, BoardCell] = {}
        for cell in self._pages.board().cells():
            if cell.proposal is not None:
                first.setdefault(cell.proposal.branch, cell)
        cells = sorted(
            first.values(),
            key=lambda one: (
                one.proposal is None or one.proposal.by != mine,
                not waits_for_me(one),
                one.proposal.since.timestamp() if one.proposal and one.proposal.since else 0.0,
            ),
        )
        return self._pages.render(
            request,
            "proposals.html",
            here="proposals",
            live=True,
            cells=cells,
            waits_for_me=waits_for_me,
        )

    def _may(self, person: Person, environment: str, app: str | None) -> bool:
        return self._service.may(person, "approve", environment, app).allowed

    async def holds(self, request: Request) -> Response:
        """What is held, the longest first."""
        held = [cell for cell in self._pages.board().cells() if cell.hold is not None]
        held.sort(key=lambda one: _since(one))
        return self._pages.render(request, "holds.html", here="holds", live=True, cells=held)

    async def images(self, request: Request) -> Response:
        """Which images run where."""
        shown = shown_images(self._pages.board(), request.query_params)
        pushed = shown_pushed(self._service.images.known)
        return self._pages.render(
            request, "images.html", here="images", live=True, shown=shown, pushed=pushed
        )

    async def alerts(self, request: Request) -> Response:
        """What alerts came in, and what came of the rollbacks that were their doing."""
        known = self._service.verifications.known().items()
        return self._pages.render(
            request,
            "alerts.html",
            here="alerts",
            taken=self._service.alerts.taken(),
            verifications=sorted(known, key=lambda pair: pair[1].since, reverse=True),
        )

    async def preferences(self, request: Request) -> Response:
        """Language and colours."""
        return self._pages.render(request, "preferences.html", here="preferences")

    def _cell(self, request: Request) -> BoardCell:
        board, name = self._pages.board(), request.path_params["environment"]
        app = app_named(request.path_params.get("app"), lambda one: board.has(name, one))
        cell = board.cell(name, app)
        if cell is None:
            raise NotFound(f"there is no overlay {label_of(name, app)}")
        return cell


async def keep_preferences(request: Request) -> Response:
    """Keep language and colours in cookies, and go back to the board."""
    form = await read_form(request)
    answer = RedirectResponse("/", 303)
    for cookie, value, known in (
        (LANGUAGE_COOKIE, form.get("language", ""), LANGUAGES),
        (THEME_COOKIE, form.get("theme", ""), THEMES),
    ):
        if value in known:
            answer.set_cookie(cookie, value, max_age=_YEAR, httponly=True, samesite="lax")
        else:
            answer.delete_cookie(cookie, httponly=True, samesite="lax")
    return answer


def _number(request: Request, name: str, usual: int) -> int:
    """Return a number of the query, from 1; what is none is `usual`."""
    text = request.query_params.get(name, "")
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 7 else usual


def _since(cell: BoardCell) -> float:
    since = cell.hold.since if cell.hold is not None else None
    return since.timestamp() if since is not None else 0.0
