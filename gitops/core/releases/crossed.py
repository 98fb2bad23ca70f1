"""Which breaking changes of a database's schema lie on a way, back or forth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gitops.core.git.schema import Schema, worst
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import Release

MOST: Final = 200
"""Releases that are looked through for what a promotion carries."""


def crossed(
    releases: Iterable[Release], restored: Release, images: Iterable[str]
) -> tuple[Release, ...]:
    """Return the breaking releases that going back to `restored` crosses, newest first.

    They are newer than it and changed one of `images` (those that go back), as far as one can tell.
    One that was rolled back counts: migrations only go forward.
    """
    wanted = tuple(images)
    found: list[Release] = []
    pending: Release | None = None
    for release in releases:
        if pending is not None and _touches(pending, release, wanted):
            found.append(pending)
        pending = None
        if release.commit == restored.commit:
            break
        if release.schema == "breaking":
            pending = release
    if pending is not None:
        found.append(pending)
    return tuple(found)


def carried_schema(
    releases: Iterable[Release],
    before: Mapping[str, ImageValue | None],
    after: Mapping[str, ImageValue],
) -> Schema | None:
    """Return what carrying `after` from these releases does to a database at `before`.

    The worst of the releases that put one of the values there, and of those between them and the
    value that the target has, where the source had that one.

    Args:
        releases: of the source, newest first.
        before: image -> what the target has now; None for none.
        after: image -> what it gets.
    """
    past: list[Release] = []
    for release in releases:
        past.append(release)
        if len(past) >= MOST:
            break
    return worst(
        schema
        for image, value in after.items()
        for schema in _between(past, image, before.get(image), value)
    )


def _between(
    past: list[Release], image: str, before: ImageValue | None, after: ImageValue
) -> list[Schema | None]:
    values = [(release.images or {}).get(image) for release in past]
    # Where each run of the same value begins: the release that put it there.
    puts = [
        place
        for place, value in enumerate(values)
        if place + 1 == len(values) or values[place + 1] != value
    ]
    mine = next((place for place in puts if values[place] == after), None)
    if mine is None:
        return []
    older = [place for place in puts if place > mine]
    end = next((place for place in older if values[place] == before), None)
    between = [place for place in older if end is not None and place < end]
    return [past[place].schema for place in (mine, *between)]


def _touches(newer: Release, older: Release, images: tuple[str, ...]) -> bool:
    if newer.images is None or older.images is None:
        return True
    return any(newer.images.get(image) != older.images.get(image) for image in images)
