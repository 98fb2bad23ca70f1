"""What a registry has of an image that is deployed when it is pushed: the newest tag by the rule.

Registries are slow, rate their callers, and may say anything: so the list of tags, what is asked of
each of them, and the time that all of it takes are bounded, and what is known of a digest is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from gitops.actions.images.states import at_once, read_tag_state, with_details
from gitops.core.environments.environment import Environment
from gitops.core.environments.tag_rules import FittingTag, TagRule, fit, is_exact
from gitops.core.images.cleanup import TagState, attached_to
from gitops.core.images.name import ImageName
from gitops.core.images.provenance import Expected, SourceClaim, judge_claim, read_claim
from gitops.core.kustomization.image import ImageValue
from gitops.core.policy.newest_tags import (
    RunningTag,
    SeenTag,
    TagChoice,
    choose_tag,
    leading,
    taken_by,
)
from gitops.errors import GitopsError, NotFound, Refused, TimedOut
from gitops.ports import Clock, Registry

MOST_TAGS = 20_000
"""Tags of one repository: beyond that nobody looks which is the newest."""

MOST_ASKED = 1_000
"""Tags of which each is asked when its image was made."""

LONGEST = 60.0
"""Seconds that a look at one repository may take."""

_MOST_KEPT = 50_000  # images whose facts are remembered
_AGAIN = 100  # tags that are known and asked again in each look, the longest unasked first
_MOST_BROKEN = 5  # tags that cannot be read, before that is the registry's trouble
_ROUNDS = 3


class WantedTags(Struct, frozen=True):
    """What is wanted of one repository of a registry.

    Attributes:
        rows: the environments that take something of it by themselves.
        running: what their overlays pin.
        live: the branches of the source repository; None: nobody knows them.
    """

    image: str
    name: ImageName
    rule: TagRule
    rows: tuple[Environment, ...]
    running: tuple[ImageValue, ...]
    live: frozenset[str] | None = None


class FoundTags(Struct, frozen=True):
    """What it has.

    Attributes:
        choices: environment -> the newest tag that it takes.
        running: what is pinned -> the same, as the registry knows it.
        listed, fitting: how many tags there are, and fit a row.
    """

    choices: Mapping[str, TagChoice]
    running: Mapping[ImageValue, RunningTag]
    listed: int
    fitting: int


class _Kept(Struct):
    """What is known of one tag, and when it was asked."""

    state: TagState
    asked: float


class TagMemory(Struct):
    """What registries said, in one process. Of one repository one look at a time."""

    tags: dict[ImageName, dict[str, _Kept]] = field(default_factory=dict)
    images: dict[tuple[ImageName, str], TagState] = field(default_factory=dict)
    claims: dict[tuple[ImageName, str], SourceClaim | str] = field(default_factory=dict)


def ask_tags(registry: Registry, clock: Clock, wanted: WantedTags, memory: TagMemory) -> FoundTags:
    """Ask for the tags of a repository, and choose. Raises what `Registry` raises, and Refused."""
    look = _Look(registry, clock, wanted.name, memory)
    listed = list(look.listed())
    fitting = [
        found
        for tag in listed
        if attached_to(tag) is None and (found := fit(wanted.rule, tag)) is not None
    ]
    look.forget_all_but(listed)
    choices = {
        row.name: _choice(look, wanted, _taken(row, fitting, wanted.live), clock.now())
        for row in wanted.rows
    }
    running = {value: _running(look, wanted, value) for value in wanted.running}
    return FoundTags(choices, running, len(listed), len(fitting))


def claimed_commit(
    registry: Registry, name: ImageName, digest: str, source: str, memory: TagMemory
) -> str | None:
    """Return the commit that an image says it was built from, None unless it names `source`."""
    known = memory.claims.get((name, digest))
    if known is None:
        try:
            known = read_claim(registry.describe(name, digest))
        except GitopsError:
            return None
        memory.claims[name, digest] = known
    if isinstance(known, str) or judge_claim(known, Expected(source)) is not None:
        return None
    return known.revision


def _taken(
    row: Environment, fitting: Sequence[FittingTag], live: Collection[str] | None
) -> tuple[FittingTag, ...]:
    """Return what an environment takes; builds of branches that are gone are none."""
    return taken_by(row, (tag for tag in fitting if live is None or tag.branch in live))


def _choice(
    look: _Look, wanted: WantedTags, tags: Sequence[FittingTag], now: datetime
) -> TagChoice:
    """Choose the newest of `tags`; what it names was asked for in this very look."""
    some = leading(wanted.rule, tags)
    if not some:
        gone = "" if wanted.live is None else ", and is in the source repository"
        return TagChoice(None, f"no tag is a build of a branch that it follows{gone}")
    if len(some) > MOST_ASKED:
        raise Refused(
            f"{len(some)} tags of {wanted.name} fit, and of more than {MOST_ASKED} nobody is asked "
            "when they were made",
            hint="put {number} into the tags and `order: version`, or delete old ones: "
            "`gitops help images prune`",
        )
    exact = {tag.tag for tag in some if is_exact(wanted.rule.rows[tag.row])}
    look.ask({tag.tag for tag in some}, exact)
    for _ in range(_ROUNDS):
        seen = [one for tag in some if (one := look.seen(tag)) is not None]
        chosen = choose_tag(wanted.rule, seen, now)
        if chosen.tag is None or look.is_fresh(chosen.tag.tag):
            return chosen
        look.ask((), {chosen.tag.tag})
    return TagChoice(None, "its tags move while they are looked at")


def _running(look: _Look, wanted: WantedTags, value: ImageValue) -> RunningTag:
    """Return what the registry says of what runs; what it does not know stays unknown."""
    reference = value.digest or value.tag
    fits = fit(wanted.rule, value.tag) if value.tag is not None else None
    if reference is None:
        return RunningTag(value)
    try:
        state = look.state(reference)
    except NotFound:
        state = None
    if state is None or state.unfinished is not None:
        return RunningTag(value, fits, value.digest)
    return RunningTag(value, fits, state.digest, state.created)


class _Look:
    """One look at one repository."""

    def __init__(
        self, registry: Registry, clock: Clock, name: ImageName, memory: TagMemory
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._name = name
        self._images = memory.images
        self._tags = memory.tags.setdefault(name, {})
        self._begun = clock.monotonic()
        self._broken: list[GitopsError] = []
        self._guard = threading.Lock()

    def listed(self) -> Iterator[str]:
        """Yield the tags. Raises Refused for too many, TimedOut."""
        for number, tag in enumerate(self._registry.tags(self._name)):
            if number >= MOST_TAGS:
                raise Refused(
                    f"{self._name} has more than {MOST_TAGS:,} tags: which is the newest is not "
                    "looked for",
                    hint="`gitops help images prune` tells how old ones are deleted",
                )
            self._check_time()
            yield tag

    def forget_all_but(self, tags: Collection[str]) -> None:
        """Forget tags that are gone."""
        for tag in self._tags.keys() - set(tags):
            del self._tags[tag]

    def ask(self, tags: Collection[str], always: Collection[str]) -> None:
        """Ask for those that are not known, for `always`, and for some again that are."""
        known = [tag for tag in tags if tag in self._tags and not self.is_fresh(tag)]
        again = sorted(known, key=lambda tag: self._tags[tag].asked)[:_AGAIN]
        new = [tag for tag in tags if tag not in self._tags]
        moving = [tag for tag in always if not self.is_fresh(tag)]
        at_once(self._read, sorted({*again, *new, *moving}))

    def seen(self, tag: FittingTag) -> SeenTag | None:
        """Return what is known of a tag; None: it is gone, about to go, or cannot be read."""
        kept = self._tags.get(tag.tag)
        if kept is None or kept.state.unfinished is not None:
            return None
        return SeenTag(tag, kept.state.digest, kept.state.created)

    def is_fresh(self, tag: str) -> bool:
        """Say whether a tag was asked for in this look."""
        kept = self._tags.get(tag)
        return kept is not None and kept.asked >= self._begun

    def state(self, reference: str) -> TagState | None:
        """Return what a tag or a digest names now, None where it is not there."""
        if self.is_fresh(reference):
            return self._tags[reference].state
        known = self._images.get((self._name, reference))
        return known or self._detailed(reference)

    def _read(self, tag: str) -> None:
        try:
            state = self._detailed(tag)
        except GitopsError as error:
            with self._guard:
                self._broken.append(error)
                self._tags.pop(tag, None)
                if len(self._broken) > _MOST_BROKEN:
                    raise
            return
        with self._guard:
            if state is None:
                self._tags.pop(tag, None)
            else:
                self._tags[tag] = _Kept(state, self._clock.monotonic())

    def _detailed(self, reference: str) -> TagState | None:
        self._check_time()
        state = read_tag_state(self._registry, self._name, reference)
        if state is None or state.unfinished is not None:
            return state
        known = self._images.get((self._name, state.digest))
        if known is None:
            known = state
            if state.created is None:
                known = with_details(self._registry, self._name, state)
            if len(self._images) >= _MOST_KEPT:
                self._images.clear()
            self._images[self._name, state.digest] = known
        return known

    def _check_time(self) -> None:
        if self._clock.monotonic() - self._begun > LONGEST:
            raise TimedOut(f"{self._name.host} does not answer in time", hint="try again later")
