"""Takes alerts in, lets the writer go back where every guard agrees, and keeps what came of it."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.alerts import AlertMemory, JudgedAlert, act_on, judge_alerts, judge_signal
from gitops.actions.argocd.verification import note_ended
from gitops.core.alerts.alert import Alert, AlertBatch
from gitops.core.alerts.verification import ALERT_EMAIL, CLUSTER_EMAIL, ON_BEHALF
from gitops.core.git.commit import Identity
from gitops.core.notifications.event import Event
from gitops.core.report import WriteReport
from gitops.errors import GitopsError, TimedOut, TryAgain
from gitops.server.writer.order import CallOrder

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.actions.index.state import IndexState
    from gitops.server.writer.order import Call

_KEPT = 200
_PATIENCE = 8.0  # seconds for all of a body: a receiver that is slower is sent to again

_log = logging.getLogger("gitops.server")


class TakenAlert(Struct, frozen=True):
    """An alert, what was decided, and what came of it.

    Attributes:
        at: when it came in, UTC.
        hook: the name of the hook.
        outcome: of the rollback: committed, proposed, unchanged; None: there was none.
        commit: that it made; None for none.
    """

    at: datetime
    hook: str
    judged: JudgedAlert
    outcome: str | None = None
    commit: str | None = None

    def told(self) -> dict[str, Any]:
        """Return what came of it, for the sender's log."""
        return {"outcome": self.outcome, "commit": self.commit}


class AlertDesk:
    """Everything here may be called from any thread.

    Args:
        lend: lends the session of one call.
        submit: hands a call to the writer.
        tell: tells people of an alert that nothing was done about.
        seen: what the server has read of Git already.
    """

    def __init__(
        self,
        lend: Callable[[], AbstractContextManager[Session]],
        submit: Callable[[CallOrder], Call],
        tell: Callable[[Event], None],
        seen: Callable[[], IndexState | None],
    ) -> None:
        self._lend = lend
        self._submit = submit
        self._tell = tell
        self._memory = AlertMemory()
        self._seen = seen
        self._judging = threading.Lock()  # held while a rollback lands
        self._lock = threading.Lock()  # of what is kept for the page: never for long
        self._taken: deque[TakenAlert] = deque(maxlen=_KEPT)
        self._told: deque[str] = deque(maxlen=1000)
        self.acted = 0

    def taken(self) -> list[TakenAlert]:
        """Return what came in, the newest first."""
        with self._lock:
            return list(reversed(self._taken))

    def take(self, hook: str, batch: AlertBatch) -> list[TakenAlert]:
        """Decide about each alert of a body, and do it.

        Raises TryAgain where nobody knows now: the sender comes again, and finds what is done by
        its id, on whichever replica.
        """
        with self._judging:  # one body at a time: what fires together is judged together
            with self._lend() as session:
                state, judged = judge_alerts(session, batch, self._memory, self._seen())
                note_ended(session, state, _ended(judged))
            calls = [self._begin(one) for one in judged]
            end = time.monotonic() + _PATIENCE
            done = [
                self._end(hook, one, call, end) for one, call in zip(judged, calls, strict=True)
            ]
        for one in done:
            self._remember(one)
        return done

    def take_signal(self, label: str, alert: Alert) -> TakenAlert:
        """Decide about what a cluster says of an overlay, and do it; see `take`."""
        with self._judging:
            with self._lend() as session:
                judged = judge_signal(session, label, alert, self._memory, self._seen())
            end = time.monotonic() + _PATIENCE
            done = self._end("cluster", judged, self._begin(judged), end)
        self._remember(done)
        return done

    def _begin(self, judged: JudgedAlert) -> Call | None:
        if judged.action not in ("rollback", "propose"):
            return None
        alert = judged.alert
        email, via = (CLUSTER_EMAIL, "cluster") if alert.by_cluster else (ALERT_EMAIL, "alert")
        about = f"{alert.name} {alert.fingerprint} {alert.starts_at.isoformat()} {alert.url}"

        def run(session: Session) -> WriteReport:
            return act_on(session, judged)

        return self._submit(
            CallOrder(
                id=judged.intent,
                verb="rollback",
                digest=hashlib.sha256(judged.alert.key.encode()).hexdigest(),
                run=run,
                author=Identity(f"{ON_BEHALF}{alert.name}", email),
                trailers=(("Gitops-Via", via), ("Gitops-Alert", about.strip())),
            )
        )

    def _end(self, hook: str, judged: JudgedAlert, call: Call | None, end: float) -> TakenAlert:
        now = datetime.now(UTC)
        if call is None:
            return TakenAlert(now, hook, judged)
        outcome = call.wait(max(end - time.monotonic(), 0.0))
        if outcome is None:
            raise TimedOut("the rollback is not through yet", hint="send it again")
        if outcome.error is not None:
            if isinstance(outcome.error, TryAgain):
                raise outcome.error
            return TakenAlert(now, hook, _left(judged, outcome.error))
        report = outcome.report
        self.acted += 1
        return TakenAlert(
            now,
            hook,
            judged,
            report.outcome if report is not None else None,
            report.commit if report is not None else None,
        )

    def _remember(self, taken: TakenAlert) -> None:
        with self._lock:
            self._taken.append(taken)
        one = taken.judged
        if taken.outcome is not None:
            _log.warning("alert %s: %s %s", one.alert.name, taken.outcome, one.label)
            return
        if one.action == "none" or not one.alert.firing:
            return
        _log.warning("alert %s of %s: nothing done: %s", one.alert.name, one.label, one.why)
        if one.alert.key in self._told:
            return
        self._told.append(one.alert.key)
        self._tell(
            Event(
                id=one.alert.key,
                kind="alert",
                labels=(one.label or "somewhere",),
                what=f"{one.alert.name}, and nothing was done",
                subject=one.alert.summary,
                reason=one.why,
                time=one.alert.starts_at,
                url=one.alert.url,
            )
        )


def _ended(judged: Sequence[JudgedAlert]) -> list[tuple[str, Alert]]:
    """Return what has ended where, as long as no other instance of the rule fires there still."""
    fires = {(one.label, one.alert.name) for one in judged if one.alert.firing}
    return [
        (one.label, one.alert)
        for one in judged
        if one.label is not None and (one.label, one.alert.name) not in fires
    ]


def _left(judged: JudgedAlert, error: GitopsError) -> JudgedAlert:
    return replace(judged, action="tell", why=error.message)
