"""Which databases the overlays reach: `gitops data check` of the newest tip, once for each tip."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from msgspec import Struct

from gitops.errors import GitopsError, NotFound, Unavailable
from gitops.server.board.board import Board

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.actions.data_check import DataReport
    from gitops.ports.renderer import Build, BuildFile, Renderer

MOST = 1_000  # overlays that are built for a page
_LONGEST = 300.0  # seconds that all of them may take
_PATIENCE = 1.5  # seconds that a page waits for an answer
_AGAIN = 30.0  # seconds after which what went wrong is tried again
_BUG = "a bug in gitops; see the server's log"

_log = logging.getLogger("gitops.server")


class CheckedData(Struct, frozen=True):
    """What came of a check.

    Attributes:
        tips: the commits that were looked at.
        report: None where it could not be done, and `problem` and `hint` say why.
        at: when it ended, of the monotonic clock.
    """

    tips: frozenset[str | None]
    report: DataReport | None
    problem: str = ""
    hint: str | None = None
    at: float = 0.0


class DataDesk:
    """Checks when somebody looks, one tip at a time; used on the event loop."""

    def __init__(
        self,
        sessions: Callable[[], AbstractContextManager[Session]],
        run: Callable[..., Awaitable[CheckedData]],
    ) -> None:
        self._sessions = sessions
        self._run = run
        self._known: CheckedData | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def of(self, board: Board) -> CheckedData | None:
        """Return what was found on the tips of a board; None while they are being checked."""
        tips = _tips(board)
        if (known := self._of(tips)) is not None:
            return known
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._check(board, tips))
        await asyncio.wait([self._task], timeout=_PATIENCE)
        return self._of(tips)

    def stop(self) -> None:
        """Build no more: the server ends."""
        self._stopping = True

    def _of(self, tips: frozenset[str | None]) -> CheckedData | None:
        known = self._known
        if known is None or known.tips != tips:
            return None
        is_old = known.report is None and time.monotonic() - known.at > _AGAIN
        return None if is_old else known

    async def _check(self, board: Board, tips: frozenset[str | None]) -> None:
        try:
            found = await self._run(self._read, board, tips)
        except GitopsError as error:
            found = CheckedData(tips, None, error.message, error.hint, time.monotonic())
        except Exception:  # noqa: BLE001 - else every look would begin it anew
            _log.exception("databases cannot be checked")
            found = CheckedData(tips, None, _BUG, None, time.monotonic())
        self._known = found

    def _read(self, board: Board, tips: frozenset[str | None]) -> CheckedData:
        """Check in a thread. Raises what `gitops data check` raises."""
        from gitops import wiring
        from gitops.actions.data_check import data_check

        # Whoever can change a manifest must not see the machine that has the server's secrets.
        renderer = wiring.open_renderer(require_isolation=True)
        if renderer is None:
            raise NotFound(
                "no kustomize is at hand, and what an overlay reaches is only known of its "
                "manifests",
                hint="install kustomize or kubectl where the server runs",
            )
        end = time.monotonic() + _LONGEST
        bounded = _Bounded(renderer, lambda: self._stopping or time.monotonic() > end)
        with self._sessions() as session:
            repository = session.repository
            tip = repository.snapshot(board.branch)
            report = data_check(tip, session.load_config, repository.snapshot, bounded)
        return CheckedData(tips, report, at=time.monotonic())


class _Bounded:
    """A renderer that builds until it is told that it is enough."""

    def __init__(self, renderer: Renderer, is_enough: Callable[[], bool]) -> None:
        self._renderer = renderer
        self._is_enough = is_enough

    @property
    def name(self) -> str:
        return self._renderer.name

    def build(self, files: Mapping[str, BuildFile], directory: str) -> Build:
        if self._is_enough():
            raise Unavailable(
                "building all overlays takes too long for a page", hint="gitops data check ENV"
            )
        return self._renderer.build(files, directory)


def _tips(board: Board) -> frozenset[str | None]:
    """Return the commits of the branches that overlays live on."""
    branches = {board.branch, *(row.branch or board.branch for row in board.config.environments)}
    return frozenset(board.state.tips.get(branch) for branch in branches)
