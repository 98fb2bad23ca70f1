"""What each release did to the images: which values it put there and which it took away.

A commit by hand that puts back the images of an earlier release counts as a rollback to it. That
can only be told with the earlier releases at hand, so when history was read in part some answers
are None: not known yet.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import Release

ImageMapping = Mapping[str, ImageValue]


class LineageStep(Struct, frozen=True):
    """One release seen beside the one before it, over the images that were asked about.

    Attributes:
        position: its place among the releases (0 is the newest).
        changed: image -> (value before, value after), of the images that both have.
        added: image -> value, of the images that came.
        rollback: None when that takes more history to tell.
        restored: position of the release that it put back; None when it is no rollback, or when
            that release is not among those read.
        settled: False when more history may tell more of it.
    """

    position: int
    release: Release
    changed: Mapping[str, tuple[ImageValue, ImageValue]]
    added: ImageMapping
    rollback: bool | None
    restored: int | None
    settled: bool


class Lineage:
    """The steps of one overlay, newest first, and what became of each value."""

    def __init__(self, steps: Sequence[LineageStep], *, complete: bool) -> None:
        self.steps = tuple(steps)
        self._at = {step.position: index for index, step in enumerate(steps)}
        self._complete = complete
        self._taken: dict[tuple[str, ImageValue], bool | None] = {}
        for step in steps:
            self._note(step)

    def _note(self, step: LineageStep) -> None:
        """Of all that happened to a value the newest thing that decides counts.

        A rollback that takes it away decides, and so does whoever puts it there on purpose; a
        release that merely follows on it does not, nor does a rollback to it.
        """
        for image, (before, after) in step.changed.items():
            if step.rollback is not False:
                self._taken.setdefault((image, before), step.rollback)
            if step.rollback is not True:
                self._taken.setdefault((image, after), None if step.rollback is None else False)
        for image, value in step.added.items():
            self._taken.setdefault((image, value), False)

    def was_taken(self, image: str, value: ImageValue) -> bool | None:
        """Did a rollback take `value` away, and nobody deploy it again on purpose since?

        None: it takes more history to tell.
        """
        return self._taken.get((image, value), False if self._complete else None)

    def newest(self) -> LineageStep | None:
        """Return the newest release that changed a value, None when none of those read did."""
        return next((step for step in self.steps if step.changed), None)

    def origin(self, position: int) -> tuple[int, bool]:
        """Follow rollbacks of rollbacks from the release at `position` to where they lead.

        Returns (position, settled).
        """
        while True:
            step = next((step for step in self._from(position) if step.changed), None)
            if step is None:
                return position, self._complete
            if not step.settled:
                return position, False
            if step.restored is None:
                return position, True
            position = step.restored

    def _from(self, position: int) -> Iterator[LineageStep]:
        index = self._at.get(position)
        return iter(self.steps[index:] if index is not None else ())


def trace(
    releases: Sequence[Release], *, only: frozenset[str] | None = None, complete: bool = True
) -> Lineage:
    """Look at `releases` (newest first), over the images `only` (None: all of them).

    `complete` is False when there are older ones that were not read.
    """
    read = [
        (position, release, _restrict(release.images, only))
        for position, release in enumerate(releases)
        if release.images is not None
    ]
    earlier = _Earlier(read, complete=complete)
    steps: list[LineageStep] = []
    for index, (position, release, images) in enumerate(read):
        older = read[index + 1] if index + 1 < len(read) else None
        if older is None and not complete:
            break  # what the oldest one that was read changed is not known
        before = older[2] if older is not None else {}
        changed = {
            image: (before[image], value)
            for image, value in images.items()
            if image in before and before[image] != value
        }
        added = {image: value for image, value in images.items() if image not in before}
        if release.action == "rollback":
            rollback: bool | None = True
            restored = earlier.told(position, release, images, changed)
        elif release.action is None and changed:
            restored = earlier.find(position, images, changed)
            rollback = True if restored is not None else False if complete else None
        else:
            rollback, restored = False, None
        settled = complete or rollback is False or restored is not None
        steps.append(LineageStep(position, release, changed, added, rollback, restored, settled))
    return Lineage(steps, complete=complete)


class _Earlier:
    """Finds the release before another one that it may have put back."""

    def __init__(
        self, read: Sequence[tuple[int, Release, ImageMapping]], *, complete: bool
    ) -> None:
        self._complete = complete
        self._commits = {release.commit: position for position, release, _ in read}
        self._images = {position: images for position, _, images in read}
        self._places: dict[tuple[str, ImageValue], list[int]] = {}
        for position, _, images in read:
            for pinned in images.items():
                self._places.setdefault(pinned, []).append(position)

    def told(
        self, position: int, rollback: Release, images: ImageMapping, changed: Iterable[str]
    ) -> int | None:
        """Return the older release that `rollback` says it restored, None when it is not there."""
        named = self._commits.get(rollback.restores or "", -1)
        if named > position:
            return named
        if rollback.restores is not None and not self._complete:
            return None
        # The commit that it names is gone (rewritten history): found by value.
        return self.find(position, {image: images[image] for image in changed})

    def find(self, position: int, images: ImageMapping, needed: Iterable[str] = ()) -> int | None:
        """Return the newest older release that agrees on every one of `images` that it has.

        It must have the `needed` ones (none given: all of `images`).
        """
        must = list(needed) or list(images)
        if not must:
            return None
        places = self._places.get((must[0], images[must[0]]), [])
        for place in places[bisect_right(places, position) :]:
            found = self._images[place]
            if all(image in found for image in must) and all(
                found.get(image, value) == value for image, value in images.items()
            ):
                return place
        return None


def _restrict(images: ImageMapping, only: frozenset[str] | None) -> ImageMapping:
    if only is None:
        return images
    return {image: value for image, value in images.items() if image in only}
