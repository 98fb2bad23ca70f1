"""A lease that one of several replicas holds at a time."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class LeaseRecord(Struct, frozen=True):
    """A lease as it was read.

    Attributes:
        holder: who holds it; "" for nobody, who gave it back.
        seconds: how long it is theirs after each renewal.
        renewed: what says when that was last, only ever compared with itself.
        owner: of whom the holders are replicas: others leave it alone; "" where nobody said.
        version: what a write on top of it must name.
        changes: how often it went from one to another.
        acquired: since when it is theirs, as they wrote it.
    """

    holder: str
    seconds: float
    renewed: str
    owner: str = ""
    version: str = ""
    changes: int = 0
    acquired: str = ""


class LeaseStore(Protocol):
    """Where one lease is kept, by compare-and-swap."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def read(self) -> LeaseRecord | None:
        """Return it as it is, None where there is none yet.

        Raises Denied without the right, NotFound without a cluster, TryAgain where none answers.
        """
        ...

    def write(
        self, holder: str, seconds: int, owner: str, over: LeaseRecord | None
    ) -> LeaseRecord | None:
        """Put it into a hand ("": nobody's); None where it is not as `over` any more.

        Raises as `read` does.
        """
        ...
