"""Promotion: which images go to the next environment, and every reason why they may not.

Everything is judged over the images that change. The callers read what is needed: releases and
ledgers of the `after` environments, heads of the source branches, hold and freeze of the target.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from gitops.core.environments.environment import Overlay, Required
from gitops.core.environments.freeze import FreezeHit
from gitops.core.git.revision import Revision, parse_revision
from gitops.core.hold import Hold
from gitops.core.kustomization import missing_image
from gitops.core.kustomization.image import (
    ImageChange,
    ImageRequest,
    ImageValue,
    describe_value,
    wrong_part,
)
from gitops.core.kustomization.refusals import is_template
from gitops.core.ledger.verdicts import (
    Aspect,
    CountedVerdict,
    JudgedSet,
    LatestVerdicts,
    standing_of,
)
from gitops.core.policy.reasons import Reason, judge_hold, judge_source, plain_branch
from gitops.core.text.plain import exact_duration, timestamp
from gitops.errors import Refused

_SHORT = 7
_UNITS = "hms"  # as gitops.yaml mostly has it: 48h
_ASPECTS: dict[Required, Aspect] = {"qa-passed": "quality", "stable": "health"}
_BAD = ("degraded", "qa-failed")


class Carried(Struct, frozen=True):
    """What a promotion takes along.

    Attributes:
        requests: one for each image, with name, tag and digest as one.
        warnings: the images that are left out, in full sentences.
    """

    requests: tuple[ImageRequest, ...]
    warnings: tuple[str, ...]


class Upstream(Struct, frozen=True):
    """What an environment of the target's `after` tells.

    Attributes:
        overlay: its label (`stage`, `shop/stage`).
        present: the images that it pins now.
        released: names of the changing images whose new value is or was a release there, and was
            not left there by a rollback (`core.releases.lookup.was_released`).
        sets: its ledger, see `core.ledger.verdicts.judged_sets`.
        taken: image -> the rollback that took its new value away there, as messages call it.
        problem: why it cannot be asked at all; the rest is empty then.
        unseen: how much of its past cannot be read, None when all of it can, or need not be.
        nameless: tag and digest are compared, for one of both has a registry of its own; `present`
            and `sets` have no names then.
    """

    overlay: str
    present: Mapping[str, ImageValue]
    released: Collection[str]
    sets: Sequence[JudgedSet] = ()
    problem: str | None = None
    unseen: str | None = None
    taken: Mapping[str, str] = {}
    nameless: bool = False

    def in_its_words(self, wanted: Mapping[str, ImageValue]) -> Mapping[str, ImageValue]:
        """Return `wanted` as `present` and `sets` would say it."""
        if not self.nameless:
            return wanted
        return {image: value.nameless for image, value in wanted.items()}


class ImageOrigin(Struct, frozen=True):
    """Where the value of a changing image came from.

    Attributes:
        revision: `Source-Revision` of the newest first-parent commit that set this value in the
            environment before (`release/1.4@sha1:…`, or the branch alone), None when not recorded.
        heads: branch -> its commit in the source repository now; None when that is not known.
    """

    image: str
    revision: str | None
    heads: Mapping[str, str] | None


class Judgement(Struct, frozen=True):
    """Every reason against a promotion, and what could not be checked."""

    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()


def carry(
    source: Mapping[str, ImageValue],
    target: Mapping[str, ImageValue],
    names: Sequence[str] = (),
    *,
    source_label: str,
    target_label: str,
    keep_names: bool = False,
) -> Carried:
    """Choose what goes from `source` to `target`: the images called `names`, or all.

    With `keep_names` each image keeps the registry that it has in `target`.

    Raises NotFound when `source` does not have a named one, Refused for a value that no runtime
    can pull: what is broken there is not carried on.
    """
    unknown = [name for name in names if name not in source]
    if unknown:
        raise missing_image(unknown[0], source, source_label, can_add=False)
    requests: list[ImageRequest] = []
    warnings: list[str] = []
    for image in dict.fromkeys(names or source):
        if image not in target:
            warnings.append(f"{target_label} has no image {image}: left out")
        elif (source[image].nameless if keep_names else source[image]) == ImageValue():
            warnings.append(f"{source_label} pins nothing for {image}: left out")
        else:
            _check_pullable(image, source[image], source_label)
            ask = ImageRequest.pulled if keep_names else ImageRequest.exactly
            requests.append(ask(image, source[image]))
    return Carried(tuple(requests), tuple(warnings))


def _check_pullable(image: str, value: ImageValue, label: str) -> None:
    for attribute in ("name", "tag", "digest"):
        text = getattr(value, attribute)
        wrong = wrong_part(attribute, text) if text and not is_template(text) else None
        if wrong is not None:
            raise Refused(
                f"{label} has {image} {describe_value(value)}, which cannot be pulled: {wrong}",
                hint=f"mend it in {label} first: `gitops validate` says where",
            )


def judge_registry(
    overlay: Overlay, changes: Sequence[ImageChange], source_label: str
) -> tuple[Reason, ...]:
    """Would a promotion give an image another environment's registry in place of its own?

    An entry that pins nothing yet has none. With `registry: own` no change brings a name along.
    """
    return tuple(
        Reason(
            "registry",
            overlay.label,
            f"newName of {change.image} would become {change.after.name or change.image} of "
            f"{source_label}, and is {change.before.name or change.image}: say `registry: own` in "
            f"the row {overlay.environment.name} of gitops.yaml to keep it",
        )
        for change in changes
        if change.before != ImageValue() and change.before.name != change.after.name
    )


class Moment(Struct, frozen=True):
    """When a promotion is judged, with the hold and the freeze that the overlay is in then."""

    now: datetime
    hold: Hold | None = None
    freeze: FreezeHit | None = None


def judge_promotion(
    overlay: Overlay,
    changes: Sequence[ImageChange],
    *,
    moment: Moment,
    befores: Sequence[Upstream],
    origins: Sequence[ImageOrigin],
    requires: Collection[Required] = (),
    expected: str | None = None,
    soak: timedelta | None = None,
) -> Judgement:
    """Say everything that stands against putting `changes` into `overlay`.

    Args:
        moment: when that is, and what automation must leave alone then.
        befores: one for each environment of `after`.
        origins: one for each changing image whose way is known or not; others are not judged.
        expected: the release branch that `--ref` names.
        soak: how long they must have been stable in `befores`; only automation asks that.
    """
    if not changes:
        return Judgement()
    wanted = {change.image: change.after for change in changes}
    label = overlay.label
    reasons = [*judge_hold(overlay, moment.hold), *judge_freeze(overlay, moment.freeze)]
    by_source, warnings = _judge_origins(overlay, wanted, befores, origins, expected)
    reasons += by_source
    for before in befores:
        reasons += _judge_before(label, wanted, before, requires, soak, moment.now)
    return Judgement(tuple(dict.fromkeys(reasons)), tuple(dict.fromkeys(warnings)))


def judge_freeze(overlay: Overlay, freeze: FreezeHit | None) -> tuple[Reason, ...]:
    """Is the overlay's environment in a freeze?"""
    if freeze is None:
        return ()
    opens = (
        f"opens {timestamp(freeze.opens)}" if freeze.opens is not None else "no opening in sight"
    )
    text = f"frozen by {freeze.name}: {freeze.reason}; {opens}"
    return (Reason("freeze", overlay.label, text),)


