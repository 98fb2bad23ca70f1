"""Which overlays an image goes to: one of each environment, found by app where there are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from gitops.actions.context.overlays import (
    OverlayFile,
    apps_of,
    find_overlay,
    read_overlay,
)
from gitops.actions.context.session import Session, Tip
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.kustomization import missing_image
from gitops.core.kustomization.image import ImageRequest, ImageValue
from gitops.errors import NotFound, UsageError


class Target(Struct, frozen=True):
    """One overlay, the file as it is now, and what it shall pin."""

    file: OverlayFile
    requests: tuple[ImageRequest, ...]

    @property
    def overlay(self) -> Overlay:
        """The overlay that the file belongs to."""
        return self.file.overlay


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
        files = {
            overlay: read_target(session, tip, overlay)
            for overlay in _overlays(tip, environment, app)
        }
        pins = [(file, file.read_images()) for file in files.values()]
        requests: dict[Overlay, list[ImageRequest]] = {}
        for request in images:
            file = _choose(request.image, environment, pins, add=add)
            if isinstance(file, NotFound):
                if not lenient:
                    raise file
                missing.setdefault(request.image, file)
                continue
            found.add(request.image)
            requests.setdefault(file.overlay, []).append(request)
        targets += [Target(files[overlay], tuple(wanted)) for overlay, wanted in requests.items()]
    for image, error in missing.items():
        if image not in found:
            raise error
    return tuple(targets)


def _choose(
    image: str,
    environment: Environment,
    pins: Sequence[tuple[OverlayFile, Mapping[str, ImageValue]]],
    *,
    add: bool,
) -> OverlayFile | NotFound:
    """Return the one file that has `image`, or is to get it; the error when there is none.

    Raises UsageError when several have it.
    """
    having = [file for file, images in pins if image in images]
    if not having and add and len(pins) == 1:
        having = [pins[0][0]]
    if len(having) > 1:
        apps = ", ".join(str(file.overlay.app) for file in having)
        raise UsageError(
            f"{image} is in several apps of {environment.name}: {apps}",
            hint="say which with --app",
        )
    if having:
        return having[0]
    where = ", ".join(file.path for file, _ in pins) or environment.name
    return missing_image(image, (name for _, images in pins for name in images), where)


def read_target(session: Session, tip: Tip, overlay: Overlay) -> OverlayFile:
    """Read an overlay from the tip, or from the caller's checkout when changes go there."""
    if overlay.environment.change != "work-tree":
        return read_overlay(tip.of(overlay.environment), overlay)
    if session.work_tree is None:
        raise UsageError(
            f"environment {overlay.label} is edited in a checkout, and "
            f"{session.repository.describe()} has none",
            hint="run it in a clone of the repository: --repo PATH",
        )
    file = read_overlay(tip.snapshot, overlay)
    content = session.work_tree.read(file.path)
    if content is None:
        raise NotFound(f"{file.path} is not in this checkout", hint="pull, then try again")
    return OverlayFile(overlay, file.path, content)


def _overlays(tip: Tip, environment: Environment, app: str | None) -> tuple[Overlay, ...]:
    if app is not None or not environment.per_app:
        return (find_overlay(tip, environment.name, app),)
    apps = apps_of(tip.of(environment), environment)
    if not apps:
        raise NotFound(
            f"environment {environment.name} has no app yet: nothing matches {environment.overlay}"
        )
    return tuple(Overlay(environment, name) for name in apps)
