"""A look at each image before it is written: is it there, for what it must run on, which digest?

Registries are asked where `gitops.yaml` says so: with `registries:`, or `pin: digest` or `both` of
an environment. A name without a host (`shop/api`) reaches nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.plan import NoOtherTry
from gitops.actions.context.targets import Target
from gitops.actions.images.looks import Looks, Seen
from gitops.core.environments.environment import Environment, Pin, RegistryRules
from gitops.core.environments.image_rules import may_ask
from gitops.core.git.schema import Schema, worst
from gitops.core.images.name import ImageName, image_name
from gitops.core.images.pinning import Wish, lacking, nearest_tags, pinned
from gitops.core.kustomization.image import ImageRequest, ImageValue
from gitops.core.policy.reasons import Reason
from gitops.errors import GitopsError, NotFound, Refused


class LookedAt(Struct, frozen=True):
    """What is to be written after a look.

    Attributes:
        targets: with the digests that `pin` asks for.
        reasons: label of an overlay -> why its images may not go there.
        warnings: what could not be looked at.
        schemas: label of an overlay -> what its images say of the database's schema, the worst.
        asked: image -> where its digest was asked for, and nothing else.
    """

    targets: tuple[Target, ...]
    reasons: Mapping[str, tuple[Reason, ...]] = {}
    warnings: tuple[str, ...] = ()
    schemas: Mapping[str, Schema] = {}
    asked: Mapping[str, ImageName] = {}


class _Question(Struct, frozen=True):
    """One image of one target: what it would become, and where that is."""

    request: ImageRequest
    value: ImageValue
    name: ImageName | None
    wish: Wish | None


def begin_looks(looks: Looks, targets: Iterable[Target], rules: RegistryRules | None) -> None:
    """Begin to ask what `look` will want to know."""
    _asked(looks, targets, rules)


def look(
    looks: Looks, targets: Sequence[Target], rules: RegistryRules | None, *, carried: bool = False
) -> LookedAt:
    """Look at the images that `targets` ask for.

    `carried`: they were released elsewhere and go on as they are, with a digest or without.

    Raises NoOtherTry (of Unavailable, TimedOut, Denied) when a registry does not say what must be
    known: with `registries: {unavailable: refuse}`, and for a digest that `pin` wants.
    """
    asked = _asked(looks, targets, rules)
    changed: list[Target] = []
    reasons: dict[str, tuple[Reason, ...]] = {}
    warnings: list[str] = []
    schemas: dict[str, Schema] = {}
    for target, questions in asked:
        made = _Answers(looks, target, rules, carried=carried)
        requests = tuple(made.settle(question) for question in questions)
        changed.append(replace(target, requests=requests))
        reasons[target.view.label] = tuple(made.reasons)
        warnings += made.warnings
        if (schema := worst(made.schemas)) is not None:
            schemas[target.view.label] = schema
    where = {
        one.request.image: one.wish.name
        for _, questions in asked
        for one in questions
        if one.wish is not None and one.wish.is_plain
    }
    return LookedAt(tuple(changed), reasons, tuple(dict.fromkeys(warnings)), schemas, where)


def warn(
    looks: Looks,
    targets: Sequence[Target],
    rules: RegistryRules | None,
    patience: float,
    *,
    unasked: bool = False,
) -> tuple[str, ...]:
    """Return what is not there of the images that are restored, or could not be looked at.

    Raises Refused for what is not there where nobody asked for it.
    """
    made: list[str] = []
    for target, questions in _asked(looks, targets, rules):
        for question in questions:
            if question.wish is None:
                continue
            seen = looks.of(question.wish, patience)
            if isinstance(seen.error, NotFound):
                text = f"{seen.error.message}: what starts there cannot pull it"
                if unasked:
                    raise Refused(f"{target.view.label}: {text}")
                made.append(f"{target.view.label}: {text}")
            elif seen.error is not None:
                text = f"{question.wish} was not looked at: {seen.error.message}"
                made.append(f"{target.view.label}: {text}")
    return tuple(dict.fromkeys(made))


class _Answers:
    """Makes of each question what is written, a reason, or a warning."""

    def __init__(
        self, looks: Looks, target: Target, rules: RegistryRules | None, *, carried: bool
    ) -> None:
        self._looks = looks
        self._carried = carried
        self._row = target.view.row
        self._label = target.view.label
        self._rules = rules
        self.reasons: list[Reason] = []
        self.warnings: list[str] = []
        self.schemas: list[Schema] = []

    def settle(self, question: _Question) -> ImageRequest:
        """Return what is to be written."""
        request, value = question.request, question.value
        lacks_digest = self._row.pin != "tag" and value.digest is None and value.tag is not None
        needs_digest = lacks_digest and not self._carried
        if lacks_digest and self._carried:
            self.warnings.append(
                f"{self._label}: {question.request.image} goes on by its tag: it was released "
                f"without a digest, before `pin: {self._row.pin}`"
            )
        if question.wish is None:
            self._not_asked(question, needs_digest=needs_digest)
            return request
        seen = self._looks.of(question.wish)
        if isinstance(seen.error, NotFound):
            self._against(self._missing(question.wish, seen.error))
            return request
        if seen.error is not None:
            self._silent(question.wish, seen.error, needs_digest=needs_digest)
            return request
        digest = seen.digest or ""
        if value.digest is not None and value.digest != digest:
            self._against(f"{question.wish} is {digest} there, and not {value.digest}")
        self._check_platforms(question.wish, seen)
        self.schemas += [seen.schema] if seen.schema is not None else []
        pin: Pin = "tag" if self._carried else self._row.pin
        return pinned(request, value, value.digest or digest, pin)

    def _against(self, text: str) -> None:
        self.reasons.append(Reason("image", self._label, text))

    def _not_asked(self, question: _Question, *, needs_digest: bool) -> None:
        """Say where nobody may be asked, if anything of it was needed."""
        what = question.value.name or question.request.image
        if question.name is None:
            if needs_digest:
                self._against(
                    f"`pin: {self._row.pin}` needs a digest, and {what} names no registry to ask: "
                    f"give newName with a host, or the digest ({question.request.image}@sha256:…)"
                )
        elif not may_ask(self._rules, question.name.host):
            text = f"{question.name.host} is none of `registries.hosts`: {what} is not looked at"
            if needs_digest:
                self._against(f"{text}, and `pin: {self._row.pin}` needs its digest")
            else:
                self.warnings.append(f"{self._label}: {text}")

    def _silent(self, wish: Wish, error: GitopsError, *, needs_digest: bool) -> None:
        if needs_digest:
            error.hint = (
                f"`pin: {self._row.pin}` of {self._row.name} needs the digest of {wish}: "
                f"give it (…@sha256:…), or {error.hint or 'try again later'}"
            )
            raise NoOtherTry(error)
        if self._rules is not None and self._rules.refuse:
            error.hint = f"{error.hint or 'try again later'} (registries: unavailable: refuse)"
            raise NoOtherTry(error)
        self.warnings.append(f"{self._label}: {wish} was not looked at: {error.message}")

    def _missing(self, wish: Wish, error: NotFound) -> str:
        """Say that an image is not there, and what is."""
        if ":" in wish.reference or "no repository" in error.message:
            return error.message
        try:
            near = nearest_tags(wish.reference, self._looks.tags(wish))
        except GitopsError:
            return error.message
        if not near:
            return f"{error.message}, and none that is like it"
        verb = "is" if len(near) == 1 else "are"
        return f"{error.message}; the nearest {verb} {', '.join(near)}"

    def _check_platforms(self, wish: Wish, seen: Seen) -> None:
        if not self._row.platforms:
            return
        if seen.platforms is None:
            self.warnings.append(f"{self._label}: {wish} does not say which platform it is for")
            return
        missing = lacking(self._row.platforms, seen.platforms)
        if missing:
            there = ", ".join(map(str, seen.platforms)) or "none"
            self._against(f"{wish} is not there for {', '.join(missing)} (only {there})")


def _asked(
    looks: Looks, targets: Iterable[Target], rules: RegistryRules | None
) -> list[tuple[Target, tuple[_Question, ...]]]:
    """Return each target with its questions, all of which are being asked by now."""
    asked = [(target, tuple(_questions(target, rules))) for target in targets]
    looks.begin(one.wish for _, questions in asked for one in questions if one.wish is not None)
    return asked


def _questions(target: Target, rules: RegistryRules | None) -> Iterator[_Question]:
    view = target.view
    present = view.target_images
    for request in target.requests:
        before = present.get(request.image, ImageValue())
        value = request.apply(before)
        name = image_name(value.name or request.image)
        yield _Question(request, value, name, _wish(view.row, before, value, name, rules))


def _wish(
    row: Environment,
    before: ImageValue,
    value: ImageValue,
    name: ImageName | None,
    rules: RegistryRules | None,
) -> Wish | None:
    """Return what is to be asked; None where nobody may be, or nothing changes."""
    reference = value.tag or value.digest
    idle = rules is None and row.pin == "tag"
    if name is None or reference is None or idle or not may_ask(rules, name.host):
        return None
    if value == before and (row.pin == "tag" or value.digest is not None):
        return None
    schema = rules is not None and rules.schema
    return Wish(name, reference, platforms=row.platforms, schema=schema)
