"""Find a release by what people call it, with no more history than it takes.

A release is named by a commit, which may be abbreviated, or by a tag that one of its images has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TypeVar

from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.lineage import trace
from gitops.core.releases.release import Release
from gitops.core.releases.selection import NeedMore, describe
from gitops.errors import NotFound, UsageError

COMMIT_WORD = re.compile(r"[0-9a-fA-F]{7,64}")
"""What may be a commit: messages show 7 digits, fewer are more likely a tag."""

FULL = (40, 64)
"""Digits of a whole commit: SHA-1, SHA-256."""

_CLOCKS = timedelta(days=1)  # that the clocks of a builder and of whoever committed may be apart
_FIRST = 8  # releases that are looked at first, then twice as many: older ones cost requests
_LISTED = 10

Answer = TypeVar("Answer")


def read_until_sure(
    releases: Iterable[Release], answer: Callable[[Sequence[Release], bool], Answer]
) -> Answer:
    """Return what `answer` says of the releases read so far, newest first, once it is sure.

    It gets them and whether these are all, and raises NeedMore while older ones could change what
    it says; they are read then. It must not raise it when it has all.
    """
    stream = iter(releases)
    read: list[Release] = []
    most = _FIRST
    while True:
        read += islice(stream, most - len(read))
        complete = len(read) < most
        try:
            return answer(read, complete)
        except NeedMore:
            if complete:
                raise AssertionError("all releases were read") from None
            most *= 2


def find_commit(releases: Sequence[Release], word: str, *, complete: bool) -> Release | None:
    """Return the release whose commit `word` names, None when there is none.

    Raises UsageError, listing them, when a short word fits several, and NeedMore when `complete` is
    False and older releases could fit.
    """
    found = _commits(releases, word)
    if len(found) > 1:
        raise _several(word, [("commit", release) for release in found])
    if not complete and not (found and len(word) in FULL):
        raise NeedMore
    return next(iter(found), None)


def find_release(
    releases: Sequence[Release],
    word: str,
    wanted: Mapping[str, ImageValue],
    *,
    complete: bool,
    other: bool = True,
    command: str = "gitops history ENV",
) -> Release:
    """Return the release that `word` names.

    A tag stands for the newest release that has one of the `wanted` images at it; with `other`, one
    that would bring an image to the tag goes before one that only has an image which is there
    already. `command` is what a person types to see the releases.

    Raises UsageError, listing them, when a word fits several; NotFound; and NeedMore when
    `complete` is False and older releases could fit too.
    """
    commits = _commits(releases, word)
    away = {image for image, value in wanted.items() if value.tag != word} if other else set()
    tagged = _newest_tagged(releases, word, away)
    if tagged is None and (complete or not away):
        tagged = _newest_tagged(releases, word, wanted)
    found = {release.commit: ("commit", release) for release in commits}
    if tagged is not None:
        found.setdefault(tagged.commit, ("tag", tagged))
    if len(found) > 1:
        raise _several(word, tuple(found.values()))
    is_sure = bool(commits and len(word) in FULL) or (
        tagged is not None and not COMMIT_WORD.fullmatch(word)
    )
    if not complete and not is_sure:
        raise NeedMore
    if not found:
        raise NotFound(
            f"{word!r} is neither a commit that changed the images of this overlay nor a tag there",
            hint=f"`{command}` lists the releases; a commit needs 7 digits or more",
            reasons=tuple(describe(release) for release in releases[:_LISTED]),
        )
    return next(iter(found.values()))[1]


def was_released(releases: Iterable[Release], image: str, value: ImageValue) -> bool:
    """Is or was `value` (name, tag and digest) of `image` a release?

    It does not count when a rollback took it away and nobody deployed it again. `releases` are
    newest first, and read only as far as the answer needs.
    """

    def stands(read: Sequence[Release], complete: bool) -> bool:
        newest = next((entry for entry in read if entry.images is not None), None)
        if newest is not None and _pins(newest, image, value):
            return True
        taken = trace(read, complete=complete).taken_by(image, value)
        return taken is None and any(_pins(entry, image, value) for entry in read)

    return read_until_sure(releases, stands)


def taken_away_by(releases: Iterable[Release], image: str, value: ImageValue) -> Release | None:
    """Return the rollback that took `value` of `image` away; None: none did, or it was given back.

    `releases` are newest first, and read only as far as the answer needs.
    """

    def ask(read: Sequence[Release], complete: bool) -> Release | None:
        step = trace(read, complete=complete).taken_by(image, value)
        return step.release if step is not None else None

    return read_until_sure(releases, ask)


def released_before(
    releases: Iterable[Release], image: str, value: ImageValue, made: datetime | None
) -> tuple[Release, Release | None] | None:
    """Return the newest release with this image, and the rollback that took it away, if one did.

    None: it was no release. The image is the same when digests are, else when tags are. `releases`
    are newest first, and read no further than `made`: before that there was no such image.
    """
    stream = iter(releases)
    read: list[Release] = []
    for release in stream:
        read.append(release)
        if made is not None and release.time is not None and release.time < made - _CLOCKS:
            break
    found = next((one for one in read if _has(one, image, value)), None)
    if found is None or found.images is None:
        return None
    return found, taken_away_by(chain(read, stream), image, found.images[image])


def _has(release: Release, image: str, value: ImageValue) -> bool:
    pinned = (release.images or {}).get(image)
    if pinned is None:
        return False
    if pinned.digest is not None and value.digest is not None:
        return pinned.digest == value.digest
    return pinned.tag is not None and pinned.tag == value.tag


def _pins(release: Release, image: str, value: ImageValue) -> bool:
    return release.images is not None and release.images.get(image) == value


def _commits(releases: Sequence[Release], word: str) -> list[Release]:
    if not COMMIT_WORD.fullmatch(word):
        return []
    return [release for release in releases if release.commit.startswith(word.lower())]


def _several(word: str, found: Iterable[tuple[str, Release]]) -> UsageError:
    return UsageError(
        f"{word!r} fits more than one release",
        hint="give all digits of the commit that you mean",
        reasons=tuple(f"{kind}: {describe(release)}" for kind, release in found),
    )


def _newest_tagged(
    releases: Sequence[Release], word: str, among: Collection[str]
) -> Release | None:
    for release in releases:
        images = release.images or {}
        if any(image in images and images[image].tag == word for image in among):
            return release
    return None
