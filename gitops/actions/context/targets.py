"""Which overlays an image goes to: those of each environment that have it, of whatever app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from gitops.actions.context.named import NamedRow, overlays_in_row, require_apps
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.kustomization import missing_image
from gitops.core.kustomization.image import ImageRequest, ImageValue
from gitops.errors import GitopsError, ManifestError, NotFound


class Target(Struct, frozen=True):
    """One overlay, and what it shall pin."""

    view: OverlayView
    requests: tuple[ImageRequest, ...]


class Targets(Struct, frozen=True):
    """The overlays to edit, in promotion order, and what is told of others."""

    found: tuple[Target, ...]
    warnings: tuple[str, ...] = ()


class _Pinned(Struct, frozen=True):
    """What the overlays of one environment pin, and those that nobody can read."""

    views: tuple[tuple[OverlayView, Mapping[str, ImageValue]], ...]
    broken: tuple[tuple[OverlayView, GitopsError], ...]
    is_named: bool
    chosen: bool


def find_targets(
    session: Session,
    tip: Tip,
    rows: Sequence[NamedRow],
    images: Sequence[ImageRequest],
    *,
    lenient: bool,
    add: bool,
) -> Targets:
    """Return the overlays to edit: an image goes to every app of an environment that has it.

    `lenient` (policy chose the environments) passes over overlays that lack an image; an image
    that no overlay has is NotFound all the same, and so is, otherwise, one that any environment
    lacks, unless `add` makes it: in the only overlay, or in those of the apps that are named.
    An overlay that cannot be read stops nothing where the image is found beside it.
    """
    if session.kept is not None:
        known: Targets | None = session.kept.find(session, tip, rows, images)
        if known is not None:
            return known
    targets: list[Target] = []
    missing: dict[str, GitopsError] = {}
    found: set[str] = set()
    broken: dict[OverlayView, GitopsError] = {}
    for row, overlays, one in _by_environment(tip, rows):
        pinned = _read(session, tip, overlays, one, lenient=lenient)
        broken |= dict(pinned.broken)
        requests: dict[OverlayView, list[ImageRequest]] = {}
        for request in images:
            views = _having(request.image, pinned, add=add)
            if not views:
                error = _missing(request, row, pinned)
                if pinned.is_named and not lenient:
                    raise error
                missing.setdefault(request.image, error)
                continue
            found.add(request.image)
            for view in views:
                requests.setdefault(view, []).append(request)
        targets += [Target(view, tuple(wanted)) for view, wanted in requests.items()]
    for image, error in missing.items():
        if image not in found:
            raise error
    return Targets(
        tuple(targets),
        tuple(f"{view.label} is passed over: {error.message}" for view, error in broken.items()),
    )


def _by_environment(
    tip: Tip, rows: Sequence[NamedRow]
) -> list[tuple[Environment, tuple[Overlay, ...], NamedRow]]:
    """Return environment, overlays that are meant, and the narrowest word for it, each once."""
    overlays: dict[Environment, dict[Overlay, None]] = {}
    words: dict[Environment, NamedRow] = {}
    for one in rows:
        known = overlays.setdefault(one.row, {})
        known |= dict.fromkeys(overlays_in_row(tip, one))
        if one.row not in words or one.alone:
            words[one.row] = one
    if any(one.apps for one in rows):
        require_apps(rows, (), (one for known in overlays.values() for one in known))
    return [(row, tuple(known), words[row]) for row, known in overlays.items()]


def _read(
    session: Session, tip: Tip, overlays: Sequence[Overlay], one: NamedRow, *, lenient: bool
) -> _Pinned:
    views: list[tuple[OverlayView, Mapping[str, ImageValue]]] = []
    broken: list[tuple[OverlayView, GitopsError]] = []
    for overlay in overlays:
        view = view_of(session, tip, overlay)
        try:
            views.append((view, view.target_images))
        except (ManifestError, NotFound) as error:
            if one.alone and not lenient and len(overlays) == 1:
                raise
            broken.append((view, error))
    return _Pinned(tuple(views), tuple(broken), one.alone, bool(one.apps))


def _having(image: str, pinned: _Pinned, *, add: bool) -> list[OverlayView]:
    """Return the overlays that have `image`, or are to get it."""
    having = [view for view, images in pinned.views if image in images]
    if not having and add and (pinned.chosen or len(pinned.views) + len(pinned.broken) == 1):
        having = [view for view, _ in pinned.views]
    return having


def _missing(wanted: ImageRequest, row: Environment, pinned: _Pinned) -> GitopsError:
    if pinned.broken:
        return pinned.broken[0][1]
    where = ", ".join(view.target.path for view, _ in pinned.views) or row.name
    names = (name for _, images in pinned.views for name in images)
    return missing_image(wanted.image, names, where, wanted=wanted)
