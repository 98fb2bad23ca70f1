"""What a rollback chose, what it passed over, and the words that say why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from gitops.core.kustomization.image import ImageRequest, ImageValue, describe_value
from gitops.core.releases.release import Health, Release, Verdicts
from gitops.core.text.plain import day, one_line

_SHORT = 7
_LISTED = 20

Kind = Literal["same", "foreign", "unreadable", "newer", "taken", "verdict", "unproven", "unjudged"]

IMPOSSIBLE: frozenset[Kind] = frozenset({"unreadable", "foreign"})
"""What no override passes."""


class NeedMore(Exception):
    """Older releases must be read before the answer is sure."""


class Objection(Struct, frozen=True):
    """The one reason why a release is not taken.

    Attributes:
        kind: same (it would change nothing), foreign (it has none of the images), unreadable,
            newer (than what the newest rollback restored), taken (a rollback took a value away
            that it holds), verdict (degraded or qa-failed), unproven (nobody saw that it was
            stable, and an older one was), unjudged (the same, and nobody said anything of it).
        text: the reason, to stand behind the name of the release.
    """

    kind: Kind
    text: str


class LeftOut(Struct, frozen=True):
    """A release that is newer than the one that was taken, and the reason why it was not.

    Attributes:
        seen: what stands in its favour: `stable`, `qa-passed`.
        overlay: label of the overlay, where a rollback is of several.
    """

    release: Release
    objection: Objection
    seen: tuple[str, ...] = ()
    overlay: str | None = None

    def __str__(self) -> str:
        """Say what is passed over, and why."""
        seen = f" [{', '.join(self.seen)}]" if self.seen else ""
        return f"{describe(self.release)}{seen}: {self.objection.text}"


class Choice(Struct, frozen=True):
    """What to restore.

    Attributes:
        release: the release to restore; None when it already runs, and nothing is to be done.
        requests: its value for each image to be restored that the overlay still has.
        rolled_back: commit of the newest release, which is judged bad by this.
        passed_over: newer releases that nobody judged, when an older one was seen stable.
        stability: what is known of its health, in words.
        notes: what a person should know before saying yes, in full sentences.
        warnings: entries added or removed since, overlays that cannot be read.
        left_out: every release that is newer than `release` and older than the one judged bad,
            or changed nothing since, newest first; () for one that was named.
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
    return f"{short(release)} ({one_line(release.subject, 80)}, {day(release.time)})"


def stability_of(health: Health | None) -> str:
    """Return what is known of a release's health, in words."""
    return f"it was seen {health}" if health else "nobody recorded its health"


def words_for(release: Release, verdicts: Verdicts) -> tuple[str, ...]:
    """Return what stands in favour of a release."""
    quality = verdicts.quality.get(release.commit)
    return (
        *(["stable"] if verdicts.is_stable(release.commit) else []),
        *(["qa-passed"] if quality == "qa-passed" else []),
    )


def passed_over_notes(left_out: Sequence[LeftOut]) -> tuple[str, ...]:
    """Name what was passed over: what was seen stable or passed QA first, the unjudged counted."""
    named = [entry for entry in left_out if entry.objection.kind != "unjudged"]
    named.sort(key=lambda entry: not entry.seen)  # stays newest first otherwise
    judged = sum(bool(entry.seen) for entry in named)
    shown = named[: max(judged, _LISTED)]
    notes = [f"passes over {entry}" for entry in shown]
    if len(named) > len(shown):
        notes.append(f"and {len(named) - len(shown)} older ones that are no way back either")
    unjudged = len(left_out) - len(named)
    if unjudged:
        plural = "release that nobody" if unjudged == 1 else "releases that nobody"
        notes.append(f"passes over {unjudged} newer {plural} judged")
    return tuple(notes)


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


def unreadable_warnings(left_out: Iterable[LeftOut]) -> tuple[str, ...]:
    """Say which overlays of the past could not be read."""
    return tuple(
        f"{describe(entry.release)} is left out: {entry.objection.text}"
        for entry in left_out
        if entry.objection.kind == "unreadable"
    )


def list_history(
    releases: Sequence[Release],
    why: Mapping[str, str],
    current: Mapping[str, ImageValue],
) -> tuple[str, ...]:
    """Return one line for each of the newest releases: what it pins, and why it is no way back.

    `why` is the reason by commit.
    """
    lines = []
    for release in releases[:_LISTED]:
        images = release.images or {}
        pins = ", ".join(
            f"{image} {describe_value(images[image])}" for image in current if image in images
        )
        lines.append(one_line(f"{describe(release)} {pins}: {why.get(release.commit, '')}"))
    if len(releases) > _LISTED:
        lines.append(f"and {len(releases) - _LISTED} older ones")
    return tuple(lines)
