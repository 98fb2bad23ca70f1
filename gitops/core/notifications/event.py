"""Events, and which channels hear of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from gitops.core.environments.rows import EventKind, NotifyRow
from gitops.core.git.commit import CommitInfo
from gitops.core.git.message import reason_of, subject, trailers
from gitops.core.text.plain import one_line

_TOLD: Mapping[str, tuple[EventKind, str]] = {
    "rollback": ("rollback", "rolled back"),
    "undo": ("rollback", "rollback undone"),
    "hold": ("hold", "held"),
    "resume": ("hold", "hold ended"),
}
"""Action of a commit -> what kind of event that is, and what it is called."""


class Event(Struct, frozen=True):
    """Something that happened.

    Attributes:
        id: the same each time that it is seen: what was sent twice can be told from that.
        labels: the overlays that it is about, `ENV` or `APP/ENV`.
        what: one sentence without names of overlays: `rolled back`, `is degraded`.
        subject: what a commit says in its first line; "" where it is none.
        by: who did it; "" for nobody in particular.
        reason: why, as they said.
        time: when, None where that is not known.
        commit: where to look; "" for none.
        url: of the pull request; "" for none.
        missing: what is still to come before it may be merged.
    """

    id: str
    kind: EventKind
    labels: tuple[str, ...]
    what: str
    subject: str = ""
    by: str = ""
    reason: str = ""
    time: datetime | None = None
    commit: str = ""
    url: str = ""
    missing: tuple[str, ...] = ()


def events_of_commits(commits: Iterable[CommitInfo]) -> tuple[Event, ...]:
    """Return the rollbacks and holds among commits, in their order.

    What a trailer says is a claim of whoever may push: it is shown, and decides nothing.
    """
    found = []
    for one in commits:
        said = trailers(one.message)
        action = (said.get("Gitops-Action") or ("",))[0]
        told = _TOLD.get(action)
        labels = tuple(one_line(label, 120) for label in said.get("Gitops-Environment", ()))
        if told is None or not labels:
            continue
        found.append(
            Event(
                id=one.commit,
                kind=told[0],
                labels=labels,
                what=told[1],
                subject=one_line(subject(one.message), 200),
                by=one_line(one.author.name, 80),
                reason=one_line(reason_of(one.message) or "", 300),
                time=one.time,
                commit=one.commit,
            )
        )
    return tuple(found)


def channels_of(event: Event, rows: Sequence[NotifyRow]) -> tuple[str, ...]:
    """Return the channels that hear of an event, each once, in the order of the rows."""
    there = {label.rpartition("/")[2] for label in event.labels}
    found = [
        row.channel
        for row in rows
        if (not row.events or event.kind in row.events)
        and (not row.environments or there & set(row.environments))
    ]
    return tuple(dict.fromkeys(found))
