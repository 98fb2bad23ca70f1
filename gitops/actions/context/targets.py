"""Which overlays an image goes to: one of each environment, found by app where there are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from gitops.actions.context.named import find_overlay
from gitops.actions.context.overlays import apps_of
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.kustomization import missing_image
from gitops.core.kustomization.image import ImageRequest, ImageValue
from gitops.errors import NotFound, UsageError


class Target(Struct, frozen=True):
    """One overlay, and what it shall pin."""

    view: OverlayView
    requests: tuple[ImageRequest, ...]


def find_targets(
    session: Session,
    tip: Tip,
    environments: Sequence[Environment],
    images: Sequence[ImageRequest],
    *,
    app: str | None,
    lenient: bool,
    add: bool,
) -> tuple[Target, ...]:
    """Return the overlays to edit, in promotion order.

    `lenient` (policy chose the environments) passes over overlays that lack an image; an image
    that no overlay has is NotFound all the same, and so is, otherwise, one that any overlay
    lacks, unless `add` makes it. UsageError when an image could belong to several apps.
    """
    targets: list[Target] = []
    missing: dict[str, NotFound] = {}
    found: set[str] = set()
    for environment in environments:
        views = [view_of(session, tip, overlay) for overlay in _overlays(tip, environment, app)]
        pins = [(view, view.target.read_images()) for view in views]
        requests: dict[OverlayView, list[ImageRequest]] = {}
        for request in images:
            view = _choose(request.image, environment, pins, add=add)
            if isinstance(view, NotFound):
                if not lenient:
                    raise view
                missing.setdefault(request.image, view)
                continue
            found.add(request.image)
            requests.setdefault(view, []).append(request)
        targets += [Target(view, tuple(wanted)) for view, wanted in requests.items()]
    for image, error in missing.items():
        if image not in found:
            raise error
    return tuple(targets)


def _choose(
    image: str,
    environment: Environment,
    pins: Sequence[tuple[OverlayView, Mapping[str, ImageValue]]],
    *,
    add: bool,
) -> OverlayView | NotFound:
    """Return the one overlay that has `image`, or is to get it; the error when there is none.

    Raises UsageError when several have it.
    """
    having = [view for view, images in pins if image in images]
    if not having and add and len(pins) == 1:
        having = [pins[0][0]]
    if len(having) > 1:
        apps = ", ".join(str(view.overlay.app) for view in having)
        raise UsageError(
            f"{image} is in several apps of {environment.name}: {apps}",
            hint="say which with --app",
        )
    if having:
        return having[0]
    where = ", ".join(view.target.path for view, _ in pins) or environment.name
    return missing_image(image, (name for _, images in pins for name in images), where)


def _overlays(tip: Tip, environment: Environment, app: str | None) -> tuple[Overlay, ...]:
    if app is None and not environment.per_app:
        return (Overlay(environment),)
    if app is not None:
        return (find_overlay(tip, environment.name, app),)
    apps = apps_of(tip.of(environment), environment)
    if not apps:
        raise NotFound(
            f"environment {environment.name} has no app yet: nothing matches {environment.overlay}"
        )
    return tuple(Overlay(environment, name) for name in apps)
