"""An image as an overlay pins it, and the IMAGE argument that asks for a change.

Grammar: that of `kustomize edit set image`, its accidents left out (`reg:5000` is no tag, `app:`
is no edit). One difference on purpose: `NAME:TAG` and `NAME@DIGEST` keep an existing `newName`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Keep(Enum):
    """Marks a field of an `ImageRequest` that stays as it is."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True)
class ImageValue:
    """What one entry of `images:` pins.

    Attributes:
        name: `newName`, or None.
        tag: `newTag`, or None.
        digest: `digest` (`sha256:…`), or None.
    """

    name: str | None = None
    tag: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One wanted change: per field a new value, None to remove it, or KEEP.

    Attributes:
        image: kustomize's `name` of the entry, matched exactly.
    """

    image: str
    name: str | Keep | None = KEEP
    tag: str | Keep | None = KEEP
    digest: str | Keep | None = KEEP

    def apply(self, current: ImageValue) -> ImageValue:
        """Return `current` with the requested fields replaced."""
        return ImageValue(
            name=current.name if self.name is KEEP else self.name,
            tag=current.tag if self.tag is KEEP else self.tag,
            digest=current.digest if self.digest is KEEP else self.digest,
        )

    @classmethod
    def exactly(cls, image: str, value: ImageValue) -> ImageRequest:
        """Ask for `value` whole: what is None there is removed."""
        return cls(image, value.name, value.tag, value.digest)


@dataclass(frozen=True, slots=True)
class ImageChange:
    """One entry of one overlay, before and after."""

    image: str
    before: ImageValue
    after: ImageValue
