"""Words of the page for what the rules say in theirs, and the tone that they are shown in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

Translate = Callable[[str], str]
Tone = Literal["ok", "warn", "bad", "unknown"]


def N_(text: str) -> str:
    """Mark a text for translation."""
    return text


VERDICTS: Mapping[str, tuple[Tone, str]] = {
    "stable": ("ok", N_("stable")),
    "degraded": ("bad", N_("degraded")),
    "qa-passed": ("ok", N_("QA passed")),
    "qa-failed": ("bad", N_("QA failed")),
}
LIVE: Mapping[str, tuple[Tone, str]] = {
    "healthy": ("ok", N_("Healthy")),
    "progressing": ("warn", N_("progressing")),
    "syncing": ("warn", N_("syncing")),
    "unseen": ("warn", N_("not seen yet")),
    "retrying": ("warn", N_("retrying")),
    "unknown": ("unknown", N_("unknown")),
    "manual": ("warn", N_("waits for a sync")),
    "suspended": ("warn", N_("suspended")),
    "frozen": ("warn", N_("reconciliation is off")),
    "superseded": ("unknown", N_("superseded")),
    "degraded": ("bad", N_("Degraded")),
    "unrendered": ("bad", N_("cannot be rendered")),
    "failed": ("bad", N_("sync failed")),
}
ACTIONS: Mapping[str | None, str] = {
    "deploy": N_("Deployed"),
    "promote": N_("Promoted"),
    "rollback": N_("Rolled back"),
    "undo": N_("Rollback undone"),
    "hold": N_("Held"),
    "resume": N_("Resumed"),
    "approve": N_("Approved"),
    "close": N_("Proposal closed"),
    "qa": N_("QA's word"),
    "wait": N_("Seen in the cluster"),
    "watch": N_("Seen in the cluster"),
    None: N_("By hand"),
}
_LENGTHS: tuple[tuple[int, str, str], ...] = (
    (86_400, N_("%(number)s day ago"), N_("%(number)s days ago")),
    (3_600, N_("%(number)s h ago"), N_("%(number)s h ago")),
    (60, N_("%(number)s min ago"), N_("%(number)s min ago")),
)


def ago(moment: datetime, now: datetime, _: Translate) -> str:
    """Return `12 min ago`."""
    seconds = (now - moment).total_seconds()
    for length, one, many in _LENGTHS:
        if (number := int(seconds // length)) > 0:
            return _(one if number == 1 else many) % {"number": number}
    return _("now")


def ages(_: Translate) -> str:
    """Return how ages are told, for the script that keeps them true: seconds, one, many; now."""
    lines = [f"{length}|{_(one)}|{_(many)}" for length, one, many in _LENGTHS]
    return "\n".join([*lines, f"0|{_('now')}|{_('now')}"])


def clock(moment: datetime | None) -> str:
    """Return `14:02:11 UTC`."""
    return moment.astimezone(UTC).strftime("%H:%M:%S UTC") if moment is not None else "?"


def moment_text(moment: datetime | None) -> str:
    """Return `2026-11-29 14:02 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment is not None else "?"


def short_image(image: str) -> str:
    """Return the last part of an image's name."""
    return image.rpartition("/")[2] or image
