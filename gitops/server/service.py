"""What every room of the server gets handed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from gitops.server.board.board import Board, make_board
from gitops.server.board.hub import EventHub
from gitops.server.board.keeper import EVERY, BoardKeeper
from gitops.server.doors import Doors, Opened
from gitops.server.identity.person import Person
from gitops.server.settings import ServerSettings
from gitops.server.workers import Workers

if TYPE_CHECKING:
    from gitops.actions.context.session import Session


class Right(Protocol):
    """Whether somebody may do something, and why not, in words."""

    @property
    def allowed(self) -> bool: ...

    @property
    def why(self) -> str: ...


class _Answer(Struct, frozen=True):
    allowed: bool
    why: str = ""


class Service:
    """One server on one repository.

    Attributes:
        board: what runs where, as it was seen last.
        hub: the streams of events.
        workers: where blocking calls run.
        doors: open repositories for them.
    """

    def __init__(self, settings: ServerSettings, *, every: float = EVERY) -> None:
        self.settings = settings
        self.hub = EventHub()
        self.workers = Workers()
        self.doors = Doors(self._opened)
        self.board = BoardKeeper(self._look, self._changed, every=every)

    @contextmanager
    def open_session(
        self, person: Person | None = None, intent: str | None = None
    ) -> Iterator[Session]:
        """Lend the session of one call, in a thread of `workers`.

        `person` writes (None, or whoever runs the server: as Git says); `intent` is the
        `Gitops-Id`, a new one by default. Raises what opening a repository does.
        """
        from gitops.core.git.commit import Identity

        with self.doors.session() as session:
            if intent is not None:
                session = replace(session, intent=intent)
            if person is not None and person.via != "loopback":
                who = Identity(person.name, person.email)
                session = replace(session, identity=lambda: who)
            yield session

    def may(self, person: Person | None, verb: str, environment: str, app: str | None) -> Right:
        """Say whether `person` may do `verb` there, and why not."""
        if self.settings.read_only:
            return _Answer(False, "this server only shows")
        if person is None:
            return _Answer(False, "sign in to do that")
        return _Answer(True)

    def start(self) -> None:
        """Begin; on the event loop."""
        self.hub.open()
        self.board.start()

    def stop(self) -> None:
        """End the streams, so that the server can stop; on the event loop."""
        self.hub.close()
        self.board.stop()

    def close(self) -> None:
        """Let go of everything."""
        self.workers.close()
        self.doors.close()

    def _opened(self) -> Opened:
        from gitops.wiring import open_kept

        return open_kept(self.settings.repository, self.settings.branch)

    def _look(self) -> Board:
        from gitops.actions.status import status

        with self.doors.session() as session:
            return make_board(status(session), datetime.now(UTC))

    def _changed(self, board: Board) -> None:
        self.hub.publish("board", board.mark)
