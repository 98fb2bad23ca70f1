"""Values that follow an image (`images[].also`): found, compared and edited with the image.

A follower has no history of its own: what it should be is told by what the image pins, so that
whoever restores an image restores it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from gitops.core.environments.follower import LONGEST_TEXT, Also, Follower, Step
from gitops.core.kustomization.fields import replace_scalar
from gitops.core.kustomization.image import ImageValue
from gitops.core.kustomization.prove import prove, refusal
from gitops.core.kustomization.read import Lists, items_of, pairs_of
from gitops.core.kustomization.refusals import Check
from gitops.core.kustomization.splices import SplicePlan
from gitops.core.yamltext import (
    AliasEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    parse_first,
)
from gitops.errors import ManifestError

Read = Callable[[str], bytes | None]
Values = Sequence[tuple[str, ImageValue]]


class FollowedValue(NamedTuple):
    """One value and what it should be.

    Attributes:
        at: the event where it stands, an alias maybe; `way`: the nodes that lead there.
        old, new: the whole text.
    """

    image: str
    follower: Follower
    at: int
    way: tuple[int, ...]
    old: str
    new: str


class Straggler(Struct, frozen=True):
    """A value that is not what its image says, with its place (from 1)."""

    image: str
    path: str
    line: int
    column: int
    key: str
    present: str
    wanted: str

    @property
    def problem(self) -> str:
        """What is wrong, without the place."""
        return f"{self.key} is {self.present}, and {self.image} makes it {self.wanted}"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


def follow(content: bytes, path: str, values: Values, also: Also) -> bytes:
    """Return a file with what follows `values` set. Raises ManifestError."""
    lists = Lists(parse_first(content, path))
    plan, check = SplicePlan(lists), Check(lists)
    wanted = list(followed(lists, values, also))
    check.agree({one.at: one.new for one in wanted})
    plan_followers(plan, check, wanted)
    if not plan.splices:
        return content
    after = lists.document.bom + plan.write().encode()
    prove(plan, after)
    confirm_followers(plan, after, wanted)
    return after


def followed(lists: Lists, values: Values, also: Also) -> Iterator[FollowedValue]:
    """Yield each value in a file that follows one of the images, as it is and as it should be.

    Raises ManifestError for one that an image cannot say, or that nobody can look at.
    """
    for image, value in values:
        words = _words(image, value)
        for follower in also.get(image, ()):
            for at, way in find_scalars(lists, follower.steps):
                old = lists.document.events[lists.resolve(at)].value
                what = f"{follower.key} follows {image}"
                if follower.pattern is not None and len(old) > LONGEST_TEXT:
                    raise lists.unsafe(at, f"{what}, and is too long to be looked through")
                span = follower.within(old)
                if span is None:
                    continue
                missing = sorted(follower.needs - words.keys())
                if missing:
                    raise lists.unsafe(
                        at,
                        f"{what}, which has no {missing[0]} then",
                        f"name one: {image}:TAG@DIGEST" if missing[0] != "name" else None,
                    )
                new = old[: span[0]] + follower.filled(words) + old[span[1] :]
                yield FollowedValue(image, follower, at, way, old, new)


def plan_followers(plan: SplicePlan, check: Check, wanted: Sequence[FollowedValue]) -> None:
    """Plan the new texts. Raises ManifestError for what is shared, or asked for in two ways."""
    lists = plan.lists
    said: dict[int, FollowedValue] = {}
    for one in wanted:
        first = said.setdefault(one.at, one)
        if first.new != one.new:
            raise lists.unsafe(
                one.at,
                f"{one.follower.key} follows {first.image}, which makes it {first.new}, and "
                f"{one.image}, which makes it {one.new}",
            )
    for one in said.values():
        if one.old == one.new:
            continue
        what = f"{one.follower.key}, which follows {one.image},"
        for node in one.way:
            check.alias(node, what)
            check.anchor(node, what)
        check.scalar(one.at, what)
        if type(lists.document.events[one.at]) is not AliasEvent:
            replace_scalar(plan, one.at, one.new)


def confirm_followers(plan: SplicePlan, after: bytes, wanted: Sequence[FollowedValue]) -> None:
    """Read the result as any reader would, and see that each value is what it should be."""
    lists = Lists(parse_first(after, plan.lists.document.path))
    events = lists.document.events
    for follower in dict.fromkeys(one.follower for one in wanted):
        texts = [events[lists.resolve(at)].value for at, _ in find_scalars(lists, follower.steps)]
        if not {one.new for one in wanted if one.follower == follower} <= set(texts):
            raise refusal(plan, f"{follower.key} would not read as asked")


def stragglers(
    read: Read, path: str, images: Mapping[str, ImageValue], also: Also
) -> Iterator[Straggler]:
    """Yield the values in the folder of a kustomization that are not what its images say.

    What cannot be read or said is passed over: an edit tells it.
    """
    folder, _, name = path.rpartition("/")
    before = f"{folder}/" if folder else ""
    pinned = [(image, value) for image, value in images.items() if image in also]
    for file in sorted({name, *files_of(also, pinned)} if pinned else ()):
        content = read(before + file)
        mine = followers_in(also, file)
        if content is None or not mine:
            continue
        try:
            lists = Lists(parse_first(content, before + file))
        except ManifestError:
            continue
        for pair in pinned:
            try:
                found = list(followed(lists, [pair], mine))
            except ManifestError:
                continue
            for one in found:
                if one.old != one.new:
                    mark = lists.document.events[one.at].start_mark
                    yield Straggler(
                        one.image,
                        before + file,
                        mark.line + 1,
                        mark.column + 1,
                        one.follower.key,
                        one.old,
                        one.new,
                    )


def files_of(also: Also, values: Values) -> list[str]:
    """Return the files in which something may follow `values`."""
    return list(dict.fromkeys(one.file for image, _ in values for one in also.get(image, ())))


def followers_in(also: Also, file: str) -> Also:
    """Return what stands in one file."""
    mine = {image: tuple(one for one in found if one.file == file) for image, found in also.items()}
    return {image: found for image, found in mine.items() if found}


def _words(image: str, value: ImageValue) -> dict[str, str]:
    words = {"name": value.name or image, "tag": value.tag, "digest": value.digest}
    return {key: text for key, text in words.items() if text}


_ROOT = 1  # behind the start of the document


def find_scalars(lists: Lists, steps: Sequence[Step]) -> list[tuple[int, tuple[int, ...]]]:
    """Return the events of the texts that a key leads to, each with the nodes on the way there.

    An event may be an alias of a text. What is no text is passed over.
    """
    if len(lists.document.events) <= _ROOT:
        return []
    found: list[tuple[int, tuple[int, ...]]] = [(_ROOT, ())]
    for step in steps:
        found = [(child, (*way, at)) for at, way in found for child in _children(lists, at, step)]
    events = lists.document.events
    return [(at, way) for at, way in found if type(events[lists.resolve(at)]) is ScalarEvent]


def _children(lists: Lists, at: int, step: Step) -> Iterator[int]:
    at = lists.resolve(at)
    start = lists.document.events[at]
    if step.name is not None:
        if type(start) is MappingStartEvent:
            value = _value(lists, at, step.name)
            if value is not None:
                yield value
    elif type(start) is SequenceStartEvent:
        for number, item in enumerate(items_of(lists, at)):
            if step.every or step.number == number or _has(lists, item, step.where):
                yield item


def _value(lists: Lists, mapping: int, name: str) -> int | None:
    events = lists.document.events
    found = None
    for pair in pairs_of(lists, mapping):
        key = events[pair.key]
        if type(key) is ScalarEvent and key.value == name:
            found = pair.value  # of two the last one counts
    return found


def _has(lists: Lists, item: int, where: tuple[str, str] | None) -> bool:
    item = lists.resolve(item)
    if where is None or type(lists.document.events[item]) is not MappingStartEvent:
        return False
    value = _value(lists, item, where[0])
    return value is not None and lists.text(value) == where[1]
