"""The plain reading of one overlay: what a page of the index holds, and is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from gitops.actions.context.view import OverlayView
from gitops.actions.index.page import IndexedOverlay
from gitops.actions.releases.history import releases_of
from gitops.core.releases.held import strayed
from gitops.core.releases.release import Release
from gitops.errors import ManifestError, NotFound

Newest = Callable[[OverlayView], tuple[Release | None, str | None]]
"""Returns the newest release of an overlay, or why none can be seen."""


def newest_release(view: OverlayView) -> tuple[Release | None, str | None]:
    """Read the newest release of an overlay from its history."""
    stream = releases_of(view)
    found = next(stream, None)
    return found, None if found is not None else stream.unseen()


def read_plainly(view: OverlayView, newest: Newest = newest_release) -> IndexedOverlay:
    """Return what the tip, and its history, say of an overlay."""
    app, hold = view.overlay.app, view.own_hold
    try:
        images = view.images
    except (NotFound, ManifestError) as error:
        # One broken overlay must not hide the others from whoever is on call.
        return IndexedOverlay(app, None, error.message, hold)
    release, unseen = newest(view)
    alike = release is not None and release.images == images
    if release is not None and alike:
        release = replace(release, images=None)
    found = IndexedOverlay(app, images, None, hold, release, alike, None, unseen)
    return replace(found, astray=strayed(hold, images, _releases(view, found.newest)))


def read_hold(view: OverlayView, known: IndexedOverlay) -> IndexedOverlay:
    """Return `known` with the hold that stands now."""
    hold = view.own_hold
    astray = strayed(hold, known.images or {}, _releases(view, known.newest))
    return replace(known, hold=hold, astray=astray if known.images is not None else None)


def _releases(view: OverlayView, newest: Release | None) -> Iterator[Release]:
    """Yield the releases of an overlay, of which the newest is known."""
    if newest is None:
        return
    yield newest
    yield from (one for one in releases_of(view) if one.commit != newest.commit)
