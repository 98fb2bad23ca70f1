"""Up to where people were told: a small document on a branch of its own.

Moved by whoever tells, after sending: so each thing is told at least once, and twice only where
somebody died in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.notifications.event import Event
from gitops.core.text.documents import read_document, write_document
from gitops.core.text.plain import one_line

TOLD_BRANCH = "gitops/told"
"""Where it is."""

TOLD_PATH = "told.json"

MOST_FAILED = 20
MOST_SAID = 500

PENDING_PATH = "pending.json"
"""Events that one replica knows of, and another tells."""

_MOST_PENDING = 100


class Undelivered(Struct, frozen=True):
    """A message that did not go out, for people who look later."""

    channel: str
    title: str
    why: str
    time: str


class ToldMark(Struct, frozen=True, omit_defaults=True):
    """What was seen when somebody was told last.

    Attributes:
        tips: branch -> commit, of those that overlays live on.
        proposals: label -> head of the proposal that waits there.
        degraded: label -> release that was told to be degraded.
        failed: the newest messages that did not go out.
        afterwards: label -> rollback by itself and what was told to have come of it.
        said: id -> when, of the newest events that Git does not know.
    """

    tips: Mapping[str, str]
    proposals: Mapping[str, str] = {}
    degraded: Mapping[str, str] = {}
    failed: tuple[Undelivered, ...] = ()
    afterwards: Mapping[str, str] = {}
    said: Mapping[str, str] = {}


def read_told(content: bytes | None) -> ToldMark | None:
    """Return what the document says; None where there is none, or it is no such document.

    Then telling begins anew from now: nothing old is told twice, what was missed stays untold.
    """
    return read_document(content, ToldMark)


def read_pending(content: bytes | None) -> tuple[Event, ...]:
    """Return the events that wait to be told; () where the document is none."""
    found = read_document(content, tuple[Event, ...]) or ()
    return tuple(_plain(one) for one in found[-_MOST_PENDING:])


def write_pending(events: Sequence[Event]) -> bytes:
    """Return the document; of very many the newest."""
    return write_document(tuple(events)[-_MOST_PENDING:])


def _plain(event: Event) -> Event:
    """Whoever may push could have written it."""
    return replace(
        event,
        labels=tuple(one_line(label, 120) for label in event.labels),
        what=one_line(event.what, 200),
        subject=one_line(event.subject, 300),
        by=one_line(event.by, 80),
        reason=one_line(event.reason, 300),
        commit=one_line(event.commit, 64),
        url=one_line(event.url, 500),
        missing=tuple(one_line(text, 200) for text in event.missing),
    )
