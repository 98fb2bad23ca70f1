"""Which release a rollback restores: the one rule, design section 6.

C is the newest release that changed a value of the images to be restored. The search starts just
before C; if C is a rollback, at the release that it restored, through rollbacks of rollbacks; and
it only goes back. Left out are releases that would change nothing, that would bring back a value
which a rollback took away (until somebody deploys it again on purpose), that were seen degraded or
failed QA, or whose overlay does not parse. Of the rest the newest stable one is taken; when none
is, the newest.

A value that runs now is not brought back by a release that holds it too, so it leaves none out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from gitops.core.kustomization.image import ImageRequest, ImageValue, describe_value
from gitops.core.releases.lineage import Lineage, trace
from gitops.core.releases.lookup import find_release
from gitops.core.releases.release import NO_VERDICTS, Release, Verdicts
from gitops.core.releases.selection import (
    Choice,
    LeftOut,
    NeedMore,
    Objection,
    describe,
    list_history,
    stability_of,
    stay_warnings,
    unreadable_warnings,
)
from gitops.errors import NotFound, Refused

PREVIOUS = "previous"


class _Case(Struct, frozen=True):
    """What there is to choose from.

    `wanted` are the present values of the images to restore; `every`: these are all there are.
    """

    releases: Sequence[Release]
    wanted: Mapping[str, ImageValue]
    lineage: Lineage
    verdicts: Verdicts
    complete: bool
    every: bool


def choose(
    releases: Sequence[Release],
    current: Mapping[str, ImageValue],
    *,
    only: frozenset[str] | None = None,
    to: str | None = None,
    override: str | None = None,
    verdicts: Verdicts = NO_VERDICTS,
    complete: bool = True,
) -> Choice:
    """Choose the release to restore.

    Args:
        releases: of the overlay, newest first.
        current: the images that the overlay pins now.
        only: restore only these; None means all.
        to: a commit (4 hex digits or more), a tag, or `previous`; None: by the rule.
        override: why a release named by `to` is taken though the rule leaves it out.
        complete: False when there are older releases that were not read.

    Raises NeedMore when older releases could change the answer, Refused when nothing is left or
    the named release is left out, NotFound for an unknown image or release, UsageError for a word
    that fits several releases.
    """
    missing = sorted((only or frozenset()) - current.keys())
    if missing:
        raise NotFound(f"the overlay has no image {missing[0]!r}; it has: {', '.join(current)}")
    wanted = {image: value for image, value in current.items() if only is None or image in only}
    lineage = trace(releases, only=only, complete=complete)
    case = _Case(releases, wanted, lineage, verdicts, complete, every=only is None)
    if to is None or to == PREVIOUS:
        return _search(case, prefer_stable=to is None)
    return _take(case, find_release(releases, to, wanted, complete=complete), override)


def undo_edits(
    releases: Iterable[Release],
    current: Mapping[str, ImageValue],
    *,
    only: frozenset[str] | None = None,
) -> Choice:
    """Choose for a checkout that is edited by hand: the newest committed release that differs.

    Raises Refused when no committed release does.
    """
    for release in releases:
        then = release.images or {}
        requests = tuple(
            ImageRequest.exactly(image, then[image])
            for image, value in current.items()
            if (only is None or image in only) and then.get(image, value) != value
        )
        if requests:
            note = f"restores {describe(release)}, the newest committed release that differs"
            return Choice(release=release, requests=requests, notes=(note,))
    raise Refused("no committed release differs from what the checkout has")


def _search(case: _Case, *, prefer_stable: bool) -> Choice:
    """Go back from the start to the newest stable release that is not left out, else the newest."""
    start = _start(case)
    stable = {key for key in case.verdicts.health if case.verdicts.is_stable(key)}
    rest: list[Release] = []
    left_out: list[LeftOut] = []
    for release in case.releases[start:]:
        against = _objections(case, release)
        if against:
            left_out.append(LeftOut(release, against))
            continue
        rest.append(release)
        if not (prefer_stable and stable) or release.commit in stable:
            break
    last_stable = prefer_stable and bool(rest) and rest[-1].commit in stable
    unread = stable.difference(release.commit for release in case.releases)
    if not case.complete and (not rest or (prefer_stable and unread and not last_stable)):
        raise NeedMore
    if not rest:
        raise Refused(
            "there is no earlier release to go back to",
            hint="`gitops rollback ENV --to RELEASE --override REASON` takes one that is left out",
            reasons=list_history(case.releases, start, left_out, case.wanted),
        )
    return _chosen(
        case,
        rest[-1] if last_stable else rest[0],
        passed_over=len(rest) - 1 if last_stable else 0,
        left_out=left_out,
    )


def _start(case: _Case) -> int:
    """Return the position where the search starts."""
    newest = case.lineage.newest()
    if newest is None:
        return 0
    if not newest.settled:
        raise NeedMore
    if newest.restored is None:
        return newest.position + 1
    start, settled = case.lineage.origin(newest.restored)
    if not settled:
        raise NeedMore
    return start


def _objections(case: _Case, release: Release) -> tuple[Objection, ...]:
    """Return why `release` is left out; empty when it is not."""
    if release.images is None:
        return (Objection("unreadable", "its overlay cannot be read"),)
    common = {image: release.images[image] for image in case.wanted if image in release.images}
    if not common:
        return (Objection("foreign", "has none of the images"),)
    back = {image: value for image, value in common.items() if value != case.wanted[image]}
    if not back:
        return (Objection("same", "its images are what runs now"),)
    taken = {pinned: case.lineage.was_taken(*pinned) for pinned in back.items()}
    found = [
        Objection("taken", f"holds {image} {describe_value(value)}, which a rollback took away")
        for (image, value), was_taken in taken.items()
        if was_taken
    ]
    if not found and None in taken.values():
        raise NeedMore
    verdict = case.verdicts.against(release.commit)
    if verdict is not None:
        found.append(Objection("verdict", f"is {verdict}"))
    return tuple(found)


def _take(case: _Case, release: Release, override: str | None) -> Choice:
    """Take the release that was named."""
    against = _objections(case, release)
    kinds = {objection.kind for objection in against}
    if "same" in kinds:
        note = f"{describe(release)} is what already runs"
        return Choice(release=None, notes=(note,), left_out=(LeftOut(release, against),))
    texts = tuple(objection.text for objection in against)
    if against and (not override or kinds & {"unreadable", "foreign"}):
        raise Refused(
            f"{describe(release)} is left out: {'; '.join(texts)}",
            hint=None
            if kinds & {"unreadable", "foreign"}
            else "`--override REASON` takes it all the same, and is recorded",
            reasons=texts,
        )
    return _chosen(case, release, overridden=texts)


def _chosen(
    case: _Case,
    release: Release,
    *,
    passed_over: int = 0,
    left_out: Sequence[LeftOut] = (),
    overridden: tuple[str, ...] = (),
) -> Choice:
    then = release.images or {}
    newest = case.lineage.newest()
    bad = newest.release if newest is not None else case.releases[0]
    stability = stability_of(case.verdicts.health.get(release.commit))
    notes = [f"restores {describe(release)}: {stability}"]
    if passed_over:
        plural = "release that nobody" if passed_over == 1 else "releases that nobody"
        notes.append(f"passes over {passed_over} newer {plural} judged")
    return Choice(
        release=release,
        requests=tuple(
            ImageRequest.exactly(image, then[image]) for image in case.wanted if image in then
        ),
        rolled_back=bad.commit,
        passed_over=passed_over,
        stability=stability,
        notes=tuple(notes),
        warnings=(
            *stay_warnings(release, case.wanted, every=case.every),
            *unreadable_warnings(left_out),
        ),
        left_out=tuple(left_out),
        overridden=overridden,
    )


__all__ = ["PREVIOUS", "Choice", "NeedMore", "choose", "undo_edits"]
