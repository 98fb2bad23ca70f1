"""What runs where, as of one look at Git: apps × environments."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.index.state import IndexedCell, IndexState
from gitops.core.argocd.reports import Live, LiveApplication
from gitops.core.environments.environment import Config, Environment, label_of
from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger.verdicts import CountedVerdict
from gitops.core.releases.release import Release
from gitops.core.report import Proposal

if TYPE_CHECKING:
    from gitops.actions.argocd.live_cells import LiveCells

_T = TypeVar("_T")
_MOST_REMEMBERED = 5_000
_BAD_HEALTH = ("degraded", "failed", "unrendered")


class Behind(Struct, frozen=True):
    """A value that the environment before has, newer than what runs here.

    Attributes:
        verdict: QA's word on it there, None without one.
    """

    environment: str
    image: str
    value: ImageValue
    verdict: str | None = None


class BoardCell(Struct, frozen=True):
    """One overlay.

    Attributes:
        live: what its cluster says; None where none is known.
        behind: what could come here.
    """

    known: IndexedCell
    behind: tuple[Behind, ...] = ()
    live: Live | None = None

    @property
    def environment(self) -> Environment:
        """The row of `gitops.yaml`."""
        return self.known.overlay.environment

    @property
    def app(self) -> str | None:
        """None where the repository has no apps."""
        return self.known.overlay.app

    @property
    def label(self) -> str:
        """What messages call it: `prod`, `shop/prod`."""
        return self.known.overlay.label

    @property
    def images(self) -> Mapping[str, ImageValue]:
        """What it pins; empty where it cannot be read, and `problem` says why."""
        return self.known.images or {}

    @property
    def problem(self) -> str | None:
        """Why it cannot be read."""
        return self.known.problem

    @property
    def release(self) -> Release | None:
        """The newest release."""
        return self.known.release

    @property
    def words(self) -> tuple[CountedVerdict, ...]:
        """What counts of the words on it: health, then QA."""
        return self.known.words

    @property
    def hold(self) -> Hold | None:
        """What keeps automation away."""
        return self.known.hold

    @property
    def proposal(self) -> Proposal | None:
        """What waits for approval."""
        return self.known.proposal

    @property
    def applications(self) -> tuple[LiveApplication, ...]:
        """What Argo CD says of it."""
        return self.live.applications if self.live is not None else ()

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look: it cannot be read, or what is known of it is bad."""
        said = any(word.verdict in ("degraded", "qa-failed") for word in self.words)
        seen = any(one.state in _BAD_HEALTH for one in self.applications)
        return said or seen or self.problem is not None


class BoardRow(Struct, frozen=True):
    """One app (None: the repository has no apps) and its overlays, environment -> overlay."""

    app: str | None
    cells: Mapping[str, BoardCell]

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look at one of them."""
        return any(cell.is_bad for cell in self.cells.values())


class Board:
    """All of it. A value: a new look makes a new one.

    Attributes:
        environments: those that have an overlay, in promotion order.
        rows: those without an app first, then by name.
        silent: since when and why clusters do not answer, in words.
        mark: the same where, and only where, Git and the clusters say the same.
        memo: what pages worked out of it, for the next one; see `remembered`.
    """

    def __init__(
        self,
        state: IndexState,
        repository: str,
        lives: LiveCells | None = None,
        earlier: Board | None = None,
    ) -> None:
        self.state = state
        self.repository = repository
        self.lives: Mapping[str, Live] = lives.lives if lives is not None else {}
        self.silent = lives.silent if lives is not None else ()
        self._live_mark = lives.mark if lives is not None else ""
        self.memo: dict[object, Any] = {}
        before: Mapping[str, BoardCell] = earlier._found if earlier is not None else {}
        same = earlier is not None and earlier.state is state
        found = {
            name: self._cell(name, cell, before.get(name), same)
            for name, cell in state.cells.items()
        }
        self._found: Mapping[str, BoardCell] = found
        self.environments = tuple(
            {cell.environment.name: cell.environment for cell in found.values()}.values()
        )
        rows: dict[str | None, dict[str, BoardCell]] = {}
        for cell in found.values():
            rows.setdefault(cell.app, {})[cell.environment.name] = cell
        ordered = sorted(rows, key=lambda app: (app is not None, app or ""))
        self.rows = tuple(BoardRow(app, rows[app]) for app in ordered)

    @property
    def config(self) -> Config:
        """What `gitops.yaml` says."""
        return self.state.config

    @property
    def branch(self) -> str:
        """The top-level branch."""
        return self.state.branch

    @cached_property
    def mark(self) -> str:
        """A digest of what it shows."""
        state = self.state
        told = repr((sorted(state.tips.items()), state.problem, self._live_mark, self.silent))
        return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16]

    def remembered(self, key: object, make: Callable[[], _T]) -> _T:
        """Return what `make` returned for `key` on this board; used on the event loop only."""
        if key not in self.memo:
            if len(self.memo) >= _MOST_REMEMBERED:
                self.memo.clear()
            self.memo[key] = make()
        found: _T = self.memo[key]
        return found

    def is_as(self, state: IndexState, lives: LiveCells) -> bool:
        """Say whether a board of these would show the same."""
        same = self.state is state and self.lives is lives.lives
        return same and self.silent == lives.silent

    @cached_property
    def bad(self) -> int:
        """How many overlays need a look."""
        return sum(cell.is_bad for cell in self.cells())

    @cached_property
    def held(self) -> int:
        """How many are held."""
        return sum(cell.hold is not None for cell in self.cells())

    @cached_property
    def proposals(self) -> int:
        """How many changes wait."""
        waiting = (cell.proposal for cell in self.cells())
        return len({one.branch for one in waiting if one is not None})

    def cell(self, environment: str, app: str | None) -> BoardCell | None:
        """Return one overlay, None where there is none."""
        return self._found.get(label_of(environment, app))

    def has(self, environment: str, app: str) -> bool:
        """Say whether there is such an overlay of an app."""
        return self.cell(environment, app) is not None

    def cells(self) -> Iterator[BoardCell]:
        """Yield every overlay, row by row, in promotion order."""
        for row in self.rows:
            yield from row.cells.values()

    def _cell(
        self, name: str, cell: IndexedCell, before: BoardCell | None, same: bool
    ) -> BoardCell:
        """Make the cell, or take the one of the board before where it says the same."""
        live = self.lives.get(name)
        if before is None or before.known is not cell or not same:
            return BoardCell(cell, tuple(self._behind(cell)), live)
        return before if before.live is live else replace(before, live=live)

    def _behind(self, cell: IndexedCell) -> Iterator[Behind]:
        """Yield what the environment before has released since; only where one is named."""
        row = cell.overlay.environment
        if not row.after or cell.images is None:
            return
        before = row.after[-1]
        source = self.state.cells.get(label_of(before, cell.overlay.app))
        if source is None or source.images is None or not _is_later(source, cell):
            return
        verdict = next((one.verdict for one in reversed(source.words)), None)
        for image, value in source.images.items():
            if image in cell.images and cell.images[image].nameless != value.nameless:
                yield Behind(before, image, value, verdict)


def _is_later(source: IndexedCell, cell: IndexedCell) -> bool:
    """Say whether `source` was released after `cell` was.

    What a rollback took away here was released there before, and is no news.
    """
    there, here = source.release, cell.release
    if there is None or there.time is None:
        return False
    return here is None or here.time is None or there.time > here.time
