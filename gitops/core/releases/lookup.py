"""The release that `--to` names: a commit of the overlay's history, else a tag."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import Release
from gitops.core.releases.selection import NeedMore, describe
from gitops.errors import NotFound, UsageError

_COMMIT = re.compile(r"[0-9a-fA-F]{4,64}")  # Git's shortest abbreviation is 4
_FULL = 40
_LISTED = 10


def find_release(
    releases: Sequence[Release],
    word: str,
    wanted: Mapping[str, ImageValue],
    *,
    complete: bool,
) -> Release:
    """Return the release that `word` names.

    A commit may be abbreviated. A tag stands for the newest release that has one of the `wanted`
    images at it; one that would bring an image to the tag goes before one that only has an image
    which is there already. Raises UsageError, listing them, when a word fits several; NotFound;
    and NeedMore when `complete` is False and older releases could fit too.
    """
    commits = []
    if _COMMIT.fullmatch(word):
        commits = [release for release in releases if release.commit.startswith(word.lower())]
    away = {image for image, value in wanted.items() if value.tag != word}
    tagged = _newest_tagged(releases, word, away)
    if tagged is None and (complete or not away):
        tagged = _newest_tagged(releases, word, wanted)
    found = {release.commit: release for release in commits}
    if tagged is not None:
        found.setdefault(tagged.commit, tagged)
    if len(found) > 1:
        raise UsageError(
            f"{word!r} fits more than one release",
            hint="give all digits of the commit that you mean",
            reasons=tuple(
                f"{'commit' if release in commits else 'tag'}: {describe(release)}"
                for release in found.values()
            ),
        )
    is_sure = bool(commits and len(word) >= _FULL) or (
        tagged is not None and not _COMMIT.fullmatch(word)
    )
    if not complete and not is_sure:
        raise NeedMore
    if not found:
        raise NotFound(
            f"{word!r} is neither a commit that changed the images of this overlay nor a tag there",
            hint="`gitops history ENV` lists the releases",
            reasons=tuple(describe(release) for release in releases[:_LISTED]),
        )
    return next(iter(found.values()))


def _newest_tagged(
    releases: Sequence[Release], word: str, among: Collection[str]
) -> Release | None:
    for release in releases:
        images = release.images or {}
        if any(image in images and images[image].tag == word for image in among):
            return release
    return None
