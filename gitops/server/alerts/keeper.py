"""Follows rollbacks that nobody asked for until they recovered, or a person must know."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gitops.actions.argocd.verification import to_verify, verify_rollbacks
from gitops.core.alerts.verification import RollbackVerification
from gitops.core.notifications.told import TOLD_BRANCH
from gitops.errors import GitopsError

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.actions.index.state import IndexState
    from gitops.core.argocd.reports import Live

_ALONE = 60.0  # seconds after a start in which what ended meanwhile may still come in

_log = logging.getLogger("gitops.server")


class VerificationKeeper:
    """Looks when the board was looked at, in that thread; what it knows stands in Git.

    Args:
        lend: lends the session of one call.
        changed: called when something is new.
        may_write: whether this server, and this replica of it, is the one that keeps it.
        alone: seconds after the start in which nothing is given up.
    """

    def __init__(
        self,
        lend: Callable[[], AbstractContextManager[Session]],
        changed: Callable[[], None],
        may_write: Callable[[], bool],
        *,
        alone: float = _ALONE,
    ) -> None:
        self._lend = lend
        self._changed = changed
        self._may_write = may_write
        self._until = time.monotonic() + alone
        self._known: dict[str, RollbackVerification] = {}
        self._tip: str | None = None
        self._trouble: str | None = None

    def known(self) -> Mapping[str, RollbackVerification]:
        """Return overlay -> what came of the rollback that it had last by itself."""
        return self._known

    def look(self, state: IndexState, lives: Mapping[str, Live]) -> None:
        """Look; `lives`: what the clusters say of each overlay that runs in one that is known."""
        tip = state.tips.get(TOLD_BRANCH)
        if tip == self._tip and not to_verify(state, self._known, datetime.now(UTC)):
            return
        try:
            with self._lend() as session:
                if not self._may_write():
                    session = replace(session, dry_run=True)
                alone = time.monotonic() < self._until
                found = verify_rollbacks(session, state, lives, is_alone=alone)
        except GitopsError as error:
            if self._trouble != error.message:
                _log.warning("what came of rollbacks cannot be seen: %s", error.message)
            self._trouble = error.message
            return
        self._trouble, self._tip = None, tip
        for label, one in found.items():
            before = self._known.get(label)
            if before is None or before.outcome != one.outcome:
                _log.info("%s since the rollback %s: %s", label, one.commit[:7], one.outcome)
        if found != self._known:
            self._known = found
            self._changed()
