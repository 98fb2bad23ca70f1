"""What `gitops images` reports: tags of a repository, what one image is, and where it runs."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from gitops.core.environments.environment import Overlay
from gitops.core.images.manifest import ImageInfo
from gitops.core.images.name import ImageName
from gitops.core.kustomization.image import ImageValue


class Stay(Struct, frozen=True):
    """A time in which an overlay pinned an image.

    Attributes:
        commit, since, by: the release that brought it; None where history does not reach so far.
        until: when another value came; None: it is pinned now.
    """

    overlay: Overlay
    image: str
    value: ImageValue
    commit: str | None
    since: datetime | None
    by: str | None
    until: datetime | None = None


class ListedTag(Struct, frozen=True):
    """One tag of a repository, and the overlays that pin it now, by tag or by digest."""

    tag: str
    digest: str
    created: datetime | None
    where: tuple[str, ...]


class ListedImage(Struct, frozen=True):
    """An image of the overlays: where it is, and its tags.

    Attributes:
        name: None: its name says no registry.
        more: so many tags are not told.
        problem: why its tags cannot be told.
    """

    image: str
    name: ImageName | None
    where: tuple[tuple[str, ImageValue], ...]
    tags: tuple[ListedTag, ...] = ()
    more: int = 0
    problem: str | None = None


class ShownImage(Struct, frozen=True):
    """What one image is: as its registry tells it, and where it runs."""

    name: ImageName
    reference: str
    info: ImageInfo
    stays: tuple[Stay, ...]
