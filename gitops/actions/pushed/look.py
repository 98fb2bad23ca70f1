"""What was pushed, and where it is to go: by `tags:` of images in `gitops.yaml`.

The rule as it stands on the tip tells which tag is the newest, of what registries say now;
`core/policy/newest_tags.py` what it may replace. Nothing goes to an overlay that had it before:
somebody took it away for a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.images.states import at_once
from gitops.actions.index.state import IndexedCell, IndexState, read_state
from gitops.actions.pushed.tags import (
    FoundTags,
    TagMemory,
    WantedTags,
    ask_tags,
    claimed_commit,
)
from gitops.actions.releases.history import releases_of
from gitops.core.environments.environment import Config, Overlay
from gitops.core.environments.image_rules import may_ask
from gitops.core.environments.tag_rules import TagRule, is_exact
from gitops.core.images.name import ImageName, image_name
from gitops.core.kustomization.image import ImageValue
from gitops.core.policy.newest_tags import (
    Compared,
    RunningTag,
    SeenTag,
    TagChoice,
    compare,
    follows,
)
from gitops.core.policy.promotion import judge_freeze
from gitops.core.policy.reasons import judge_hold
from gitops.core.releases.lookup import released_before
from gitops.core.releases.provenance import setters
from gitops.core.releases.selection import describe
from gitops.errors import GitopsError, NotFound

May = Callable[[Config, Overlay, str, ImageName], str | None]
"""Says why an image of a registry may not go to an overlay; None: it may."""

Asked = Mapping[int, FoundTags | GitopsError]
Ask = Callable[[Sequence[WantedTags], TagMemory], Asked]
"""Asks registries; number of what was wanted -> what came of it."""


class TagFinding(Struct, frozen=True):
    """What was found for one image of one overlay.

    Attributes:
        name: where the image is; None: it names no registry.
        found: the newest tag that it may take; None: there is none.
        is_current: it runs that.
        why: the first reason why that does not go there; "" where it does, or is there.
    """

    image: str
    name: ImageName | None
    overlay: Overlay
    running: ImageValue
    found: SeenTag | None = None
    is_current: bool = False
    why: str = ""

    @property
    def is_update(self) -> bool:
        """Whether it is to go there."""
        return self.found is not None and not self.is_current and not self.why


class ImageUpdate(Struct, frozen=True):
    """One deploy: a tag, and the overlays that it goes to.

    Attributes:
        expected: label of each overlay -> what it must still pin.
        commit: the source commit, where the tag or the image says it.
    """

    image: str
    name: ImageName
    tag: SeenTag
    expected: Mapping[str, ImageValue]
    commit: str | None = None

    @property
    def text(self) -> str:
        """What is deployed, as one types it."""
        return f"{self.image}:{self.tag.tag}"

    @property
    def intent(self) -> str:
        """Its `Gitops-Id`: the same on each replica, and each time.

        It tells no time: when an image was pushed nobody knows for sure.
        """
        where = " ".join(sorted(self.expected))
        told = f"{self.image} {self.tag.tag} {self.tag.digest} {self.tag.fits.branch} {where}"
        return f"push-{sha256(told.encode()).hexdigest()[:32]}"


class LookedFor(Struct, frozen=True):
    """What came of one look.

    Attributes:
        findings: for each image of each overlay that takes it by itself.
        problems: image -> why nothing can be said of it.
    """

    state: IndexState
    findings: tuple[TagFinding, ...]
    updates: tuple[ImageUpdate, ...]
    problems: Mapping[str, GitopsError]


def ask_all(session: Session, wanted: Sequence[WantedTags], memory: TagMemory) -> Asked:
    """Ask every registry, a few at a time, and wait for all of them."""

    def ask(one: WantedTags) -> FoundTags | GitopsError:
        try:
            return ask_tags(session.registry, session.clock, one, memory)
        except GitopsError as error:
            return error

    return dict(enumerate(at_once(ask, wanted)))


def look_for_updates(
    session: Session,
    memory: TagMemory,
    images: Sequence[str] = (),
    *,
    earlier: IndexState | None = None,
    ask: Ask | None = None,
    may: May = lambda *_: None,
) -> LookedFor:
    """Find which tags are to go where.

    Args:
        images: only these; () all that have a rule and say `on: push`. One that is named is looked
            at, too, where it says `on: never`: whoever writes a rule wants to see what it finds.
        earlier: what was read of Git before.

    Raises NotFound for an image without a rule, and what reading Git raises.
    """
    tip = open_tip(session)
    state = read_state(session, earlier, tip)
    rules = _rules(tip.config, images)
    looking = _Looking(session, tip, state, may)
    wanted = looking.wanted(rules)
    ask = ask or partial(ask_all, session)
    asked = dict(ask(wanted, memory))
    again = looking.of_gone_branches(wanted, asked)
    asked |= zip(again, ask([*again.values()], memory).values(), strict=True)
    for number, one in enumerate(wanted):
        looking.take(one, asked[number])
    updates = tuple(_with_commit(session, tip.config, one, memory) for one in looking.updates())
    order = sorted(looking.findings, key=lambda one: one.image)
    return LookedFor(state, tuple(order), updates, looking.problems)


def was_here(view: OverlayView, image: str, tag: SeenTag, rule: TagRule | None) -> str | None:
    """Say that the overlay had this image, and lost it; None: it never had it."""
    moves = rule is not None and is_exact(rule.rows[tag.fits.row])
    value = ImageValue(None, None if moves else tag.tag, tag.digest)
    before = released_before(releases_of(view), image, value, tag.created)
    if before is None:
        return None
    release, rollback = before
    if rollback is not None:
        return f"a rollback took it away: {describe(rollback)}"
    return f"it was released here before, and left: {describe(release)}"


_Place = tuple[IndexedCell, ImageValue]


class _Looking:
    """One look over all images that have a rule."""

    def __init__(self, session: Session, tip: Tip, state: IndexState, may: May) -> None:
        self._session = session
        self._tip = tip
        self._cells = state.cells.values()
        self._may = may
        self._places: dict[str, dict[ImageName, list[_Place]]] = {}
        self._heads: dict[str, frozenset[str]] = {}
        self.findings: list[TagFinding] = []
        self.problems: dict[str, GitopsError] = {}

    def wanted(self, rules: Mapping[str, TagRule]) -> list[WantedTags]:
        """Return what is to be asked of which registry."""
        self._place(rules)
        made: list[WantedTags] = []
        for image, by_name in self._places.items():
            for name, places in by_name.items():
                rows = dict.fromkeys(cell.overlay.environment for cell, _ in places)
                values = dict.fromkeys(value for _, value in places)
                made.append(WantedTags(image, name, rules[image], (*rows,), (*values,)))
        seen = {one.image for one in self.findings}
        for image in rules:
            if image not in self._places and image not in seen:
                self.problems[image] = NotFound(
                    f"no environment that follows its branches by itself has an image {image}"
                )
        return made

    def of_gone_branches(
        self, wanted: Sequence[WantedTags], asked: dict[int, FoundTags | GitopsError]
    ) -> dict[int, WantedTags]:
        """Return what is to be asked again, with the branches that there are, by its number.

        Only where something new would go in a source repository is asked for its branches: a build
        of a branch that is gone is none.
        """
        again: dict[int, WantedTags] = {}
        for number, one in enumerate(wanted):
            found, url = asked[number], self._tip.config.sources.get(one.image)
            if url is None or self._session.sources is None or isinstance(found, GitopsError):
                continue
            new = list(self._chosen(one, found))
            if not new:
                continue
            try:
                if url not in self._heads:
                    self._heads[url] = frozenset(self._session.sources.heads(url))
            except GitopsError as error:
                asked[number] = error
                continue
            live = self._heads[url]
            if any(tag.fits.branch not in live for tag in new):
                again[number] = replace(one, live=live)
        return again

    def _chosen(self, wanted: WantedTags, found: FoundTags) -> Iterator[SeenTag]:
        """Yield the newest tag for each overlay that runs another one."""
        for cell, value in self._places[wanted.image][wanted.name]:
            new = found.choices[cell.overlay.environment.name].tag
            if new is not None and new.tag != value.tag and new.digest != value.digest:
                yield new

    def take(self, wanted: WantedTags, asked: FoundTags | GitopsError) -> None:
        """Judge what a registry has for each overlay."""
        if isinstance(asked, GitopsError):
            self.problems[wanted.image] = asked
            return
        for cell, value in self._places[wanted.image][wanted.name]:
            choice = asked.choices[cell.overlay.environment.name]
            running = asked.running[value]
            self.findings.append(self._judge(wanted, cell, value, choice, running))

    def updates(self) -> list[ImageUpdate]:
        """Return the deploys that the findings make, one for each tag; of `on: never` none."""
        found: dict[tuple[str, ImageName, str], list[TagFinding]] = {}
        for one in self.findings:
            if one.is_update and one.name is not None and one.found is not None and self._on(one):
                found.setdefault((one.image, one.name, one.found.tag), []).append(one)
        return [
            ImageUpdate(image, name, tag, {one.overlay.label: one.running for one in some})
            for (image, name, _), some in found.items()
            if (tag := some[0].found) is not None
        ]

    def _on(self, finding: TagFinding) -> bool:
        return self._tip.config.tag_rules[finding.image].on_push

    def _place(self, rules: Mapping[str, TagRule]) -> None:
        """Find the overlays that take images by themselves, and where each of them has them."""
        hosts = self._tip.config.registries
        for cell in self._cells:
            for image, value in (cell.images or {}).items():
                rule = rules.get(image)
                if rule is None or not follows(cell.overlay.environment, rule):
                    continue
                name = image_name(value.name or image)
                if name is None:
                    why = f"{value.name or image} names no registry: give newName with a host"
                elif not may_ask(hosts, name.host):
                    why = f"{name.host} is none of `registries.hosts`"
                else:
                    by_name = self._places.setdefault(image, {})
                    by_name.setdefault(name, []).append((cell, value))
                    continue
                self.findings.append(TagFinding(image, name, cell.overlay, value, why=why))

    def _judge(
        self,
        wanted: WantedTags,
        cell: IndexedCell,
        value: ImageValue,
        choice: TagChoice,
        running: RunningTag,
    ) -> TagFinding:
        made = TagFinding(
            wanted.image, wanted.name, cell.overlay, value, choice.tag, why=choice.why
        )
        new = choice.tag
        if new is None:
            return made
        view = view_of(self._session, self._tip, cell.overlay)
        compared = compare(wanted.rule, view.row, new, running)
        if compared.standing == "unknown":
            compared = self._by_commit(wanted, view, new, running)
        if compared.standing == "current":
            return replace(made, is_current=True)
        against = compared.why or self._against(wanted, view, cell, new) or ""
        return replace(made, why=against)

    def _by_commit(
        self, wanted: WantedTags, view: OverlayView, new: SeenTag, running: RunningTag
    ) -> Compared:
        """Compare once more, with when the commit that put what runs there landed."""
        setter = setters(releases_of(view), {wanted.image: running.value}).get(wanted.image)
        since = setter.time if setter is not None else None
        return compare(wanted.rule, view.row, new, replace(running, since=since))

    def _against(
        self, wanted: WantedTags, view: OverlayView, cell: IndexedCell, new: SeenTag
    ) -> str | None:
        """Return the first reason why a newer tag stays out, as far as that is known already."""
        overlay = view.overlay
        if (why := was_here(view, wanted.image, new, wanted.rule)) is not None:
            return why
        if (why := self._may(self._tip.config, overlay, wanted.image, wanted.name)) is not None:
            return why
        for reason in (*judge_hold(overlay, cell.hold), *judge_freeze(overlay, view.freeze)):
            return reason.text
        return None


def _rules(config: Config, images: Sequence[str]) -> dict[str, TagRule]:
    if not images:
        return {image: rule for image, rule in config.tag_rules.items() if rule.on_push}
    for image in images:
        if image not in config.tag_rules:
            raise NotFound(
                f"gitops.yaml has no `tags:` for {image}",
                hint="say in `images:` which of its tags are builds of which branch",
            )
    return {image: config.tag_rules[image] for image in images}


def _with_commit(
    session: Session, config: Config, update: ImageUpdate, memory: TagMemory
) -> ImageUpdate:
    """Add the source commit: what the tag says, else what the image says of its own source."""
    commit, source = update.tag.fits.commit, config.sources.get(update.image)
    if commit is None and source is not None:
        commit = claimed_commit(session.registry, update.name, update.tag.digest, source, memory)
    return replace(update, commit=commit) if commit is not None else update
