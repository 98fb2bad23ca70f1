"""A row of `cleanup:`: which images may be deleted from their registries."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct


class CleanupRow(Struct, frozen=True):
    """A row of `cleanup:`.

    Attributes:
        images: names of images, as overlays have them; `*` stands for anything.
        tags: a pattern of tags; `*` stands for anything.
        branches: patterns of source branches, which must be merged or gone; () does not ask.
        older_than: how old an image must be.
        keep: so many of the newest that fit stay.
        releases: so many of the newest releases of each overlay stay pullable.
    """

    images: tuple[str, ...]
    tags: str
    branches: tuple[str, ...] = ()
    older_than: timedelta | None = None
    keep: int = 3
    releases: int = 20
