"""Up to where people were told: a small document on a branch of its own.

Moved by whoever tells, after sending: so each thing is told at least once, and twice only where
somebody died in between.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

TOLD_BRANCH = "gitops/told"
"""Where it is."""

TOLD_PATH = "told.json"

_LARGEST = 4 << 20  # bytes
MOST_FAILED = 20


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
    """

    tips: Mapping[str, str]
    proposals: Mapping[str, str] = {}
    degraded: Mapping[str, str] = {}
    failed: tuple[Undelivered, ...] = ()
    afterwards: Mapping[str, str] = {}


def read_told(content: bytes | None) -> ToldMark | None:
    """Return what the document says; None where there is none, or it is no such document.

    Then telling begins anew from now: nothing old is told twice, what was missed stays untold.
    """
    if content is None or len(content) > _LARGEST:
        return None
    try:
        return msgspec.json.decode(content, type=ToldMark)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def write_told(told: ToldMark) -> bytes:
    """Return the document: the same for the same values, and readable as a diff."""
    raw = msgspec.json.encode(told, order="sorted")
    return msgspec.json.format(raw, indent=1) + b"\n"
