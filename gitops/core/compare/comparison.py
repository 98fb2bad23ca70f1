"""What a change would do, environment by environment: for the people who look at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from gitops.core.audit.affected import AffectedPath
from gitops.core.compare.manifest_diff import ObjectDiff
from gitops.core.kustomization.image import ImageValue


class ImageDifference(Struct, frozen=True):
    """An image before and after; None: the overlay does not have it."""

    image: str
    before: ImageValue | None
    after: ImageValue | None


class PolicyResult(Struct, frozen=True):
    """A reason why images may not go there.

    Attributes:
        overridden: a commit of the change records an override that was given for it.
    """

    reason: str
    overridden: bool = False


class Rendering(Struct, frozen=True):
    """What an overlay builds, before and after.

    Attributes:
        state: `changed`, `same`, `failed` (it does not build any more), `skipped` (nobody tried:
            `problem` says why).
        isolated: the builds saw the files of the repository alone, and no network; True where
            nothing was built.
    """

    state: Literal["changed", "same", "failed", "skipped"]
    objects: tuple[ObjectDiff, ...] = ()
    problem: str | None = None
    isolated: bool = True


class EnvironmentDifference(Struct, frozen=True):
    """What changes of one overlay.

    Attributes:
        label: `prod`, or `shop/prod`.
        status: whether the overlay is new, or gone, or neither.
        path: of its kustomization.
        files: changed paths that belong to it; not its kustomization when only image values
            change there.
        own: paths that are told as images.
        policy: what policy says of the images that change; () when it says nothing against it.
        judged: policy was asked; False where no image changes.
        rendering: None where no kustomize is at hand.
    """

    label: str
    status: Literal["changed", "new", "gone"]
    protected: bool
    path: str
    images: tuple[ImageDifference, ...] = ()
    files: tuple[AffectedPath, ...] = ()
    own: tuple[str, ...] = ()
    policy: tuple[PolicyResult, ...] = ()
    judged: bool = False
    rendering: Rendering | None = None

    @property
    def refused(self) -> tuple[str, ...]:
        """The reasons that nobody overrode."""
        return tuple(one.reason for one in self.policy if not one.overridden)


class Comparison(Struct, frozen=True):
    """A change seen against what it goes to.

    Attributes:
        base: the commit whose files it is compared with: where both parted.
        against: the commit whose policy counts: the newest one of the other side.
        tip: the commit that was looked at.
        renderer: what built the overlays, None where nothing is at hand.
        others: changed paths that belong to no overlay.
        known: problems that were there before, (path, message).
    """

    base: str
    against: str
    tip: str
    renderer: str | None
    environments: tuple[EnvironmentDifference, ...]
    others: tuple[str, ...] = ()
    known: frozenset[tuple[str, str]] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """True when policy keeps some images out."""
        return any(one.refused for one in self.environments)


def image_differences(
    before: Mapping[str, ImageValue], after: Mapping[str, ImageValue]
) -> tuple[ImageDifference, ...]:
    """Return the images whose values differ, those that came, and those that went."""
    return tuple(
        ImageDifference(image, before.get(image), after.get(image))
        for image in dict.fromkeys((*after, *before))
        if before.get(image) != after.get(image)
    )
