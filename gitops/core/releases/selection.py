"""What a rollback chose, and the words that say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Literal

from msgspec import Struct

from gitops.core.kustomization.image import ImageRequest, ImageValue, describe_value
from gitops.core.releases.release import Health, Release
from gitops.core.text.plain import one_line

_SHORT = 7
_LISTED = 20


class NeedMore(Exception):
    """Older releases must be read before the answer is sure."""


class Objection(Struct, frozen=True):
    """One reason why a release is left out.

    Attributes:
        kind: same (it would change nothing), foreign (it has none of the images), taken (a rollback
            took a value away that it holds), verdict, unreadable.
        text: the reason, to stand behind the name of the release.
    """

    kind: Literal["same", "foreign", "taken", "verdict", "unreadable"]
    text: str


class LeftOut(Struct, frozen=True):
    """A release that the search met and did not take."""

    release: Release
    objections: tuple[Objection, ...]


class Choice(Struct, frozen=True):
    """What to restore.

    Attributes:
        release: the release to restore; None when it already runs, and nothing is to be done.
        requests: its value for each image to be restored that the overlay still has.
        rolled_back: commit of the newest release, which is judged bad by this.
        passed_over: newer releases without a verdict, when an older one was seen stable.
        stability: what is known of its health, in words.
        notes: what a person should know before saying yes, in full sentences.
        warnings: entries added or removed since, overlays that cannot be read.
        left_out: what the search met before.
        overridden: the objections that an override passed.
    """

    release: Release | None
    requests: tuple[ImageRequest, ...] = ()
    rolled_back: str | None = None
    passed_over: int = 0
    stability: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    overridden: tuple[str, ...] = ()


def short(release: Release) -> str:
    """Return the commit of `release` as messages show it."""
    return release.commit[:_SHORT]


def describe(release: Release) -> str:
    """Return what messages call a release: its commit, subject and day."""
    day = release.time.astimezone(UTC).date().isoformat()
    return f"{short(release)} ({one_line(release.subject, 80)}, {day})"


def stability_of(health: Health | None) -> str:
    """Return what is known of a release's health, in words."""
    return f"it was seen {health}" if health else "nobody recorded its health"


def stay_warnings(
    release: Release, current: Mapping[str, ImageValue], *, every: bool
) -> tuple[str, ...]:
    """Say which entries came or went since `release`; they stay as they are.

    `every` is False when only some images are to be restored: then the others are no news.
    """
    then = release.images or {}
    added = [image for image in current if image not in then]
    removed = [image for image in then if image not in current] if every else []
    return (
        *(f"{image} was added since {short(release)}: it stays as it is" for image in added),
        *(f"{image} was removed since {short(release)}: it stays removed" for image in removed),
    )


def unreadable_warnings(left_out: Sequence[LeftOut]) -> tuple[str, ...]:
    """Say which overlays of the past could not be read."""
    return tuple(
        f"{describe(entry.release)} is left out: {objection.text}"
        for entry in left_out
        for objection in entry.objections
        if objection.kind == "unreadable"
    )


def list_history(
    releases: Sequence[Release],
    start: int,
    left_out: Sequence[LeftOut],
    current: Mapping[str, ImageValue],
) -> tuple[str, ...]:
    """Return one line for each of the newest releases: what it pins, and why it is no way back."""
    why = {entry.release.commit: entry.objections for entry in left_out}
    lines = []
    for position, release in enumerate(releases[:_LISTED]):
        images = release.images or {}
        pins = ", ".join(
            f"{image} {describe_value(images[image])}" for image in current if image in images
        )
        objections = why.get(release.commit, ())
        reason = "; ".join(objection.text for objection in objections)
        if position < start:
            reason = "a rollback only goes further back" if position else "is the newest release"
        lines.append(one_line(f"{describe(release)} {pins}: {reason}"))
    if len(releases) > _LISTED:
        lines.append(f"and {len(releases) - _LISTED} older ones")
    return tuple(lines)
