"""Rows of `notify:`: which channels hear of what."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

EventKind = Literal[
    "rollback",
    "hold",
    "proposal",
    "approved",
    "degraded",
    "recovered",
    "not-recovered",
    "alert",
]
"""What a channel can hear of. `rollback` has undo in it, `hold` the end of one; an `alert` is told
when nothing was done about it. Deploys are not told: a channel that says everything is not read."""


class NotifyRow(Struct, frozen=True):
    """A row of `notify:`.

    Attributes:
        channel: a word; its addresses are in the settings of whoever sends.
        environments: names of environments, groups written out; () all of them.
        events: what it hears of; () all of it.
    """

    channel: str
    environments: tuple[str, ...] = ()
    events: tuple[EventKind, ...] = ()
