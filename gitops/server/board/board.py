"""What runs where, as of one look at Git (and the clusters): apps × environments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Struct

from gitops.core.environments.environment import Environment
from gitops.core.report import OverlayStatus, StatusReport


class BoardRow(Struct, frozen=True):
    """One app (None: the repository has no apps) and its overlays, environment -> overlay."""

    app: str | None
    cells: dict[str, OverlayStatus]


class Board(Struct, frozen=True):
    """All of it.

    Attributes:
        environments: in promotion order.
        rows: those without an app first, then by name.
        seen: when it was looked at.
        mark: changes when anything but `seen` does.
    """

    branch: str
    repository: str
    environments: tuple[Environment, ...]
    rows: tuple[BoardRow, ...]
    warnings: tuple[str, ...]
    seen: datetime
    mark: str

    def cell(self, environment: str, app: str | None) -> OverlayStatus | None:
        """Return one overlay, None where there is none."""
        for row in self.rows:
            if row.app == app:
                return row.cells.get(environment)
        return None

    def cells(self) -> Iterable[OverlayStatus]:
        """Return every overlay, row by row, in promotion order."""
        for row in self.rows:
            yield from (row.cells[one.name] for one in self.environments if one.name in row.cells)


def make_board(report: StatusReport, seen: datetime) -> Board:
    """Make a board of what `gitops status` tells."""
    rows: dict[str | None, dict[str, OverlayStatus]] = {}
    environments: dict[str, Environment] = {}
    for one in report.overlays:
        row = one.overlay.environment
        environments.setdefault(row.name, row)
        rows.setdefault(one.overlay.app, {})[row.name] = one
    ordered = sorted(rows, key=lambda app: (app is not None, app or ""))
    return Board(
        branch=report.branch,
        repository=report.repository,
        environments=tuple(environments.values()),
        rows=tuple(BoardRow(app, rows[app]) for app in ordered),
        warnings=report.warnings,
        seen=seen,
        mark=_mark(report),
    )


def _mark(report: StatusReport) -> str:
    import hashlib

    content = msgspec.msgpack.encode(report, enc_hook=repr)
    return hashlib.sha256(content).hexdigest()[:16]
