"""Templates made into pages, with what every page needs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse

from gitops.core.environments.environment import Environment as Row
from gitops.core.environments.environment import Overlay
from gitops.core.environments.freeze import FreezeHit, closed
from gitops.core.kustomization.image import ImageValue, describe_value
from gitops.core.text.page_links import overlay_path
from gitops.core.text.plain import timestamp
from gitops.errors import GitopsError, NotFound
from gitops.server.board.board import Board, BoardCell, BoardRow
from gitops.server.failures import headers_of, status_of
from gitops.server.identity.routes import path_to_sign_in
from gitops.server.pages import words
from gitops.server.pages.language import COOKIE as LANGUAGE_COOKIE
from gitops.server.pages.language import choose_language, translations
from gitops.wiring import new_id

if TYPE_CHECKING:
    from gitops.server.service import Right, Service

STATIC = Path(__file__).parent / "static"
THEME_COOKIE = "gitops-theme"
THEMES = ("auto", "light", "dark")


_MOST_SILENT = 3  # clusters that a page names


def _part(text: str) -> str:
    return quote(text, safe="")


def env_url(environment: str) -> str:
    """Return the page of an environment."""
    return overlay_path(environment, None)


def app_url(app: str) -> str:
    """Return the page of an app."""
    return f"/a/{_part(app)}"


def overlay_url(overlay: Overlay) -> str:
    """Return the page of an overlay."""
    return overlay_path(overlay.environment.name, overlay.app)


def cell_url(cell: BoardCell) -> str:
    """Return the page of a cell's overlay."""
    return overlay_url(cell.known.overlay)


def act_url(cell: BoardCell, verb: str) -> str:
    """Return the page that previews an act."""
    return f"{cell_url(cell)}/{verb}"


def release_url(cell: BoardCell, commit: str) -> str:
    """Return the page of a release."""
    return f"{cell_url(cell)}/r/{_part(commit)}"


class View(Struct, frozen=True):
    """How old what is shown is."""

    seen: datetime | None
    is_stale: bool
    trouble: str | None
    error: GitopsError | None = None


class Pages:
    """The templates of one server."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._templates = Environment(
            loader=PackageLoader("gitops.server.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "static": static_url,
            "stamp": timestamp,
            "clock": words.clock,
            "moment": words.moment_text,
            "shown_value": describe_value,
            "short_image": words.short_image,
            "tone": lambda verdict: words.VERDICTS.get(verdict, ("unknown", ""))[0],
            "live_tone": lambda state: words.LIVE.get(state, ("unknown", ""))[0],
            "cell_url": cell_url,
            "env_url": env_url,
            "app_url": app_url,
            "overlay_url": overlay_url,
            "act_url": act_url,
            "release_url": release_url,
            "proposed": proposed,
            "new_id": new_id,
        }

    def board(self) -> Board:
        """Return the board. Raises Unavailable before the first look at Git."""
        from gitops.errors import Unavailable

        board = self._service.board.current()
        if board is None:
            raise Unavailable("Git has not been read yet", hint=self._service.board.trouble)
        return board

    def render(
        self, request: Request, template: str, *, status: int = 200, here: str = "", **values: Any
    ) -> HTMLResponse:
        """Return a page, as the person who asks may see it; `here` is its name in the navigation.

        A page that follows the board is given `live=True`.
        """
        context = self._context(request, here)
        context["board_row"] = self._rows(context)
        text = self._templates.get_template(template).render(context | values)
        return HTMLResponse(text, status, {"Cache-Control": "no-cache", "Vary": "Cookie"})

    def _rows(self, context: dict[str, Any]) -> Callable[[BoardRow, Sequence[Row]], Markup]:
        """Return what writes a row of the board: the same for everybody, for a minute.

        But for a row with something bad: it has buttons, for whoever looks.
        """
        board, language = context["board"], context["language"]
        minute = int(time.time() // 60)
        parts: dict[str, Any] = {}

        def write(name: str, *values: Any) -> Markup:
            if not parts:
                module = self._templates.get_template("parts.html").make_module(context)
                parts.update(vars(module))
            lines = map(str.strip, parts[name](*values).split("\n"))  # escaped by the template
            return Markup(" ".join(filter(None, lines)))  # noqa: S704

        def written(cell: BoardCell) -> Markup:
            key = (cell.label, language, minute)
            found: Markup = board.remembered(key, lambda: write("summary", cell))
            return found

        def row_of(row: BoardRow, rows: Sequence[Row]) -> Markup:
            key = ("row", row.app, tuple(one.name for one in rows), language, minute)
            kept: Markup | None = board.remembered(
                key, lambda: None if row.is_bad else write("board_row", row, rows)
            )
            return kept if kept is not None else write("board_row", row, rows)

        context["written"] = written
        return row_of

    def error(self, request: Request, error: Exception) -> HTMLResponse:
        """Return the page of an error."""
        if not isinstance(error, GitopsError):
            raise error
        status = status_of(error)
        heading = self._heading(request, error)
        way = self._service.identity.settings.sign_in if status == 401 else None
        link = {} if way is None else _sign_in(request, way.label)  # also for who must do it again
        answer = self.render(
            request, "error.html", status=status, error=error, heading=heading, **link
        )
        answer.headers.update(headers_of(status))
        return answer

    def missing(self, request: Request, _error: Exception) -> HTMLResponse:
        """Return the page for an address that leads nowhere."""
        return self.error(request, NotFound("no page has this address"))

    def _heading(self, request: Request, error: GitopsError) -> str:
        _ = translations(language_of(request)).gettext
        if isinstance(error, NotFound):
            return _("There is no such thing")
        return _("That did not work")

    def _context(self, request: Request, here: str) -> dict[str, Any]:
        """Return what every template may use."""
        language = language_of(request)
        texts = translations(language)
        _, now = texts.gettext, datetime.now(UTC)
        person = getattr(request.state, "person", None)
        # Whoever is not let in is not told what is there either, not even in the frame of a page.
        may_look = person is not None or self._service.identity.open
        board = self._service.board.current() if may_look else None
        view = self.view() if may_look else View(None, False, None)
        freezes = freezes_now(board, now)

        def may(verb: str, environment: str, app: str | None = None) -> Right:
            return self._service.may(person, verb, environment, app)

        query = f"?{request.url.query}" if request.url.query else ""
        way = self._service.identity.settings.sign_in if person is None else None
        return {
            "_": _,
            "ngettext": texts.ngettext,
            "language": language,
            "chosen_language": request.cookies.get(LANGUAGE_COOKIE, ""),
            "theme": theme_of(request),
            "request": request,
            "own_url": f"{quote(request.url.path)}{query}",
            "here": here,
            "person": person,
            "sign_in": None,
            "sign_in_label": "",
            **(_sign_in(request, way.label) if way is not None else {}),
            "may": may,
            "settings": self._service.settings,
            "demo_people": self._service.people,
            "board": board,
            "mark": board.mark if board is not None else "",
            "view": view,
            "live": False,
            "banners": banners(board, _),
            "pull_of": self._service.pulls.of,
            "state": state_of(board, view),
            "repository_name": repository_name(board),
            "navigation": navigation(board, _),
            "freezes": freezes,
            "frozen": lambda cell: freezes.get(cell.environment.name),
            "ages": words.ages(_),
            "ago": lambda moment: words.ago(moment, now, _),
            "verdict_text": lambda one: _(words.VERDICTS[one][1]) if one in words.VERDICTS else one,
            "live_text": lambda one: _(words.LIVE[one][1]) if one in words.LIVE else one,
            "action_text": lambda one: _(words.ACTIONS[one]) if one in words.ACTIONS else one,
        }

    def view(self) -> View:
        """Say how old the board is."""
        keeper = self._service.board
        board = keeper.current()
        seen = keeper.seen_at if board is not None else None
        return View(seen, board is not None and keeper.is_stale, keeper.trouble, keeper.error)


@cache
def static_url(name: str) -> str:
    """Return the address of a file of ours; it changes when the file does."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


