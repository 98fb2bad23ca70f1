"""Which calls have landed, as Git tells it: the `Gitops-Id` of every commit since a moment.

Asked when an id comes that this process knows nothing of: it may have been sent before, to another
replica, or before a crash. The time in the id says how far back to look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.core.batch.landed import landed
from gitops.core.git.commit import CommitInfo, made_at
from gitops.core.ledger import LEDGER_BRANCH
from gitops.core.report import Committed, WriteReport
from gitops.errors import NotFound, UsageError
from gitops.ports.kept import KeptRepository
from gitops.server.writer.order import LOOK, CallOrder, KeyReused
from gitops.server.writer.round import Round

_MARGIN: Final = 300.0  # seconds that the clocks of machines may be apart
_UNTIMED: Final = 3600.0  # seconds that are looked back for an id that does not tell its time
_AT_LEAST: Final = 900.0  # the same for any id: those that come next are mostly of these minutes
_DAY: Final = 86_400.0
_MOST: Final = 16_384  # commits


class LandedIds:
    """The ids on the branches that calls write; for whoever has the turn."""

    def __init__(self, repository: KeptRepository) -> None:
        self._repository = repository
        self._branches: dict[str, _BranchIds] = {}

    def report(self, session: Session, order: CallOrder, round_: Round) -> WriteReport | None:
        """Return what a call did that landed before; None where nothing of it has.

        Raises UsageError for an id so old that nobody can say, KeyReused for one that was somebody
        else's, and what reading the tip does.
        """
        config = open_tip(session, lenient=True)
        names = [config.snapshot.branch, *(row.branch for row in config.config.environments)]
        # An approval that is noted has still to let the proposal in: whoever died between the two
        # is asked again, and notes nothing twice.
        names += [LEDGER_BRANCH] if order.verb == "qa" else []
        now = session.clock.now().timestamp()
        found: list[Committed] = []
        for branch in dict.fromkeys(name for name in names if name is not None):
            try:
                tip = round_.base(branch)
            except NotFound:
                continue
            ids = self._branches.setdefault(branch, _BranchIds())
            commit = ids.find(self._repository, tip, order, now)
            found += [Committed(branch, commit)] if commit is not None else []
        if not found:
            return None
        return WriteReport(
            action=order.verb,
            outcome="committed",
            branch=found[0].branch,
            repository=self._repository.describe(),
            commit=found[0].commit,
            commits=tuple(found),
            notes=("it has landed before: nothing was written now",),
        )

    def pushed(
        self, branch: str, before: str | None, after: str, made: Mapping[str, CallOrder]
    ) -> None:
        """Learn of our own push, which moved `branch`; `made`: what calls it carried, by commit."""
        if (known := self._branches.get(branch)) is not None and known.tip == before:
            known.learn(after, made)


class _BranchIds:
    """The ids on one branch since a moment."""

    def __init__(self) -> None:
        self.tip: str | None = None
        self.since = float("inf")
        self.ids: dict[str, str] = {}
        self.orders: dict[str, str] = {}  # id -> digest, of what this process has pushed
        self._infos: Mapping[str, CommitInfo] = {}

    def find(
        self, repository: KeptRepository, tip: str, order: CallOrder, now: float
    ) -> str | None:
        """Return the commit at `tip`, or before it, that has the id; `now`: seconds since 1970.

        Raises KeyReused where that one says that it was another call.
        """
        name = order.id
        made = made_at(name)
        since = (made if made is not None else now - _UNTIMED) - _MARGIN
        if tip != self.tip or since < self.since:
            self._read(repository, tip, since, now)
        if since < self.since:
            raise UsageError(
                f"nobody can say whether {name} has landed: it is too long ago",
                hint="look at the history, and send it with a new id if it has not",
            )
        info = self._infos.get(name)
        same = self.orders.get(name, order.digest) == order.digest or order.verb == LOOK
        if not same or (info is not None and not order.made(info)):
            raise KeyReused(name)
        return self.ids.get(name)

    def learn(self, tip: str, made: Mapping[str, CallOrder]) -> None:
        """Take note of what a push brought; of very many the next question reads Git again."""
        self.tip = tip
        self.ids |= {order.id: commit for commit, order in made.items()}
        self.orders |= {order.id: order.digest for order in made.values()}
        if len(self.ids) > 2 * _MOST:
            self._forget()

    def _forget(self) -> None:
        self.tip, self.since = None, float("inf")
        self.ids, self.orders, self._infos = {}, {}, {}

    def _read(self, repository: KeptRepository, tip: str, since: float, now: float) -> None:
        """Read the ids since a moment, and since one before it where these are not too many."""
        self._forget()
        early = min(since, now - _AT_LEAST)
        if since < now - _UNTIMED - _MARGIN:
            early = since - since % _DAY  # so that a row of ids, each older, is one look, not many
        for moment in dict.fromkeys((early, since)):
            found = repository.newest(tip, moment, _MOST)
            if found is not None:
                self.tip, self.since = tip, moment
                self._infos = landed(found)
                self.ids = {one: info.commit for one, info in self._infos.items()}
                return
