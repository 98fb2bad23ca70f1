"""What the ledger says of each release, and of each set of images.

Newest means last in the ledger. A word is given to the whole set of images of a release, so it
holds for every release that pins this set. A machine's `degraded` on a release that was stable
once does not count: what breaks later is seldom the release's fault, and a person can say so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger.records import LedgerEntry
from gitops.core.releases.release import Health, Quality, Release, Verdicts

ImageSet = frozenset[tuple[str, ImageValue]]
Aspect = Literal["health", "quality"]


class CountedVerdict(Struct, frozen=True, gc=False):
    """One verdict that counts.

    Attributes:
        place: its place in the ledger; a later word has a greater one.
    """

    verdict: Health | Quality
    time: datetime
    by: str
    reason: str | None
    place: int


class LatestVerdicts(Struct, frozen=True, gc=False):
    """The newest word on health and the newest word of QA.

    Attributes:
        stable_since: when it was first said stable, with no `degraded` since; None when it is not.
    """

    health: CountedVerdict | None = None
    quality: CountedVerdict | None = None
    stable_since: datetime | None = None

    def about(self, aspect: Aspect) -> CountedVerdict | None:
        """Return the newest word on health, or of QA."""
        return self.health if aspect == "health" else self.quality


class JudgedSet(Struct, frozen=True, gc=False):
    """A set of images, and what was said of it."""

    images: ImageSet
    standing: LatestVerdicts


def is_news(entries: Iterable[LedgerEntry], commit: str, verdict: Health) -> bool:
    """Say whether a machine that saw `verdict` of a release should write it down.

    Not when that is the newest word on its health already, not against a person's word, and no
    `degraded` after it was stable once: what breaks later is seldom the release's fault.
    """
    words = [
        entry.record
        for entry in entries
        if entry.record.commit == commit and entry.record.verdict in ("stable", "degraded")
    ]
    if not words:
        return True
    if words[-1].verdict == verdict or not words[-1].machine:
        return False
    return verdict == "stable" or all(word.verdict != "stable" for word in words)


def judged(entries: Iterable[LedgerEntry]) -> dict[str, LatestVerdicts]:
    """Return commit -> its standing, for every commit that the ledger has a word on."""
    found: dict[str, LatestVerdicts] = {}
    for commit, word, _ in _words(entries):
        found[commit] = _add(found.get(commit, LatestVerdicts()), word)
    return found


def judged_sets(
    entries: Iterable[LedgerEntry],
    releases: Iterable[Release] = (),
    *,
    wanted: Collection[ImageSet] | None = None,
) -> tuple[JudgedSet, ...]:
    """Return the judged sets of images, in the order in which they were first judged.

    What Git says of a release goes before what the ledger says that its images were. `wanted`: the
    only sets that are looked at; None: all.
    """
    known = _images_of(releases)
    values = None if wanted is None else {value for images in wanted for _, value in images}
    found: dict[ImageSet, LatestVerdicts] = {}
    for commit, word, claimed in _words(entries):
        images = known.get(commit)
        if images is None and (values is None or next(iter(claimed.values()), None) in values):
            images = frozenset(claimed.items())
        if images and (wanted is None or images in wanted):
            found[images] = _add(found.get(images, LatestVerdicts()), word)
    return tuple(JudgedSet(images, standing) for images, standing in found.items())


def verdicts_on(
    entries: Sequence[LedgerEntry],
    releases: Sequence[Release],
    alone: Mapping[str, LatestVerdicts] | None = None,
) -> Verdicts:
    """Return the newest verdicts on `releases`, as the rollback rule and `after` want them.

    `alone`: what `judged` returned, where that is known.
    """
    wanted = frozenset(_images_of(releases).values())
    sets = {one.images: one.standing for one in judged_sets(entries, releases, wanted=wanted)}
    alone = judged(entries) if alone is None else alone
    health: dict[str, Health] = {}
    quality: dict[str, Quality] = {}
    for release in releases:
        images = frozenset(release.images.items()) if release.images else None
        standing = sets.get(images) if images is not None else alone.get(release.commit)
        if standing is None:
            continue
        match standing.health:
            case CountedVerdict(verdict="stable" | "degraded" as seen):
                health[release.commit] = seen
        match standing.quality:
            case CountedVerdict(verdict="qa-passed" | "qa-failed" as told):
                quality[release.commit] = told
    return Verdicts(health, quality)


def standing_of(
    sets: Sequence[JudgedSet],
    wanted: Mapping[str, ImageValue],
    present: Mapping[str, ImageValue],
    aspect: Aspect,
) -> dict[str, LatestVerdicts | None]:
    """Return for each wanted image the standing that covers it in one environment.

    The word on the very set that runs there counts first, else the newest on any set that holds
    all of `wanted`, else for each image the newest on any set that holds its value.
    """
    items = frozenset(wanted.items())
    running = frozenset(present.items())
    if items <= running:
        exact = _newest([entry for entry in sets if entry.images == running], aspect)
        if exact is not None:
            return dict.fromkeys(wanted, exact)
    whole = _newest([entry for entry in sets if items <= entry.images], aspect)
    if whole is not None:
        return dict.fromkeys(wanted, whole)
    return {
        image: _newest([entry for entry in sets if (image, value) in entry.images], aspect)
        for image, value in wanted.items()
    }


def _newest(sets: Iterable[JudgedSet], aspect: Aspect) -> LatestVerdicts | None:
    judged_so = [
        (word.place, entry.standing)
        for entry in sets
        if (word := entry.standing.about(aspect)) is not None
    ]
    return max(judged_so, key=lambda pair: pair[0])[1] if judged_so else None


def _words(
    entries: Iterable[LedgerEntry],
) -> Iterator[tuple[str, CountedVerdict, Mapping[str, ImageValue]]]:
    """Yield (commit, word, images as the ledger has them) for the verdicts that count."""
    once_stable: set[str] = set()
    for place, entry in enumerate(entries):
        record = entry.record
        verdict = record.verdict
        if verdict == "approved":
            continue
        if verdict == "stable":
            once_stable.add(record.commit)
        elif verdict == "degraded" and record.machine and record.commit in once_stable:
            continue
        word = CountedVerdict(verdict, record.time, entry.who, record.reason, place)
        yield record.commit, word, record.images


def _add(standing: LatestVerdicts, word: CountedVerdict) -> LatestVerdicts:
    if word.verdict in ("qa-passed", "qa-failed"):
        return LatestVerdicts(standing.health, word, standing.stable_since)
    since = None
    if word.verdict == "stable":
        since = standing.stable_since if standing.stable_since is not None else word.time
    return LatestVerdicts(word, standing.quality, since)


def _images_of(releases: Iterable[Release]) -> dict[str, ImageSet]:
    return {
        release.commit: frozenset(release.images.items()) for release in releases if release.images
    }
