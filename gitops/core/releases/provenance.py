"""Where images come from: the source revision that their commits recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gitops.core.git.revision import parse_revision
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.release import Release


def origins(releases: Iterable[Release], wanted: Mapping[str, ImageValue]) -> dict[str, str | None]:
    """Return image -> the source revision of the newest commit that set its value in `wanted`.

    Args:
        releases: of one overlay, newest first; read only as far as the answer needs.

    None where that commit names no source. A rollback names none: what counts then is the commit
    that had set the value before.
    """
    found: dict[str, str | None] = {}
    setter: dict[str, Release] = {}  # the oldest release met of the newest run with the value
    left = dict(wanted)
    for release in releases:
        if not left:
            break
        if release.images is None:
            continue
        for image, value in list(left.items()):
            if release.images.get(image) == value:
                setter[image] = release
            elif image in setter:
                by = setter.pop(image)
                told = by.source_of(image)
                if told is not None or by.action != "rollback":
                    found[image] = told
                    del left[image]
    found |= {image: by.source_of(image) for image, by in setter.items()}
    return {image: found.get(image) for image in wanted}


def setters(releases: Iterable[Release], wanted: Mapping[str, ImageValue]) -> dict[str, Release]:
    """Return image -> the release that gave it its value in `wanted`; none that no release has.

    `releases` are of one overlay, newest first, and read only as far as the answer needs.
    """
    found: dict[str, Release] = {}
    left = dict(wanted)
    for release in releases:
        if not left:
            break
        for image, value in list(left.items()) if release.images is not None else ():
            if (release.images or {}).get(image) == value:
                found[image] = release
            else:
                del left[image]
    return found


def shared_source(
    origins: Sequence[tuple[str, str, str | None]],
) -> tuple[tuple[str, str | None] | None, tuple[str, ...]]:
    """Return what a commit says of its sources: one for all images, else one line for each.

    Args:
        origins: (label of the overlay, image, source revision) of each changing image.

    Returns:
        (branch, commit) of the one source or None; and the `Gitops-Source` lines, () with the one.
    """
    told = {revision for _, _, revision in origins}
    if len(told) == 1:
        revision = parse_revision(next(iter(told)))
        return (None if revision is None else (revision.branch, revision.commit)), ()
    return None, tuple(f"{label} {image} {text}" for label, image, text in origins if text)
