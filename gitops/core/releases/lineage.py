"""What each release did to the images: which values it put there, and which it took away.

A value is *taken away* when a rollback replaced it, and given back by whoever puts it there again.
A rollback is a commit that says so, as far as it puts back what was there, and one by hand that
puts back the images of an earlier release; but one that puts back a value which was taken away is
an ordinary release, whatever earlier release it looks like. A rollback that `gitops undo` took back
has not been, and neither has the undo. An image that is absent for a while keeps its last value as
what was "before".

Some of this can only be told with the earlier releases at hand, so where history was read in part
some answers are None: not known yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import Release
from gitops.core.releases.selection import NeedMore

ImageMapping = Mapping[str, ImageValue]
Pinned = tuple[str, ImageValue]


class LineageStep(Struct, frozen=True):
    """One release seen beside those before it, over the images that were asked about.

    Attributes:
        position: its place among the releases (0 is the newest).
        changed: image -> (last value before, value after).
        added: image -> value, of the images that no earlier release has.
        unsure: images that came here, while earlier releases which were not read may have them.
        rollback: None when that takes more history to tell.
        restored: position of the release that it put back; None when it is no rollback, or when
            that release is not among those read.
    """

    position: int
    release: Release
    changed: Mapping[str, tuple[ImageValue, ImageValue]]
    added: ImageMapping
    unsure: frozenset[str]
    rollback: bool | None
    restored: int | None


class Lineage:
    """The steps of one overlay, newest first, and what became of each value.

    Attributes:
        undone: position of a rollback that was undone -> position of the undo. Neither is a step.
    """

    def __init__(
        self,
        steps: Sequence[LineageStep],
        left: Sequence[Mapping[Pinned, LineageStep | None]],
        undone: Mapping[int, int],
        *,
        complete: bool,
    ) -> None:
        self.steps = tuple(steps)
        self.undone = undone
        self._left = left
        self._complete = complete

    def taken_by(self, image: str, value: ImageValue) -> LineageStep | None:
        """Return the rollback that took `value` away, None when it was not, or was given back.

        Raises NeedMore when that takes more history to tell.
        """
        known = [left[image, value] for left in self._left if (image, value) in left]
        steps = [step for step in known if step is not None]
        for step in steps:
            if step.rollback:
                return step
        if any(step.rollback is None for step in steps) or not (known or self._complete):
            raise NeedMore
        return None

    def newest(self) -> LineageStep | None:
        """Return the newest step that changed a value, None when none did.

        Raises NeedMore when that takes more history to tell.
        """
        for step in self.steps:
            if step.changed:
                return step
            if step.unsure:
                raise NeedMore
        if not self._complete:
            raise NeedMore
        return None

    def newest_added(self) -> LineageStep | None:
        """Return the newest step when all that it did was to add images, beside older releases."""
        step = next((step for step in self.steps if step.changed or step.added), None)
        if step is None or step.changed or step is self.steps[-1]:
            return None
        return step

    def start(self, newest: LineageStep) -> int:
        """Return the position where the search for what was before `newest` starts.

        For a rollback that is where the release that it restored leads, else just before it.
        Raises NeedMore.
        """
        step, position = newest, newest.position + 1
        while step.rollback is not False:
            if step.rollback is None or (step.restored is None and not self._complete):
                raise NeedMore
            if step.restored is None:
                return position
            position = step.restored
            step = self.in_force(position)
        return position

    def in_force(self, position: int) -> LineageStep:
        """Return the step whose values stood after the release at `position`; raises NeedMore."""
        older = [step for step in self.steps if step.position >= position]
        for step in older:
            if step.changed or (step is self.steps[-1] and self._complete):
                return step
            if step.unsure:
                break
        raise NeedMore


def trace(
    releases: Sequence[Release], *, only: Iterable[str] | None = None, complete: bool = True
) -> Lineage:
    """Look at `releases` (newest first), over the images `only` (None: all of them).

    `complete` is False when there are older ones that were not read. Raises NeedMore when it takes
    those to tell what was undone.

    A commit by hand may put back what some images were and not the others, so it may be a rollback
    in one view and none in another. A rollback that says so is the same in all of them, and what
    was taken away over all images is so in each: else one that looks at a part could bring it back.
    """
    kept, undone = _fold(releases, complete=complete)
    whole = _Walk(complete=complete)
    for position, release in kept:
        whole.take(position, release, release.images or {})
    view, wanted = whole, None if only is None else frozenset(only)
    if wanted is not None and not wanted.issuperset(whole.last):
        view = _Walk({step.position: step.rollback for step in whole.steps}, complete=complete)
        for position, release in kept:
            images = release.images or {}
            view.take(position, release, {key: images[key] for key in images if key in wanted})
    left = [view.left] if view is whole else [view.left, whole.left]
    return Lineage(view.steps[::-1], left, undone, complete=complete)


def _fold(
    releases: Sequence[Release], *, complete: bool
) -> tuple[list[tuple[int, Release]], dict[int, int]]:
    """Leave out each undo with the rollback that it undid; returns (the rest, oldest first, …).

    It is believed when the newest release before it is a rollback that says so, and its images are
    those before that one: the commit that it names may have been rewritten.
    """
    kept: list[tuple[int, Release]] = []
    undone: dict[int, int] = {}
    for position in reversed(range(len(releases))):
        release = releases[position]
        if release.images is None:
            continue
        if release.action == "undo":
            if not complete and (not kept or (len(kept) == 1 and kept[0][1].action == "rollback")):
                raise NeedMore
            if (
                len(kept) > 1
                and kept[-1][1].action == "rollback"
                and kept[-2][1].images == release.images
            ):
                undone[kept.pop()[0]] = position
                continue
        kept.append((position, release))
    return kept, undone


class _Walk:
    """Goes through releases, oldest first, and remembers what it needs to tell what each did."""

    def __init__(
        self, rollbacks: Mapping[int, bool | None] | None = None, *, complete: bool
    ) -> None:
        self.steps: list[LineageStep] = []
        self.left: dict[Pinned, LineageStep | None] = {}
        self.last: dict[str, ImageValue] = {}
        self._rollbacks = rollbacks  # by position, as they are over all images
        self._complete = complete
        self._images: dict[int, ImageMapping] = {}
        self._commits: dict[str, int] = {}
        self._places: dict[Pinned, list[int]] = {}  # newest last

    def take(self, position: int, release: Release, images: ImageMapping) -> None:
        """Go on to the next release; `images` are those of its images that are looked at."""
        last = self.last
        changed = {
            image: (last[image], value)
            for image, value in images.items()
            if image in last and last[image] != value
        }
        came = {image: value for image, value in images.items() if image not in last}
        rollback, restored = self._judge(position, release, images, changed, came)
        step = LineageStep(
            position,
            release,
            changed,
            added=came if self._complete else {},
            unsure=frozenset() if self._complete else frozenset(came),
            rollback=rollback,
            restored=restored,
        )
        self._remember(step, images)

    def _judge(
        self,
        position: int,
        release: Release,
        images: ImageMapping,
        changed: Mapping[str, tuple[ImageValue, ImageValue]],
        came: ImageMapping,
    ) -> tuple[bool | None, int | None]:
        """Tell whether `release` is a rollback, and the position of what it restored."""
        if release.action not in (None, "rollback", "undo") or not (changed or came):
            return False, None
        new = self._new(release, images) if release.action == "rollback" else frozenset[str]()
        back_again = [image for image in changed if image not in new]
        if release.action == "rollback" and changed and not back_again:
            return (False if self._complete else None), None
        if release.action == "rollback" and self._rollbacks is not None:
            rollback = self._rollbacks[position]
            return rollback, None if rollback is False else self._named(release, images, back_again)
        unsure = {} if self._complete else came
        puts = [(image, images[image]) for image in (*changed, *unsure)]
        returned = [self._is_taken(pinned) for pinned in puts]
        if True in returned:
            return False, None  # deployed again
        back = None if None in returned else True
        if release.action == "rollback":
            return back, self._named(release, images, back_again)
        if unsure:
            return None, None
        found = self._find(images, changed)
        if found is not None:
            return back, found
        return (False if self._complete or not changed else None), None

    def _is_taken(self, pinned: Pinned) -> bool | None:
        if pinned in self.left:
            step = self.left[pinned]
            return step.rollback if step is not None else False
        return False if self._complete else None

    def _named(self, rollback: Release, images: ImageMapping, changed: Iterable[str]) -> int | None:
        """Return the release that `rollback` says it restored; by value when it cannot be that.

        History may have been rewritten, and a message can say anything.
        """
        named = self._commits.get(rollback.restores or "")
        if named is not None:
            then = self._images[named]
            if all(then.get(image, images[image]) == images[image] for image in changed):
                return named
        elif rollback.restores is not None and not self._complete:
            return None
        return self._find({image: images[image] for image in changed}, changed)

    def _new(self, rollback: Release, images: ImageMapping) -> frozenset[str]:
        """Return the images of which `rollback` puts back nothing: their values never were here.

        Messages get copied, and one merge may bring a rollback and a deploy. Where the release that
        it names is gone, so may be the values, and it is believed.
        """
        if rollback.restores is not None and rollback.restores not in self._commits:
            return frozenset()
        return frozenset(image for image in images if (image, images[image]) not in self._places)

    def _find(self, images: ImageMapping, needed: Iterable[str]) -> int | None:
        """Return the newest earlier release that agrees on every one of `images` that it has.

        It must have the `needed` ones.
        """
        must = tuple(needed)
        if not must:
            return None
        for place in reversed(self._places.get((must[0], images[must[0]]), ())):
            found = self._images[place]
            if all(image in found for image in must) and all(
                found.get(image, value) == value for image, value in images.items()
            ):
                return place
        return None

    def _remember(self, step: LineageStep, images: ImageMapping) -> None:
        new = self._new(step.release, images) if step.rollback else frozenset[str]()
        for image, (before, _) in step.changed.items():
            self.left[(image, before)] = replace(step, rollback=False) if image in new else step
        for pinned in images.items():
            self.left[pinned] = None
            self._places.setdefault(pinned, []).append(step.position)
        self.last.update(images)
        self._images[step.position] = images
        self._commits[step.release.commit] = step.position
        self.steps.append(step)
