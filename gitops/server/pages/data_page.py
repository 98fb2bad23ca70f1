"""Which databases the overlays reach: of which class they are, and what is wrong with the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gitops.actions.manifests.data_checks import FoundData
from gitops.server.board.board import Board, BoardCell
from gitops.server.board.data_checks import MOST, CheckedData
from gitops.server.pages.render import Pages

if TYPE_CHECKING:
    from gitops.server.service import Service

_SOON = "3"  # seconds until a browser asks again


class CellData(Struct, frozen=True):
    """One overlay, and what was found there."""

    cell: BoardCell
    found: Sequence[FoundData]


class EnvironmentData(Struct, frozen=True):
    """One environment.

    Attributes:
        database: the class of its databases, `real` or `dummy`; None where it has none.
        found: what is about the environment as a whole.
    """

    name: str
    database: str | None
    found: Sequence[FoundData]
    cells: Sequence[CellData]


def data_routes(service: Service) -> list[BaseRoute]:
    """Return `/data`."""
    pages = Pages(service)

    async def page(request: Request) -> Response:
        board = pages.board()
        overlays = sum(1 for _ in board.cells())
        is_set_up, too_many = bool(board.config.databases), overlays > MOST
        checked = await service.data_checks.of(board) if is_set_up and not too_many else None
        answer = pages.render(
            request,
            "data.html",
            here="data",
            live=True,
            is_set_up=is_set_up,
            too_many=overlays if too_many else 0,
            checked=checked,
            environments=_environments(board, checked),
        )
        if is_set_up and not too_many and checked is None:
            answer.headers["Refresh"] = _SOON
        return answer

    return [Route("/data", page, methods=["GET"])]


def _environments(board: Board, checked: CheckedData | None) -> list[EnvironmentData]:
    """Return what is known of each environment, in promotion order."""
    report = checked.report if checked is not None else None
    found: dict[str, list[FoundData]] = {}
    for one in report.found if report is not None else ():
        overlay = one.overlay
        label = overlay.label if overlay is not None else f"{one.environment.name}:"
        found.setdefault(label, []).append(one)
    cells: dict[str, list[CellData]] = {}
    for cell in board.cells():
        told = CellData(cell, found.get(cell.label, ()))
        cells.setdefault(cell.environment.name, []).append(told)
    return [
        EnvironmentData(
            row.name, row.database, found.get(f"{row.name}:", ()), cells.get(row.name, ())
        )
        for row in board.config.environments
    ]
