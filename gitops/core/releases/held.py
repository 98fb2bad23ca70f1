"""Does a held environment run what its hold restores?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageValue, describe_value
from gitops.core.releases.release import Release


def strayed(
    hold: Hold | None, images: Mapping[str, ImageValue], releases: Iterable[Release]
) -> str | None:
    """Say what runs in place of what the rollback that wrote `hold` left; None: it is as it was.

    A hold keeps automation away, not a bot that pushes by itself, nor `--override`. None, too, for
    a hold that was not set by a rollback, or by one that is not among `releases` (newest first).
    """
    if hold is None or hold.restores is None:
        return None
    for release in releases:
        wrote = (release.restores, release.rolled_back) == (hold.restores, hold.rolled_back)
        if not wrote and release.commit != hold.restores:
            continue
        then = release.images or {}
        other = [
            f"{image} {describe_value(value)} and not {describe_value(then[image])}"
            for image, value in images.items()
            if image in then and then[image] != value
        ]
        if not other:
            return None
        return f"it is held at {hold.restores[:7]} ({hold.reason}), but runs {', '.join(other)}"
    return None
