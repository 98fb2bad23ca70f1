"""Whose turn it is to tell people, among replicas: whoever holds the lease.

As client-go elects (k8s.io/client-go/tools/leaderelection): clocks are never compared. Who waits
takes a lease over when it has not changed for as long as it says, by a clock of their own; who
holds it stops before that, counted from before the last renewal was sent.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable
from socket import gethostname
from typing import Final

from gitops.errors import GitopsError, Refused, TryAgain
from gitops.ports.lease import LeaseRecord, LeaseStore
from gitops.server.settings import ServerSettings, channels_of

DURATION: Final = 15  # seconds after which another replica takes over
_HELD: Final = 10 / 15  # part of it that whoever holds it counts on
_EVERY: Final = 3 / 15  # part of it between two renewals, or looks
_NEVER: Final = float("-inf")
_ALONE: Final = 60.0  # seconds between two tries where there is no lease to be had

_log = logging.getLogger("gitops.server")


class TellingTurn:
    """Without a lease it is always one's own turn; everything here is for any thread.

    Args:
        store: None: there are no replicas, or they do not agree.
        owner: of what they are replicas.
        gained: called when it has become one's own turn.
    """

    def __init__(
        self,
        store: LeaseStore | None,
        owner: str,
        gained: Callable[[], None],
        *,
        duration: int = DURATION,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = f"{gethostname()}_{secrets.token_hex(4)}"
        self._store = store
        self._owner = owner
        self._gained = gained
        self._duration = duration
        self._now = clock
        self._until = _NEVER
        self._alone = store is None
        self._record: LeaseRecord | None = None
        self._seen = 0.0
        self._trouble: str | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_agreed(self) -> bool:
        """Whether there is a lease that decides."""
        return not self._alone

    def is_mine(self) -> bool:
        """Say whether it is this replica's turn, right now."""
        return self._alone or self._now() < self._until

    def start(self) -> None:
        """Begin to ask for it."""
        if self._store is not None:
            self._thread = threading.Thread(
                target=self._keep, args=(self._store,), name="gitops-lease", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Give it back, so that another need not wait."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(2 * self._duration)

    def _keep(self, store: LeaseStore) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self.step(store))
        record = self._record
        self._until = _NEVER
        if record is not None and record.holder == self.identity:
            try:
                store.write("", 1, self._owner, record)
            except GitopsError:
                return  # it runs out

    def step(self, store: LeaseStore) -> float:
        """Renew it, take it, or look who has it; return the seconds until the next step."""
        was = self.is_mine()
        begun = self._now()
        try:
            record = self._record
            if record is None or record.holder != self.identity:
                record = self._look(store)
            if record is None or self._is_free(record, begun):
                self._record = store.write(self.identity, self._duration, self._owner, record)
                if self._record is not None:
                    self._until, self._alone = begun + self._duration * _HELD, False
                    self._say("people are told by this replica")
                else:
                    self._until = _NEVER  # somebody was quicker: who, is seen at the next look
        except TryAgain as error:
            self._say(f"who tells people is not known now: {error.message}", bad=True)
        except GitopsError as error:
            return self._go_alone(error.message)
        if self.is_mine() and not was:
            self._gained()
        return self._duration * _EVERY

    def _look(self, store: LeaseStore) -> LeaseRecord | None:
        found = store.read()
        if found is not None and found.owner not in ("", self._owner):
            raise Refused(
                f"{store.name} is that of a server for another repository: "
                "give this one a name of its own with `lease` in its settings"
            )
        self._alone = False
        if found is not None and found != self._record:
            self._seen = self._now()
            if self._record is None or found.holder != self._record.holder:
                self._say(f"people are told by {found.holder or 'nobody'}")
        self._record = found
        return found

    def _is_free(self, record: LeaseRecord, now: float) -> bool:
        if record.holder in ("", self.identity):
            return True
        return now - self._seen >= record.seconds

    def _go_alone(self, why: str) -> float:
        """There is no lease to be had: as without one, each replica tells what it sees."""
        was, self._alone, self._record = self.is_mine(), True, None
        self._say(f"replicas cannot agree who tells people, so each does: {why}", bad=True)
        if not was:
            self._gained()
        return _ALONE

    def _say(self, text: str, *, bad: bool = False) -> None:
        if self._trouble != text:
            _log.log(logging.WARNING if bad else logging.INFO, "%s", text)
        self._trouble = text


def turn_of(settings: ServerSettings, gained: Callable[[], None]) -> TellingTurn:
    """Return whose turn it is, by `lease` of the settings, or the pod's account.

    Who has no channels has nobody to tell, and keeps off the lease.
    """
    from gitops.wiring.service import open_lease

    file = settings.file
    rows = file.keys.get("lease") if file is not None else None
    store = None
    if channels_of(file):
        said = rows.texts if rows is not None else {}
        store = open_lease(
            said.get("name"), said.get("namespace"), said.get("context"), wanted=rows is not None
        )
    # Not the token in an address: replicas may have another one while it is renewed.
    about = f"{re.sub('//[^/@]*@', '//', settings.repository)} {settings.branch or ''}"
    return TellingTurn(store, hashlib.sha256(about.encode()).hexdigest()[:16], gained)
