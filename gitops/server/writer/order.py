"""What the writer is asked to do, by whom, and what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.session import Session
from gitops.core.forges.token import OwnToken
from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.git.message import trailers
from gitops.core.report import WriteReport
from gitops.core.text.plain import one_line
from gitops.errors import Bug, GitopsError, UsageError

RANKS: Final = {
    "rollback": 0,
    "undo": 0,
    "hold": 1,
    "resume": 1,
    "approve": 2,
    "close": 2,
    "qa": 2,
    "promote": 3,
    "deploy": 4,
}
"""The order in which a batch is planned: the way back first, what CI sends last."""

_CHAIN: Final = 20  # errors that lead to one
_NOWHERE: Final = Context()

LOOK: Final = "look"
"""Stands for the verb of a call that only asks what became of an id."""

ACTOR: Final = "Gitops-Actor"
REQUEST: Final = "Gitops-Request"
"""The trailer with a digest of all that a caller asked for under their id."""

_SAME_WORD: Final = ("rollback", "undo", "hold", "resume", "promote", "deploy")
"""Verbs that their commits name; what an approval lets in keeps its own."""


class KeyReused(UsageError):
    """The id of a call is that of another one."""

    http_status = 422

    def __init__(self, name: str) -> None:
        hint = "an id is for one call: take a new one"
        super().__init__(f"{name} was sent with something else before", hint=hint)


class CallOrder(Struct, frozen=True):
    """One call.

    Attributes:
        id: its `Gitops-Id`.
        verb: one of `RANKS`.
        digest: of all that is asked for, and by whom: the same id with another one is refused.
        run: does it with a session, as the command line does.
        author: of what it commits; None: whoever runs the server.
        trailers: what its commits say beside: (`Gitops-Actor`, `user:ana@example.com`).
        caller: whom it is counted for where many wait; "" for nobody in particular.
        fresh: the id was made for this very call, so that nothing of it can have landed.
        personal: a forge must hear it from the person, by `token`; nothing prints that.
    """

    id: str
    verb: str
    digest: str
    run: Callable[[Session], WriteReport]
    author: Identity | None = None
    trailers: tuple[tuple[str, str], ...] = ()
    fresh: bool = False
    personal: bool = False
    token: OwnToken | None = None
    caller: str = ""

    def made(self, info: CommitInfo) -> bool:
        """Say whether a commit that has this id is of this call, as far as it says whose it is."""
        told = trailers(info.message)
        if len(told.get("Gitops-Id", ())) > 1:
            return True  # several calls in one commit: of whom the rest of it is nobody can say
        for key, mine in self.trailers:
            if key in (ACTOR, REQUEST) and told.get(key, (one_line(mine),))[-1] != one_line(mine):
                return False
        action = told.get("Gitops-Action", (self.verb,))[-1]
        return self.verb not in _SAME_WORD or action == self.verb

    def __repr__(self) -> str:
        return f"CallOrder(id={self.id!r}, verb={self.verb!r})"


class Outcome(Struct, frozen=True):
    """What came of a call: one of the two.

    Attributes:
        again: it had landed before this call came.
    """

    report: WriteReport | None = None
    error: GitopsError | None = None
    again: bool = False


class Call:
    """A call on its way.

    Attributes:
        number: the place in which it came.
        accepted, answered: seconds on the monotonic clock; `answered` None while it runs.
        began: it is being planned, or was.
        around: of whoever asked, for spans.
    """

    def __init__(self, order: CallOrder, number: int, accepted: float) -> None:
        self.order = order
        self.number = number
        self.accepted = accepted
        self.answered: float | None = None
        self.began = False
        self.around = copy_context()
        self._outcome: Outcome | None = None
        self._listeners: list[Callable[[], None]] = []
        self._guard = threading.Lock()

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among calls of nobody in particular: first come, first served."""
        return self.rank, self.number

    @property
    def rank(self) -> int:
        """Where its verb stands in a batch."""
        return RANKS.get(self.order.verb, max(RANKS.values()))

    @property
    def outcome(self) -> Outcome | None:
        """What came of it; None as long as nobody knows."""
        return self._outcome

    def wait(self, seconds: float | None = None) -> Outcome | None:
        """Wait for the end, at most so long, and return what came of it."""
        done = threading.Event()  # thousands of answers are kept, of which nobody waits
        self.when_done(done.set)
        done.wait(seconds)
        return self._outcome

    def when_done(self, listener: Callable[[], None]) -> None:
        """Call `listener`, from any thread, when it is done; at once where it is."""
        with self._guard:
            if self._outcome is None:
                self._listeners.append(listener)
                return
        listener()

    def answer(self, outcome: Outcome, now: float) -> None:
        """Say what came of it; the first word counts."""
        with self._guard:
            if self._outcome is not None:
                return
            _let_go_of_frames(outcome.error)
            self._outcome, self.answered = outcome, now
            listeners, self._listeners = self._listeners, []
            # Kept for minutes: what it was asked with, and by which request, is not wanted.
            self.order = replace(self.order, run=_is_done, token=None)
            self.around = _NOWHERE
        for listener in listeners:
            listener()


def _is_done(_session: Session) -> WriteReport:
    raise Bug("a call that was answered is done once more")


def _let_go_of_frames(error: BaseException | None) -> None:
    """An answer is kept for minutes: what its frames hold (a session, trees) is not wanted."""
    for _ in range(_CHAIN):
        if error is None:
            return
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
