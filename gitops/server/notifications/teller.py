"""A thread that tells people what happened, as `gitops notify` does once.

Of several replicas the one whose turn it is does; where they do not agree, each that has `channels`
tells what it sees, and two that look at the same moment tell it twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from gitops.actions.notify import hand_over, notify
from gitops.errors import Conflict, GitopsError, TryAgain, UsageError

if TYPE_CHECKING:
    from gitops.actions.context.session import Session
    from gitops.actions.index.state import IndexState
    from gitops.actions.notify import NotifyReport
    from gitops.core.notifications.event import Event
    from gitops.ports.notifier import Notifier

_AT_MOST_EVERY = 5.0  # seconds: what happens together is told together
_MOST_EVENTS = 200
_AGAIN = 60.0  # seconds, after a look that failed

_log = logging.getLogger("gitops.server")


class Teller:
    """Tells when it is woken; everything here may be called from any thread.

    Args:
        channels: name -> addresses; none: nobody is told anything.
        lend: lends the session of one call.
        page: the address of the pages, for links.
        seen: what the server has read of Git already.
        is_my_turn: whether this replica tells, right now.

    Attributes:
        sent, failed: how many messages went out, and did not.
        trouble: why the last try to tell ended early; None when it did not.

    Raises NotFound where apprise is not installed, UsageError for an address that is none.
    """

    def __init__(
        self,
        channels: Mapping[str, Sequence[str]],
        lend: Callable[[], AbstractContextManager[Session]],
        page: str,
        seen: Callable[[], IndexState | None] = lambda: None,
        *,
        is_my_turn: Callable[[], bool] = lambda: True,
        at_most_every: float = _AT_MOST_EVERY,
    ) -> None:
        self._notifier = _InTurn(_opened(channels), is_my_turn) if channels else None
        self._is_my_turn = is_my_turn
        self._lend = lend
        self._page = page
        self._seen = seen
        self._pause = at_most_every
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._more: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self.sent = 0
        self.failed = 0
        self.trouble: str | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, where there is anybody to tell."""
        if self._notifier is not None:
            self._thread = threading.Thread(
                target=self._keep, args=(self._notifier,), name="gitops-teller", daemon=True
            )
            self._thread.start()

    def wake(self) -> None:
        """Something changed."""
        self._wake.set()

    def say(self, event: Event) -> None:
        """Tell of something that Git does not know."""
        if self._notifier is not None:
            self._more.append(event)
            self.wake()

    def stop(self) -> None:
        """Tell no more; a message that is on its way goes out."""
        self._stopping.set()
        self._wake.set()

    def close(self, seconds: float = 15.0) -> None:
        """Wait for what is on its way."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _keep(self, notifier: Notifier) -> None:
        again: float | None = None
        while True:
            self._wake.wait(again)
            if self._stopping.is_set():
                return
            self._wake.clear()
            begun = time.monotonic()
            again = None if self._once(notifier) else _AGAIN
            if self._stopping.wait(max(begun + self._pause - time.monotonic(), 0.0)):
                return

    def _once(self, notifier: Notifier) -> bool:
        """Tell what is new; say whether that came to its end."""
        try:
            report = self._tell(notifier)
        except UsageError as error:  # no `notify:`: a change of gitops.yaml wakes us
            self.trouble = error.message
            return True
        except TryAgain as error:
            self.trouble = error.message
            return False
        except GitopsError as error:
            self._warn(f"people cannot be told: {error.message}")
            return False
        except Exception:  # noqa: BLE001 - one bad look must not end all others
            _log.exception("people cannot be told")
            self.trouble = "a bug in gitops; see the server's log"
            return False
        self.trouble = None
        if report is not None:
            self._note(report)
        return True

    def _tell(self, notifier: Notifier) -> NotifyReport | None:
        """Tell it, or leave to whose turn it is what only this replica knows."""
        more, report = tuple(self._more), None
        with self._lend() as session:
            if self._is_my_turn():
                seen = self._seen()
                report = notify(session, notifier, page=self._page, earlier=seen, more=more)
            elif more:
                hand_over(session, more)
        for _ in more:
            self._more.popleft()
        return report

    def _note(self, report: NotifyReport) -> None:
        self.failed += len(report.failed)
        self.sent += sum(one.outcome == "sent" for one in report.sent)
        for one in report.failed:
            _log.warning("a message to %s did not go out: %s: %s", one.channel, one.title, one.why)
        for note in report.notes:
            _log.warning("telling people: %s", note)
        for name in report.unknown:
            _log.info("channel %s of gitops.yaml has no address in the settings", name)

    def _warn(self, trouble: str) -> None:
        if self.trouble != trouble:
            _log.warning("%s", trouble)
        self.trouble = trouble


class _InTurn:
    """A notifier that stops when the turn is another's."""

    def __init__(self, notifier: Notifier, is_my_turn: Callable[[], bool]) -> None:
        self._notifier = notifier
        self._is_my_turn = is_my_turn

    def names(self) -> Collection[str]:
        """Return the channels."""
        return self._notifier.names()

    def send(self, channel: str, title: str, body: str) -> str | None:
        """Send it. Raises Conflict when another replica tells now."""
        if not self._is_my_turn():
            raise Conflict("another replica tells people now")
        return self._notifier.send(channel, title, body)


def _opened(channels: Mapping[str, Sequence[str]]) -> Notifier:
    from gitops.wiring.service import open_notifier

    return open_notifier(channels)
