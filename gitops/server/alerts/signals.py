"""Releases that a cluster calls Degraded, taken in as alerts are, once they have stayed so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from gitops.core.alerts.alert import Alert
from gitops.core.alerts.signal import signal_of
from gitops.core.argocd.reports import Live
from gitops.core.environments.environment import label_of
from gitops.errors import GitopsError, TryAgain

SETTLE: Final = 20.0
"""Seconds for which it must stay bad: longer than between two looks at the clusters."""

_AGAIN: Final = 60.0  # seconds, where nobody knows now

_log = logging.getLogger("gitops.server")


class _Waiting(Struct):
    alert: Alert
    due: float


class ClusterSignals:
    """Listens to what changes in the clusters, and hands on what stays bad; for any thread.

    Args:
        lives: overlay -> what its clusters say now.
        take: decides about an alert of an overlay, and does it.
        is_my_turn: whether this replica does that, right now.
        settle: seconds for which something must stay bad.
    """

    def __init__(
        self,
        lives: Callable[[], Mapping[str, Live]],
        take: Callable[[str, Alert], object],
        is_my_turn: Callable[[], bool],
        *,
        settle: float = SETTLE,
    ) -> None:
        self._lives = lives
        self._take = take
        self._is_my_turn = is_my_turn
        self._settle = settle
        self._waiting: dict[str, _Waiting] = {}
        self._done: dict[str, str] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._keep, name="gitops-signals", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take nothing in any more."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def heard(
        self, environment: str, app: str | None, _before: Live | None, now: Live | None
    ) -> None:
        """Take in what a cluster says now (`server/board/clusters.py`)."""
        label = label_of(environment, app)
        alert = signal_of(label, now, datetime.now(UTC))
        with self._changed:
            known = self._waiting.get(label)
            if alert is None:
                self._waiting.pop(label, None)
            elif self._done.get(label) == alert.fingerprint:
                return
            elif known is None or known.alert.fingerprint != alert.fingerprint:
                self._waiting[label] = _Waiting(alert, time.monotonic() + self._settle)
                self._changed.notify()

    def _keep(self) -> None:
        while True:
            with self._changed:
                due = min((one.due for one in self._waiting.values()), default=None)
                self._changed.wait(None if due is None else max(due - time.monotonic(), 0.0))
                if self._stopping:
                    return
                now = time.monotonic()
                ripe = [(label, one) for label, one in self._waiting.items() if one.due <= now]
            for label, one in ripe:
                self._judge(label, one)

    def _judge(self, label: str, one: _Waiting) -> None:
        """Take it in if it is bad still; whoever's turn comes later finds it waiting."""
        again = signal_of(label, self._lives().get(label), datetime.now(UTC))
        over = again is None or again.fingerprint != one.alert.fingerprint
        try:
            if not over and not self._is_my_turn():
                one.due += self._settle
                return
            if not over:
                self._take(label, one.alert)
        except TryAgain as error:
            _log.warning("%s is bad, and nothing is decided: %s", label, error.message)
            one.due = time.monotonic() + _AGAIN
            return
        except GitopsError as error:
            _log.warning("%s is bad, and nothing can be done: %s", label, error.message)
        except Exception:  # noqa: BLE001 - one that fails must not keep others from being heard
            _log.exception("%s is bad, and nothing can be done", label)
        with self._changed:
            if not over:
                self._done[label] = one.alert.fingerprint
            if self._waiting.get(label) is one:
                del self._waiting[label]
