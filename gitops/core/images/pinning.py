"""What a write keeps of an image that its registry told about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.environments.environment import Pin
from gitops.core.images.manifest import Platform
from gitops.core.images.name import ImageName
from gitops.core.kustomization.image import ImageRequest, ImageValue

_MOST_COMPARED = 500


class Wish(Struct, frozen=True):
    """What is asked of a registry before an image is written.

    Attributes:
        reference: a tag, or a digest.
        platforms: what it must be there for; () asks nothing of them.
        schema: what it says of the database's schema is asked, too.
    """

    name: ImageName
    reference: str
    platforms: tuple[str, ...] = ()
    schema: bool = False

    @property
    def is_plain(self) -> bool:
        """Is only the digest asked for?"""
        return not (self.platforms or self.schema)

    def __str__(self) -> str:
        return f"{self.name}{'@' if ':' in self.reference else ':'}{self.reference}"


def pinned(request: ImageRequest, value: ImageValue, digest: str, pin: Pin) -> ImageRequest:
    """Return `request` so that it keeps what `pin` says; `value` is what it asks for."""
    if pin == "tag":
        return request
    tag = value.tag if pin == "both" else None
    return replace(request, tag=tag, digest=digest)


def nearest_tags(wanted: str, tags: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """Return the tags that are most like one that does not exist, the most alike first.

    Words in them count as words and numbers as numbers: next to `1.4.9` is `1.4.8`, not `11.4.9`.
    """
    keys = _words(wanted)
    near = sorted(tags, key=lambda tag: (-_common(keys, _words(tag)), tag))[:_MOST_COMPARED]
    likeness = {tag: _likeness(wanted, keys, tag) for tag in near}
    found = [tag for tag in near if likeness[tag] > 0.5]
    return tuple(sorted(found, key=lambda tag: (-likeness[tag], tag))[:most])


def lacking(wanted: Sequence[str], there: Sequence[Platform]) -> tuple[str, ...]:
    """Return which of `wanted` an image is not there for.

    A variant counts where it is asked for; `linux/arm64` is `linux/arm64/v8`, and takes any.
    """
    names = {str(one) for one in there} | {f"{one.os}/{one.architecture}" for one in there}
    return tuple(one for one in wanted if one not in names and one.removesuffix("/v8") not in names)


def _words(tag: str) -> list[str]:
    return re.findall(r"[0-9]+|[A-Za-z]+", tag)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _likeness(wanted: str, keys: Sequence[str], tag: str) -> float:
    from difflib import SequenceMatcher  # only on the way out

    words = _words(tag)
    same = _common(keys, words)
    letters = SequenceMatcher(None, wanted, tag).ratio()
    away = 0.0
    if same < min(len(keys), len(words)) and keys[same].isdecimal() and words[same].isdecimal():
        away = min(abs(int(keys[same][:9]) - int(words[same][:9])), 99) / 1000
    return (2 * same / max(len(keys) + len(words), 1) + letters) / 2 + (same > 0) * 0.1 - away