def _judge_before(
    label: str,
    wanted: Mapping[str, ImageValue],
    before: Upstream,
    requires: Collection[Required],
    soak: timedelta | None,
    now: datetime,
) -> list[Reason]:
    """The rules of one `after` environment: released, nothing bad said, all that is required said.

    Of a value that was no release there nothing else is asked: no word can cover it.
    """
    if before.problem is not None:
        return [Reason("after", label, f"{before.overlay} cannot be asked: {before.problem}")]
    reasons: list[Reason] = []
    wanted = before.in_its_words(wanted)
    for image, value in wanted.items():
        if image not in before.released:
            what = f"{_pinned(image, value)} is not a release of {before.overlay}"
            if image in before.taken:
                what = f"a rollback of {before.overlay} took {_pinned(image, value)} away: "
                what += before.taken[image]
            what += f" ({before.unseen})" if before.unseen is not None else ""
            reasons.append(Reason("after", label, what))
    rest = {image: value for image, value in wanted.items() if image in before.released}
    if not rest:
        return reasons
    for requirement, aspect in _ASPECTS.items():
        covered = standing_of(before.sets, rest, before.present, aspect)
        words = {image: standing.about(aspect) for image, standing in covered.items() if standing}
        reasons += _judge_words(label, rest, words, before.overlay)
        missing = [_pinned(image, value) for image, value in rest.items() if image not in words]
        if missing and requirement in requires:
            text = f"{before.overlay} has no {requirement} for {', '.join(missing)}"
            reasons.append(Reason("requires", label, text))
        if aspect == "health" and soak is not None:
            reasons += _judge_soak(label, rest, covered, before.overlay, soak, now)
    return reasons


