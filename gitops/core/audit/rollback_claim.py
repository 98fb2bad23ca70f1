"""Is a commit that says it is a rollback one, and no more than that?

It may put image values of one overlay back to those of an earlier release that was not judged bad,
and write the hold of that overlay. Whether a release is a way back is asked of the rule that
`gitops rollback` follows (`core.releases.rollback`), without an override: a message proves none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from gitops.core.audit.findings import Claim
from gitops.core.environments.follower import Also
from gitops.core.hold import parse_hold
from gitops.core.kustomization import edit_images, image_values
from gitops.core.kustomization.image import ImageRequest, ImageValue, describe_value
from gitops.core.releases.release import Release, Verdicts
from gitops.core.releases.rollback import choose
from gitops.core.releases.selection import NeedMore, describe
from gitops.core.text.plain import one_line, split_lines
from gitops.errors import ManifestError, NotFound, Refused, UsageError

_NOTHING: Also = MappingProxyType({})


class RollbackOffence(Struct, frozen=True):
    """What a rollback must not do; `path` is None for the whole commit, `line` counts from 1."""

    path: str | None
    message: str
    line: int | None = None


class ChangedFile(Struct, frozen=True):
    """A file before and after; None where there is no regular file. `mode`: its mode changed."""

    path: str
    before: bytes | None
    after: bytes | None
    mode: bool = False


def stray_paths(
    label: str, changed: Sequence[str], allowed: Sequence[str]
) -> tuple[RollbackOffence, ...]:
    """Return an offence for each changed path that is neither the overlay's file nor its hold."""
    what = f"a rollback of {label} changes its image values and writes its hold, nothing else"
    return tuple(RollbackOffence(path, what) for path in changed if path not in allowed)


def judge_kustomization(file: ChangedFile, also: Also = _NOTHING) -> tuple[RollbackOffence, ...]:
    """Say what else than image values, and what follows them there, a rollback changes in the
    kustomization."""
    if file.before is None or file.after is None:
        verb = "takes away" if file.after is None else "makes"
        return (RollbackOffence(file.path, f"it {verb} the kustomization"),)
    offences = [RollbackOffence(file.path, "it changes the mode of the file")] if file.mode else []
    try:
        wanted = image_values(file.after, file.path)
        requests = [ImageRequest.exactly(image, value) for image, value in wanted.items()]
        expected = edit_images(file.before, file.path, requests, also=also).after
    except ManifestError as error:
        return (
            *offences,
            RollbackOffence(
                file.path, f"nobody can tell what it changes: {error.problem}", error.line
            ),
        )
    except (NotFound, UsageError):
        added = [image for image in wanted if image not in image_values(file.before, file.path)]
        return (*offences, RollbackOffence(file.path, f"it adds the image {', '.join(added)}"))
    if expected != file.after:
        line, text = first_change(expected, file.after)
        shown = f": {one_line(text, 80)}" if text.strip() else ""
        offences.append(
            RollbackOffence(file.path, f"it changes more than image values{shown}", line)
        )
    return tuple(offences)


def judge_hold(
    file: ChangedFile, label: str, restored: Release | None
) -> tuple[RollbackOffence, ...]:
    """Say what is wrong with the hold that a rollback writes."""
    if file.after is None:
        return (RollbackOffence(file.path, f"it lifts the hold of {label}"),)
    if file.mode:
        return (RollbackOffence(file.path, "it changes the mode of the file"),)
    try:
        hold = parse_hold(file.after, file.path)
    except ManifestError as error:
        return (
            RollbackOffence(file.path, f"its hold cannot be read: {error.problem}", error.line),
        )
    if restored is not None and hold.restores not in (None, restored.commit):
        named = one_line(hold.restores or "", 40)[:12]
        return (
            RollbackOffence(
                file.path, f"its hold says that {named} is restored, not {restored.commit[:7]}"
            ),
        )
    return ()


def find_restored(
    claim: Claim,
    before: Mapping[str, ImageValue],
    after: Mapping[str, ImageValue],
    releases: Sequence[Release],
    verdicts: Verdicts,
    *,
    complete: bool,
    override: str | None = None,
) -> tuple[Release | None, tuple[str, ...]]:
    """Return the release whose images a rollback restores, and why it must not be that one.

    Args:
        before, after: the images that the overlay pins.
        releases: of the overlay before the rollback, newest first.
        complete: False when there are older ones that were not read.
        override: why a release is restored that the rule leaves out; None: nobody may say.

    Raises NeedMore when older releases could change the answer.
    """
    changed = {
        image: value for image, value in after.items() if image in before and before[image] != value
    }
    if not changed:
        return None, ("it restores nothing: no image value changes",)
    named = claim.restores
    if named is None:
        named = _by_value(releases, changed, complete=complete)
    if named is None:
        return None, (f"no earlier release has {_pins(changed)}",)
    try:
        choice = choose(
            releases,
            before,
            only=frozenset(changed),
            to=named,
            verdicts=verdicts,
            complete=complete,
            override=override,
        )
    except NotFound:
        return None, (f"{one_line(named, 40)[:12]}, which it names, is no earlier release",)
    except UsageError as error:
        return None, (error.message,)
    except Refused as error:
        told = tuple(f"it says of an override: {one_line(text)}" for text in claim.overrides)
        return None, (error.message, *told)
    restored = choice.release
    if restored is None:
        return None, (f"{one_line(named, 40)[:12]} is what ran already",)
    then = restored.images or {}
    wrong = {image: value for image, value in changed.items() if then.get(image) != value}
    if wrong:
        return restored, (f"{describe(restored)} does not have {_pins(wrong)}",)
    return restored, ()


def _by_value(
    releases: Sequence[Release], changed: Mapping[str, ImageValue], *, complete: bool
) -> str | None:
    """Return the newest release that has all of `changed`."""
    for release in releases:
        then = release.images or {}
        if all(then.get(image) == value for image, value in changed.items()):
            return release.commit
    if not complete:
        raise NeedMore
    return None


def _pins(images: Mapping[str, ImageValue]) -> str:
    return ", ".join(f"{image} {describe_value(value)}" for image, value in images.items())


def first_change(before: bytes, after: bytes) -> tuple[int, str]:
    """Return the first line (from 1) of `after` that is another one in `before`, and its text."""
    ours = split_lines(before.decode(errors="replace"))
    theirs = split_lines(after.decode(errors="replace"))
    for number, text in enumerate(theirs):
        if number >= len(ours) or ours[number] != text:
            return number + 1, text
    return max(len(theirs), 1), ""
