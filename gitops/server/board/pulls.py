"""The pull requests of what is proposed: asked of the forge now and then, and shown to all."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.view import view_of
from gitops.actions.pull_requests.waiting import WaitingProposal, read_waiting_proposal
from gitops.errors import GitopsError
from gitops.server.board.board import Board, BoardCell
from gitops.server.polling import Poller

if TYPE_CHECKING:
    from gitops.actions.context.session import Session

_EVERY = 60.0  # seconds between two questions about a proposal that nobody moved,
_APART = 15.0  # and so many for each that is open: forges allow some 5,000 requests an hour
_SOON, _SOON_APART = 10.0, 5.0  # the same after a hook
_TOGETHER = 0.1  # seconds in which whatever wakes it counts once
_MOST_AT_ONCE = 30  # proposals that one round asks about: forges count requests

_log = logging.getLogger("gitops.server")


class KnownPull(Struct, frozen=True):
    """What the forge said of one proposal.

    Attributes:
        commit: the head of the proposal that it is about.
        at: when the forge said so, UTC; None: it never did.
        asked: monotonic seconds of the last question.
        silent: why it could not be asked after that, None when it could.
    """

    commit: str | None
    waiting: WaitingProposal
    at: datetime | None
    asked: float
    silent: str | None = None


class PullReader(Poller):
    """One thread that asks for what is proposed on the board; a page never asks.

    A proposal is asked for when it is new, when its head moved, some seconds after a hook of the
    forge, and else once a minute, or less often where many are open. While the forge is silent,
    what it said of the same head stays.

    Args:
        lend: lends the session of one call.
        current: the board.
        changed: called when it says something else.
    """

    def __init__(
        self,
        lend: Callable[[], AbstractContextManager[Session]],
        current: Callable[[], Board | None],
        changed: Callable[[Board], None],
    ) -> None:
        super().__init__("gitops-pulls")
        self._lend = lend
        self._current = current
        self._changed = changed
        self._all = False
        self._pause = _EVERY
        self._known: dict[str, KnownPull] = {}

    def ask_again(self) -> None:
        """Ask about all of them now: the forge says that something happened there."""
        self._all = True
        self.wake()

    def of(self, cell: BoardCell) -> KnownPull | None:
        """Return what is known of the proposal of a cell as it stands there now."""
        proposal = cell.proposal
        found = self._known.get(proposal.branch) if proposal is not None else None
        same = found is not None and proposal is not None and found.commit == proposal.commit
        return found if same else None

    def _keep(self) -> None:
        while not self._stopping:
            self._wake.clear()
            board = self._current()
            try:
                if board is not None and self._ask(board):
                    self._changed(board)
            except GitopsError as error:
                _log.warning("pull requests cannot be read: %s", error.message)
            except Exception:  # noqa: BLE001 - one bad look must not end all others
                _log.exception("pull requests cannot be read")
            if self._wake.wait(self._pause) and not self._stopping:
                time.sleep(_TOGETHER)

    def _ask(self, board: Board) -> bool:
        """Ask about what is due; say whether anything is new."""
        first: dict[str, BoardCell] = {}
        for cell in board.cells():
            if cell.proposal is not None:
                first.setdefault(cell.proposal.branch, cell)
        known = {branch: one for branch, one in self._known.items() if branch in first}
        hooked, count = self._all, len(first)
        soon, usual = max(_SOON, count * _SOON_APART), max(_EVERY - 1, count * _APART)
        due = [one for one, cell in first.items() if self._age(cell) >= (soon if hooked else usual)]
        self._all = hooked and len(due) < count  # the others have their turn after that
        self._pause = soon if self._all else _EVERY
        due.sort(key=lambda branch: known[branch].asked if branch in known else 0.0)
        before, self._known = self._known, known
        if due and not self._stopping:
            with self._lend() as session:
                tip = open_tip(session, lenient=True)
                for branch in due[:_MOST_AT_ONCE]:
                    overlay = first[branch].known.overlay
                    found = read_waiting_proposal(view_of(session, tip, overlay))
                    known[branch] = _taken_in(first[branch], found, known.get(branch))
        return {one: _shown(pull) for one, pull in before.items()} != {
            one: _shown(pull) for one, pull in known.items()
        }

    def _age(self, cell: BoardCell) -> float:
        """Return the seconds since it was asked about, as it stands there now."""
        found = self.of(cell)
        return time.monotonic() - found.asked if found is not None else math.inf


def _taken_in(cell: BoardCell, found: WaitingProposal, before: KnownPull | None) -> KnownPull:
    """Return what is known now; of a silent forge's last word, where it was about this head."""
    commit = cell.proposal.commit if cell.proposal is not None else None
    now = time.monotonic()
    if found.silent is None:
        return KnownPull(commit, found, datetime.now(UTC), now)
    if before is not None and before.commit == commit and before.at is not None:
        return KnownPull(commit, before.waiting, before.at, now, found.silent)
    return KnownPull(commit, found, None, now, found.silent)


def _shown(pull: KnownPull) -> tuple[object, ...]:
    return pull.commit, pull.waiting, pull.silent
