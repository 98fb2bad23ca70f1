"""Which overlays an image goes to: one of each environment, found by app where there are many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from gitops.actions.overlays import (
    OverlayFile,
    apps_of,
    find_overlay,
    read_overlay,
)
from gitops.actions.session import Session, Tip
from gitops.core.environment import Environment, Overlay
from gitops.core.image import ImageRequest
from gitops.core.kustomization import missing_image
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
        requests: dict[Overlay, list[ImageRequest]] = {}
        files: dict[Overlay, OverlayFile] = {}
        for overlay in _overlays(tip, environment, app):
            files[overlay] = read_target(session, tip, overlay)
        names = {overlay: file.read_images() for overlay, file in files.items()}
        for request in images:
            having = [overlay for overlay in files if request.image in names[overlay]]
            if not having and add and len(files) == 1:
                having = list(files)
            if len(having) > 1:
                apps = ", ".join(str(overlay.app) for overlay in having)
                raise UsageError(
                    f"{request.image} is in several apps of {environment.name}: {apps}",
                    hint="say which with --app",
                )
            if not having:
                error = _missing(request.image, environment, files.values(), names.values())
                if not lenient:
                    raise error
                missing.setdefault(request.image, error)
                continue
            found.add(request.image)
            requests.setdefault(having[0], []).append(request)
        targets += [Target(files[overlay], tuple(wanted)) for overlay, wanted in requests.items()]
    for image, error in missing.items():
        if image not in found:
            raise error
    return tuple(targets)


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


def _missing(
    image: str,
    environment: Environment,
    files: Iterable[OverlayFile],
    names: Iterable[Iterable[str]],
) -> NotFound:
    where = ", ".join(file.path for file in files) or environment.name
    return missing_image(image, (name for some in names for name in some), where)
