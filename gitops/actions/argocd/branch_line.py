"""The order of a branch's own commits, kept from look to look: which of two came first?

Asked of thousands of overlays at once: each new stretch of the branch is walked once, and not once
for each overlay.
"""

from __future__ import annotations

from contextlib import suppress

from gitops.actions.context.session import Session
from gitops.errors import GitopsError


class BranchLine:
    """The first parents of one branch, from its tip down to the oldest that was asked about."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._places: dict[str, int] = {}
        self._foreign: dict[str, bool] = {}
        self.head = ""

    def move(self, session: Session, head: str) -> bool:
        """Take in the newest commit of the branch, in a session that has it.

        False where it does not lead to the one before: it is the first, or the branch was
        rewritten.
        """
        self._session = session
        if head == self.head:
            return True
        before, self.head = self.head, head
        self._foreign.clear()
        if before and self._walk(head, before, self._places[before]):
            return True
        self._places = {head: 0}
        return False

    def contains(self, commit: str, release: str) -> bool:
        """Say whether `commit` is on the line, and `release` (a first parent) is not newer."""
        at = self._place(commit)
        there = self._places.get(release)  # older than all that was walked, where it is not known
        return at is not None and (there is None or there <= at)

    def is_older(self, commit: str, release: str) -> bool | None:
        """Say whether `commit` comes before `release`; None where both are not known to be here."""
        at, there = self._places.get(commit), self._places.get(release)
        return at < there if at is not None and there is not None else None

    def is_foreign(self, commit: str) -> bool:
        """Say whether `commit` is nowhere in the history of the branch."""
        if commit in self._places or self._session is None:
            return False
        if commit not in self._foreign:
            found = self._session.evidence.contains(self.head, self.head, commit)
            self._foreign[commit] = not found
        return self._foreign[commit]

    def _place(self, commit: str) -> int | None:
        # A walk down to an older commit passes all that are known, and numbers them anew.
        known = commit in self._places or self._foreign.get(commit, False)
        if not (known or self._walk(self.head, commit, 0)):
            self.is_foreign(commit)
        return self._places.get(commit)

    def _walk(self, head: str, since: str, number: int) -> bool:
        """Number the commits above `since`, which has `number`; say whether `head` leads there."""
        landed = None
        with suppress(GitopsError):
            landed = self._session.evidence.landed(head, since) if self._session else None
        if landed is None:
            return False
        self._places[since] = number
        for place, one in enumerate(reversed(landed.commits), number + 1):
            self._places[one.commit] = place
        return True
