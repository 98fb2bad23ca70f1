"""Which rows of the board a query asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.environments.environment import Environment
from gitops.core.kustomization.image import describe_value
from gitops.server.board.board import Board, BoardCell, BoardRow
from gitops.server.pages.words import N_, Translate

ROWS = 100
"""Rows of one page."""

_LONGEST = 200  # characters of a search
_LONGEST_HIDE = 4_000  # characters
_MOST_HIDDEN = 200

SHOW: Mapping[str, tuple[str, Callable[[BoardCell], bool]]] = {
    "all": (N_("All"), lambda _cell: True),
    "bad": (N_("Needs a look"), lambda cell: cell.is_bad),
    "held": (N_("Held"), lambda cell: cell.hold is not None),
    "proposed": (N_("Proposed"), lambda cell: cell.proposal is not None),
    "behind": (N_("Behind"), lambda cell: bool(cell.behind)),
}


class BoardQuery(Struct, frozen=True):
    """What is asked for: words that must stand in a row, a filter, a page from 1.

    Attributes:
        hide: environments that are not looked at.
    """

    text: str = ""
    show: str = "all"
    page: int = 1
    hide: tuple[str, ...] = ()

    def url(self, **changed: str) -> str:
        """Return the address with another filter, from its first page."""
        return replace(self, page=1, **changed)._url()

    def toggled_url(self, environment: str) -> str:
        """Return the address with one environment hidden, or shown again."""
        rest = tuple(one for one in self.hide if one != environment)
        hide = rest if environment in self.hide else (*self.hide, environment)
        return replace(self, page=1, hide=hide)._url()

    def page_url(self, page: int) -> str:
        """Return the address of another page."""
        return replace(self, page=page)._url()

    def _url(self) -> str:
        given = {"q": self.text, "show": self.show, "page": str(self.page)}
        given["hide"] = ",".join(self.hide)
        told = {key: one for key, one in given.items() if one not in ("", "all", "1")}
        return f"/?{urlencode(told)}" if told else "/"


class ShownBoard(Struct, frozen=True):
    """What a page of the board shows.

    Attributes:
        rows: of this page; `cells` the same overlay by overlay, for a repository without apps.
        chips: (name, text, number of rows or overlays) of each filter.
        bad: how many overlays need a look, on all pages.
        environments: those that are looked at; `all_environments` the others, too.
    """

    rows: Sequence[BoardRow]
    cells: Sequence[BoardCell]
    chips: Sequence[tuple[str, str, int]]
    page: int
    last: int
    bad: int
    has_apps: bool
    environments: Sequence[Environment] = ()
    all_environments: Sequence[Environment] = ()


def read_query(given: Mapping[str, str]) -> BoardQuery:
    """Read the query of an address; what makes no sense is left out."""
    show = given.get("show", "all")
    page = given.get("page", "1")
    hide = given.get("hide", "")[:_LONGEST_HIDE]
    return BoardQuery(
        text=given.get("q", "").strip()[:_LONGEST],
        show=show if show in SHOW else "all",
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        hide=tuple(dict.fromkeys(filter(None, hide.split(","))))[:_MOST_HIDDEN],
    )


def shown_board(board: Board, query: BoardQuery, _: Translate) -> ShownBoard:
    """Return what `query` asks for."""
    has_apps = any(row.app is not None for row in board.rows)
    words = query.text.lower().split()
    looked_at = _without(board.rows, query.hide)
    text_of = partial(_text, board.remembered("texts", dict))
    found = [row for row in looked_at if _fits(row, words, text_of)] if has_apps else looked_at
    overlays = () if has_apps else (cell for row in found for cell in row.cells.values())
    cells = [cell for cell in overlays if _has(cell, words, text_of)]
    wanted = SHOW[query.show][1]
    rows = [row for row in found if any(map(wanted, row.cells.values()))]
    last = max(1, -(-len(rows) // ROWS))
    page = min(max(query.page, 1), last)
    chips = [
        (name, _(text), _number(found if has_apps else cells, fits))
        for name, (text, fits) in SHOW.items()
    ]
    return ShownBoard(
        rows=rows[(page - 1) * ROWS : page * ROWS],
        cells=[cell for cell in cells if wanted(cell)],
        chips=chips,
        page=page,
        last=last,
        bad=board.bad,
        has_apps=has_apps,
        environments=[one for one in board.environments if one.name not in query.hide],
        all_environments=board.environments,
    )


def _without(rows: Sequence[BoardRow], hide: Sequence[str]) -> Sequence[BoardRow]:
    """Return the rows without the cells of some environments."""
    if not hide:
        return rows
    left = [
        BoardRow(row.app, {name: cell for name, cell in row.cells.items() if name not in hide})
        for row in rows
    ]
    return [row for row in left if row.cells]


def _number(
    found: Sequence[BoardRow] | Sequence[BoardCell], fits: Callable[[BoardCell], bool]
) -> int:
    return sum(
        any(map(fits, one.cells.values())) if isinstance(one, BoardRow) else fits(one)
        for one in found
    )


def _fits(row: BoardRow, words: Sequence[str], text_of: Callable[[BoardCell], str]) -> bool:
    """Say whether every word stands somewhere in the row."""
    if not words:
        return True
    texts = [(row.app or "").lower(), *map(text_of, row.cells.values())]
    return all(any(word in text for text in texts) for word in words)


def _has(cell: BoardCell, words: Sequence[str], text_of: Callable[[BoardCell], str]) -> bool:
    return all(word in f"{cell.environment.name} {text_of(cell)}".lower() for word in words)


def _text(known: dict[str, str], cell: BoardCell) -> str:
    """Return all that a search looks at, in lower case; `known`: what others have looked at."""
    if (found := known.get(cell.label)) is not None:
        return found
    pins = (f"{image} {describe_value(value)}" for image, value in cell.images.items())
    who = cell.release.author.name if cell.release is not None else ""
    hold = f"{cell.hold.by} {cell.hold.reason}" if cell.hold is not None else ""
    said = (word.verdict for word in cell.words)
    text = known[cell.label] = " ".join([*pins, who, hold, *said]).lower()
    return text
