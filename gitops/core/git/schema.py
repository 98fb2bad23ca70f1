"""What a release does to the schema of its database, as commits tell it.

`none`: nothing. `compatible`: the release before it runs on the new schema, too. `breaking`: it
does not, so going back across it needs somebody's word. Migrations only go forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

Schema = Literal["none", "compatible", "breaking"]

SCHEMAS: tuple[Schema, ...] = ("none", "compatible", "breaking")
"""From the mildest to the worst."""

TRAILER = "Gitops-Schema"

ANNOTATION = "dev.gitops.schema"
"""Of an image: the same word."""


def read_schema(text: str | None) -> Schema | None:
    """Return the word, None for what is none."""
    word = (text or "").strip().casefold()
    return next((one for one in SCHEMAS if one == word), None)


def worst(found: Iterable[Schema | None]) -> Schema | None:
    """Return the worst of what is said, None where nothing is."""
    said = [one for one in found if one is not None]
    return max(said, key=SCHEMAS.index) if said else None


def schema_of(trailers: Mapping[str, Sequence[str]], labels: Sequence[str] | None) -> Schema | None:
    """Return what trailers say of one overlay: `WORD` for all, or `LABEL WORD`; the worst of it.

    `labels` are those that the overlay had; None: any.
    """
    found = []
    for text in trailers.get(TRAILER, ()):
        label, _, word = text.rpartition(" ")
        if not label or labels is None or label in labels:
            found.append(read_schema(word))
    return worst(found)
