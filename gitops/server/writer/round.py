"""One round: the branches as the calls of it leave them, and what is pushed for all of them.

Nothing of it is visible to others until the one push. Each branch is read once, and from then on
is what the calls before have made of it, so each call plans as if those before it had landed: with
their holds, policy and images.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import copy

from gitops.errors import NotFound, TryAgain
from gitops.ports import Lost, RefUpdate, Snapshot
from gitops.ports.kept import KeptRepository

_HEADS = "refs/heads/"
PATIENCE = 1.0
"""Seconds for which a round waits for answers that its calls need of others than the repository."""


class Round:
    """The branches of one round, and how they are to move."""

    def __init__(self, repository: KeptRepository) -> None:
        self._repository = repository
        self._tips: dict[str, Snapshot | None] = {}
        self._bases: dict[str, str] = {}
        self._default: str | None = None
        self._away: TryAgain | None = None
        self._moved: dict[str, RefUpdate] = {}
        self._guards: dict[str, RefUpdate] = {}
        self._patience = PATIENCE

    def snapshot(self, branch: str | None) -> Snapshot:
        """Return the tip of `branch` in this round. Raises what `Repository.snapshot` does.

        A server that does not answer is asked once: nobody else waits for it in this round.
        """
        name = branch if branch is not None else self._default
        if name in self._tips:
            tip = self._tips[name]
            if tip is None:
                raise NotFound(f"no branch {name} in {self._repository.describe()}")
            return tip
        if self._away is not None:
            raise copy(self._away)
        try:
            tip = self._repository.snapshot(branch)
        except TryAgain as error:
            self._away = copy(error)
            raise
        if branch is None:
            self._default = tip.branch
        self._bases.setdefault(tip.branch, tip.commit)
        return self._tips.setdefault(tip.branch, tip) or tip

    def waits_for(self, wait: Callable[[float], bool]) -> bool:
        """Wait for an answer as long as the round has patience; say whether it came."""
        begun = time.monotonic()
        try:
            return wait(max(self._patience, 0.0))
        finally:
            self._patience -= time.monotonic() - begun

    @property
    def is_ahead(self) -> bool:
        """Some call has made a commit: who plans now builds on what Git does not have yet."""
        return bool(self._moved)

    def base(self, branch: str) -> str:
        """Return the commit that `branch` was at when the round began. Raises as `snapshot`."""
        if branch not in self._bases:
            self.snapshot(branch)
        if branch not in self._bases:
            raise NotFound(f"{branch} was made in this round")
        return self._bases[branch]

    def stage(self, updates: Sequence[RefUpdate]) -> Lost | None:
        """Take up what a call would push; Lost where it was planned on something else."""
        for update in updates:
            now, known = self._now(update.ref)
            if known and now != update.old:
                return Lost(f"{update.ref.removeprefix(_HEADS)} moved in this round")
        for update in updates:
            if update.old == update.new:
                if update.ref not in self._moved:
                    self._guards[update.ref] = update
                continue
            first = self._moved.get(update.ref)
            start = first.old if first is not None else update.old
            self._moved[update.ref] = RefUpdate(update.ref, start, update.new)
            branch = update.ref.removeprefix(_HEADS)
            if start is not None:
                self._bases.setdefault(branch, start)
            new = update.new
            self._tips[branch] = self._repository.look(branch, new) if new is not None else None
        return None

    def _now(self, ref: str) -> tuple[str | None, bool]:
        """Return where a branch is in this round, and whether that is known."""
        if (moved := self._moved.get(ref)) is not None:
            return moved.new, True
        branch = ref.removeprefix(_HEADS)
        if branch in self._tips:
            tip = self._tips[branch]
            return (tip.commit if tip is not None else None), True
        return None, False

    @property
    def updates(self) -> tuple[RefUpdate, ...]:
        """What one push of all has: the moves, and the branches that must stay as they were read.

        A branch that was made and went in the same round never was.
        """
        moves = [one for one in self._moved.values() if one.old != one.new]
        return (*moves, *(one for ref, one in self._guards.items() if ref not in self._moved))