def _judge_words(
    label: str,
    wanted: Mapping[str, ImageValue],
    words: Mapping[str, CountedVerdict | None],
    before: str,
) -> list[Reason]:
    """One reason for each bad word, with all the images that it is about."""
    reasons: list[Reason] = []
    for word in dict.fromkeys(words.values()):
        if word is None or word.verdict not in _BAD:
            continue
        bad = [_pinned(image, wanted[image]) for image in wanted if words.get(image) == word]
        note = f": {word.reason}" if word.reason else ""
        who = f"{word.by}, {timestamp(word.time)}{note}"
        text = f"{before} has {', '.join(bad)} as {word.verdict} ({who})"
        reasons.append(Reason("verdict", label, text))
    return reasons


def _judge_soak(
    label: str,
    wanted: Mapping[str, ImageValue],
    covered: Mapping[str, LatestVerdicts | None],
    before: str,
    soak: timedelta,
    now: datetime,
) -> list[Reason]:
    since = {
        image: standing.stable_since if standing else None for image, standing in covered.items()
    }
    waiting = [_pinned(image, wanted[image]) for image, start in since.items() if start is None]
    if waiting:
        long = exact_duration(soak, _UNITS)
        text = f"{', '.join(waiting)} must be stable in {before} for {long}, and is not yet"
        return [Reason("soak", label, text)]
    start = max(start for start in since.values() if start is not None)
    if now >= start + soak:
        return []
    over = f"{exact_duration(soak, _UNITS)} are over {timestamp(start + soak)}"
    text = f"stable in {before} since {timestamp(start)}; {over}"
    return [Reason("soak", label, text)]


def _judge_origins(
    overlay: Overlay,
    wanted: Mapping[str, ImageValue],
    befores: Sequence[Upstream],
    origins: Sequence[ImageOrigin],
    expected: str | None,
) -> tuple[list[Reason], list[str]]:
    """Is each image still what its release branch ends in?"""
    reasons: list[Reason] = []
    warnings: list[str] = []
    asked = plain_branch(expected) if expected is not None else None
    passed = _qa_passed(wanted, befores)
    for origin in origins:
        if origin.image not in wanted:
            continue
        what = _pinned(origin.image, wanted[origin.image])
        revision = parse_revision(origin.revision)
        if revision is None:
            text = f"from which source branch {what} came is not recorded"
            if asked is None:
                warnings.append(text)
            else:
                reasons.append(Reason("ref", overlay.label, f"{text}, {asked} was asked for"))
            continue
        branch = revision.branch
        if asked is not None and branch != asked:
            text = f"{what} came from {branch}, {asked} was asked for"
            reasons.append(Reason("ref", overlay.label, text))
        reasons += judge_source(overlay, branch)
        found = _judge_move(overlay, origin, what, revision, qa_passed=origin.image in passed)
        reasons += [found] if isinstance(found, Reason) else []
        warnings += [found] if isinstance(found, str) else []
    return reasons, warnings


def _judge_move(
    overlay: Overlay, origin: ImageOrigin, what: str, revision: Revision, *, qa_passed: bool
) -> Reason | str | None:
    """Does its branch still end in the commit that `what` was built from? A text: nobody knows."""
    branch, commit = revision.branch, revision.commit
    if commit is None:
        return f"from which commit of {branch} {what} came is not recorded"
    if origin.heads is None:
        return (
            f"whether {branch} moved since {what} was built is not known: gitops.yaml names no "
            f"source for {origin.image}"
        )
    if branch not in origin.heads:
        text = f"{branch} is gone from the source repository of {origin.image}"
        return Reason("gone", overlay.label, text)
    if origin.heads[branch] != commit:
        word = " (QA passed)" if qa_passed else ""
        ends = origin.heads[branch][:_SHORT]
        text = f"{branch} moved from {commit[:_SHORT]}{word} to {ends}"
        return Reason("moved", overlay.label, text)
    return None


def _qa_passed(wanted: Mapping[str, ImageValue], befores: Iterable[Upstream]) -> set[str]:
    found: set[str] = set()
    for before in befores:
        asked = before.in_its_words(wanted)
        covered = standing_of(before.sets, asked, before.present, "quality")
        for image, standing in covered.items():
            if standing and standing.quality and standing.quality.verdict == "qa-passed":
                found.add(image)
    return found


def _pinned(image: str, value: ImageValue) -> str:
    return f"{image} {describe_value(value)}"
