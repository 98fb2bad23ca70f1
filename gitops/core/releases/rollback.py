"""Which release a rollback restores: the one rule, design section 6.

C is the newest release that changed a value of the images to be restored. The search starts just
before C; if C is a rollback, at the release that it restored, through rollbacks of rollbacks; and
it only goes back. Left out are releases that would change nothing, that would bring back a value
which a rollback took away (until somebody deploys it again), that were seen degraded or failed QA,
or whose overlay does not parse. Of the rest the newest stable one is taken; when none is, the
newest. What a rollback is, what it takes away and who gives it back stands in `lineage`.

A value that runs now is not brought back by a release that holds it too, so it leaves none out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from gitops.core.kustomization.image import ImageRequest, ImageValue, describe_value
from gitops.core.releases.lineage import Lineage, LineageStep, trace
from gitops.core.releases.lookup import find_release
from gitops.core.releases.release import NO_VERDICTS, Release, Verdicts
from gitops.core.releases.selection import (
    IMPOSSIBLE,
    Choice,
    LeftOut,
    NeedMore,
    Objection,
    describe,
    list_history,
    passed_over_notes,
    short,
    stability_of,
    stay_warnings,
    unreadable_warnings,
    words_for,
)
from gitops.errors import NotFound, Refused

PREVIOUS = "previous"


class _Case(Struct, frozen=True):
    """What there is to choose from.

    Attributes:
        wanted: the present values of the images to restore; `every`: these are all there are.
        command: what a person types for a rollback of this overlay.
    """

    releases: Sequence[Release]
    wanted: Mapping[str, ImageValue]
    lineage: Lineage
    verdicts: Verdicts
    complete: bool
    every: bool
    command: str


def choose(
    releases: Sequence[Release],
    current: Mapping[str, ImageValue],
    *,
    only: frozenset[str] | None = None,
    to: str | None = None,
    override: str | None = None,
    verdicts: Verdicts = NO_VERDICTS,
    complete: bool = True,
    command: str = "gitops rollback ENV",
) -> Choice:
    """Choose the release to restore.

    Args:
        releases: of the overlay, newest first.
        current: the images that the overlay pins now.
        only: restore only these; None means all.
        to: a commit (7 hex digits or more), a tag, or `previous`; None: by the rule.
        override: why a release named by `to` is taken though the rule leaves it out.
        complete: False when there are older releases that were not read.
        command: what a person types for it, for hints.

    Raises NeedMore when older releases could change the answer, Refused when nothing is left or
    the named release is left out, NotFound for an unknown image or release, UsageError for a word
    that fits several releases.
    """
    wanted = restored_images(current, only)
    lineage = trace(releases, only=wanted, complete=complete)
    case = _Case(releases, wanted, lineage, verdicts, complete, only is None, command)
    if to is None or to == PREVIOUS:
        return _search(case, prefer_stable=to is None)
    listing = command.replace("rollback", "history", 1)
    named = find_release(releases, to, wanted, complete=complete, command=listing)
    return _take(case, named, override)


def restored_images(
    current: Mapping[str, ImageValue], only: frozenset[str] | None
) -> dict[str, ImageValue]:
    """Return the present values of the images to restore. Raises NotFound for one of `only`."""
    missing = sorted((only or frozenset()) - current.keys())
    if missing:
        raise NotFound(f"the overlay has no image {missing[0]!r}; it has: {', '.join(current)}")
    return {image: value for image, value in current.items() if only is None or image in only}


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
    newest = case.lineage.newest()
    _refuse_added(case)
    start = case.lineage.start(newest) if newest is not None else 0
    stable = {key for key in case.verdicts.health if case.verdicts.is_stable(key)}
    rest: list[int] = []
    for position in _standing(case, start):
        if _objection(case, position) is not None:
            continue
        rest.append(position)
        if not (prefer_stable and stable) or case.releases[position].commit in stable:
            break
    last_stable = prefer_stable and bool(rest) and case.releases[rest[-1]].commit in stable
    unread = stable.difference(release.commit for release in case.releases)
    if not case.complete and (not rest or (prefer_stable and unread and not last_stable)):
        raise NeedMore
    if not rest:
        raise Refused(
            "there is no earlier release to go back to",
            hint=f"`{case.command} --to RELEASE --override REASON` takes one that is left out",
            reasons=_told_history(case, newest, start),
        )
    taken = rest[-1] if last_stable else rest[0]
    return _chosen(case, taken, left_out=_left_out(case, newest, start, taken))


def _refuse_added(case: _Case) -> None:
    """Refuse to guess when all that the newest release did was to add images."""
    added = case.lineage.newest_added()
    if added is None:
        return
    names = ", ".join(added.added)
    others = [f"--image {image}" for image in case.wanted if image not in added.added]
    ways = f"remove {'its entry' if len(added.added) == 1 else 'their entries'} from the overlay"
    if others:
        ways += f"; or, for the others, `{case.command} {' '.join(others)}` or `--to RELEASE`"
    raise Refused(
        f"the newest release, {describe(added.release)}, only added {names}: "
        "there is nothing earlier to restore for that",
        hint=ways,
        reasons=tuple(f"{image} {describe_value(value)}" for image, value in added.added.items()),
    )


def _standing(case: _Case, start: int) -> Iterable[int]:
    """Yield the positions from `start` on, newest first, without what was undone."""
    gone = {*case.lineage.undone, *case.lineage.undone.values()}
    return (position for position in range(start, len(case.releases)) if position not in gone)


def _objection(case: _Case, position: int) -> Objection | None:
    """Return the first reason why the release at `position` is left out, None when it is not."""
    gap = _gap(case, position)
    if gap is not None:
        return Objection("foreign", f"{gap} was absent")
    return next(iter(_objections(case, case.releases[position])), None)


def _gap(case: _Case, position: int) -> str | None:
    """Return an image that C changed and that was absent at `position` only for a while."""
    newest, here = case.lineage.newest(), case.releases[position].images
    for image in (*newest.changed, *newest.unsure) if newest is not None and here else ():
        if image not in (here or {}):
            if any(image in (older.images or {}) for older in case.releases[position:]):
                return image
            if not case.complete:
                raise NeedMore
    return None


def _objections(case: _Case, release: Release) -> tuple[Objection, ...]:
    """Return all that speaks against `release`, the weightiest first."""
    if release.images is None:
        return (Objection("unreadable", "its overlay cannot be read"),)
    common = {image: release.images[image] for image in case.wanted if image in release.images}
    if not common:
        return (Objection("foreign", "has none of the images"),)
    back = {image: value for image, value in common.items() if value != case.wanted[image]}
    if not back:
        return (Objection("same", "its images are what runs now"),)
    found = [
        Objection("taken", f"holds {image} {describe_value(value)}, which a rollback took away")
        for image, value in back.items()
        if case.lineage.taken_by(image, value) is not None
    ]
    verdict = case.verdicts.against(release.commit)
    if verdict is not None:
        found.append(Objection("verdict", f"is {verdict}"))
    return tuple(found)


def _left_out(
    case: _Case, newest: LineageStep | None, start: int, taken: int
) -> tuple[LeftOut, ...]:
    """Return every release before `taken` but the one that is taken back, each with its reason."""
    found = []
    for position in _standing(case, 0):
        if position >= taken:
            break
        if newest is not None and position == newest.position:
            continue
        release = case.releases[position]
        seen = words_for(release, case.verdicts)
        objection = _objection(case, position)
        if objection is None and position < start and newest is not None:
            restored = f"than what {short(newest.release)} restored"
            objection = Objection("newer", f"is newer {restored}: a rollback only goes back")
        elif objection is None and seen:
            objection = Objection("unproven", "nobody saw it stable")
        elif objection is None:
            objection = Objection("unjudged", "nobody judged it")
        found.append(LeftOut(release, objection, seen))
    return tuple(found)


def _told_history(case: _Case, newest: LineageStep | None, start: int) -> tuple[str, ...]:
    """Return the history with what speaks against each release, for when nothing is left."""
    why = {
        entry.release.commit: entry.objection.text
        for entry in _left_out(case, newest, start, len(case.releases))
    }
    if newest is not None:
        why[newest.release.commit] = "is the newest release"
    for rollback, undo in case.lineage.undone.items():
        why[case.releases[rollback].commit] = f"was undone by {short(case.releases[undo])}"
        why[case.releases[undo].commit] = "undid a rollback"
    return list_history(case.releases, why, case.wanted)


def _take(case: _Case, release: Release, override: str | None) -> Choice:
    """Take the release that was named."""
    against = _objections(case, release)
    kinds = {objection.kind for objection in against}
    if "same" in kinds:
        return Choice(release=None, notes=(f"{describe(release)} is what already runs",))
    texts = tuple(objection.text for objection in against)
    if against and (not override or kinds & IMPOSSIBLE):
        raise Refused(
            f"{describe(release)} is left out: {'; '.join(texts)}",
            hint=None
            if kinds & IMPOSSIBLE
            else "`--override REASON` takes it all the same, and is recorded",
            reasons=texts,
        )
    return _chosen(case, case.releases.index(release), overridden=texts)


def _chosen(
    case: _Case,
    position: int,
    *,
    left_out: tuple[LeftOut, ...] = (),
    overridden: tuple[str, ...] = (),
) -> Choice:
    release = case.releases[position]
    then = release.images or {}
    newest = next((step for step in case.lineage.steps if step.changed), None)
    bad = newest.release if newest is not None else case.releases[0]
    stability = stability_of(case.verdicts.health.get(release.commit))
    return Choice(
        release=release,
        requests=tuple(
            ImageRequest.exactly(image, then[image]) for image in case.wanted if image in then
        ),
        rolled_back=bad.commit,
        passed_over=sum(entry.objection.kind == "unjudged" for entry in left_out),
        stability=stability,
        notes=(f"restores {describe(release)}: {stability}", *passed_over_notes(left_out)),
        warnings=(
            *stay_warnings(release, case.wanted, every=case.every),
            *unreadable_warnings(left_out),
        ),
        left_out=left_out,
        overridden=overridden,
    )
