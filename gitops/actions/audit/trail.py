"""Who did what, when and why: the commits of every branch that gitops writes, newest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct

from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.core.audit.trail import TrailEntry, trail_entry
from gitops.core.ledger import LEDGER_BRANCH
from gitops.errors import NotFound
from gitops.ports import Snapshot

MOST_LOOKED = 20_000
"""Commits that one question looks at, whatever it asks for."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class AuditQuestion(Struct, frozen=True):
    """What is asked for.

    Attributes:
        who: part of a name, an address or an actor; "" for everybody, in any case.
        environment: an environment, or `APP/ENV`; "" for all.
        action: rollback, qa, …; "" for all.
        skip, limit: how many of the newest that fit are passed over, and how many are told.
    """

    who: str = ""
    environment: str = ""
    action: str = ""
    skip: int = 0
    limit: int = 100

    def fits(self, entry: TrailEntry) -> bool:
        """Say whether an entry is asked for."""
        if self.action and entry.action != self.action:
            return False
        names = (entry.author.name, entry.author.email, entry.actor or "")
        if self.who and not any(self.who.lower() in one.lower() for one in names):
            return False
        if not self.environment:
            return True
        ends = f"/{self.environment}"
        return any(one == self.environment or one.endswith(ends) for one in entry.labels)


class AuditTrail(Struct, frozen=True):
    """What was found; `more`: there are older ones that nobody looked at or that do not fit in."""

    entries: tuple[TrailEntry, ...]
    more: bool


def audit_trail(session: Session, question: AuditQuestion) -> AuditTrail:
    """Return what Git and the ledger tell, the newest first. Raises as reading a tip does."""
    tip = open_tip(session, lenient=True)
    streams = [_entries(session, snapshot) for snapshot in _snapshots(tip)]
    merged = heapq.merge(*streams, key=lambda one: one.time or _EARLIEST, reverse=True)
    found: list[TrailEntry] = []
    for looked, entry in enumerate(merged):
        if len(found) > question.skip + question.limit or looked >= MOST_LOOKED:
            return AuditTrail(tuple(found[question.skip : question.skip + question.limit]), True)
        if question.fits(entry):
            found.append(entry)
    last = question.skip + question.limit
    return AuditTrail(tuple(found[question.skip : last]), len(found) > last)


def _snapshots(tip: Tip) -> Iterator[Snapshot]:
    """Yield the tips of the branches that environments live on, and of the ledger."""
    yield tip.snapshot
    own = {row.branch for row in tip.config.environments} - {None, tip.snapshot.branch}
    for branch in sorted(filter(None, [*own, LEDGER_BRANCH])):
        try:
            yield tip.at(branch)
        except NotFound:
            continue


def _entries(session: Session, snapshot: Snapshot) -> Iterator[TrailEntry]:
    for version in session.repository.history(snapshot.commit, ""):
        yield trail_entry(version.commit, snapshot.branch)