def language_of(request: Request) -> str:
    """Return the language of a page."""
    cookie = request.cookies.get(LANGUAGE_COOKIE)
    return choose_language(cookie, request.headers.get("accept-language"))


def theme_of(request: Request) -> str:
    """Return the colours that were chosen."""
    chosen = request.cookies.get(THEME_COOKIE, THEMES[0])
    return chosen if chosen in THEMES else THEMES[0]


def repository_name(board: Board | None) -> str:
    """Return the short name of the repository."""
    if board is None:
        return ""
    return board.repository.rstrip("/").rpartition("/")[2].removesuffix(".git")


def state_of(board: Board | None, view: View) -> str:
    """Return what the icon in the tab shows."""
    if board is None:
        return "unknown"
    if board.bad:
        return "bad"
    return "warn" if view.is_stale else "ok"


def banners(board: Board | None, _: words.Translate) -> Iterable[str]:
    """Return what everybody must know."""
    if board is not None and board.state.problem is not None:
        yield board.state.problem
    for text in board.silent[:_MOST_SILENT] if board is not None else ():
        yield _("In the clusters: %(text)s") % {"text": text}


def navigation(
    board: Board | None, _: words.Translate
) -> Iterable[tuple[str, str, str, int | None]]:
    """Return (name, address, text, number) of each page of the top."""
    proposals, holds = (board.proposals, board.held) if board is not None else (0, 0)
    has_data = board is not None and bool(board.config.databases)
    return (
        ("board", "/", _("Board"), None),
        ("proposals", "/proposals", _("Proposals"), proposals),
        ("holds", "/holds", _("Holds"), holds),
        ("images", "/images", _("Images"), None),
        *((("data", "/data", _("Data"), None),) if has_data else ()),
        ("releases", "/releases", _("Releases"), None),
        ("alerts", "/alerts", _("Alerts"), None),
        ("insights", "/insights", _("Insights"), None),
        ("audit", "/audit", _("Audit"), None),
    )


def freezes_now(board: Board | None, now: datetime) -> dict[str, FreezeHit]:
    """Return environment -> the window that keeps changes out of it now."""
    if board is None or not board.config.freezes:
        return {}
    found = ((row.name, closed(board.config.freezes, row.name, now)) for row in board.environments)
    return {name: hit for name, hit in found if hit is not None}


def proposed(cell: BoardCell) -> Iterable[tuple[str, ImageValue | None, ImageValue]]:
    """Return (image, what runs, what is proposed) of what waits for approval."""
    waiting = cell.known.waiting
    wanted = waiting.images if waiting is not None else {}
    return [(image, cell.images.get(image), value) for image, value in wanted.items()]


def _sign_in(request: Request, label: str) -> dict[str, str]:
    """Return what a page needs that asks to sign in."""
    return {"sign_in": path_to_sign_in(_asked(request)), "sign_in_label": label}


def _asked(request: Request) -> str:
    """Return the page to come back to: what was asked for, or the preview of what was sent."""
    path, query = request.scope["path"], request.scope.get("query_string", b"").decode("latin-1")
    if path.startswith("/sign-in") or (request.method != "GET" and not path.startswith("/e/")):
        return "/"
    return f"{quote(path)}?{query}" if query and request.method == "GET" else quote(path)
