"""Find and read the overlays of a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from gitops.core.environments.environment import Config, Environment, Overlay
from gitops.core.kustomization import FILE_NAMES, choose_file, image_values
from gitops.core.kustomization.image import ImageValue
from gitops.core.text.plain import nearest_word
from gitops.errors import ManifestError, NotFound

if TYPE_CHECKING:
    from gitops.ports import Snapshot


_FILES = frozenset(FILE_NAMES)


class OverlayFile(Struct, frozen=True):
    """The kustomization of one overlay, as a snapshot has it.

    Attributes:
        path: its path from the repository's root.
        content: its bytes.
    """

    overlay: Overlay
    path: str
    content: bytes

    def read_images(self) -> dict[str, ImageValue]:
        """Return what it pins. Raises ManifestError."""
        return image_values(self.content, self.path)


def apps_of(snapshot: Snapshot, environment: Environment) -> tuple[str, ...]:
    """Return the apps that have an overlay of `environment`, sorted; () for a layout without apps.

    With `apps/{app}/overlays/dev` every folder `apps/NAME` with a kustomization in
    `overlays/dev` below it is an app, unless `ignore:` leaves it out, or its name is no UTF-8.
    """
    found = overlays_of(snapshot, environment)
    return tuple(overlay.app for overlay in found if overlay.app is not None)


def apps_folder(pattern: str) -> str:
    """Return the folder whose entries `{app}` of a pattern stands for: it is a whole part there."""
    return pattern.partition("{app}")[0].rstrip("/")


def _candidates(
    snapshot: Snapshot, environment: Environment, app: str | None
) -> Iterator[tuple[str, str]]:
    """Yield name and directory of what may be an app (or only of `app`)."""
    for pattern in environment.patterns:
        if app is not None:
            names = [app]
        else:
            entries = snapshot.entries(apps_folder(pattern))
            names = [entry[:-1] for entry in entries if entry.endswith("/") and _is_text(entry)]
            snapshot.prepare([pattern.replace("{app}", name) for name in names], FILE_NAMES)
        for name in names:
            directory = pattern.replace("{app}", name)
            if name and not environment.ignores(directory):
                yield name, directory


def _is_text(name: str) -> bool:
    """Say whether a folder's name is UTF-8: another one no YAML, JSON or page could ever tell."""
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def _found(
    snapshot: Snapshot, environment: Environment, app: str | None
) -> Iterator[tuple[str, Overlay]]:
    several = bool(environment.others)
    for name, directory in _candidates(snapshot, environment, app):
        try:
            there = not _FILES.isdisjoint(snapshot.entries(directory))
        except ManifestError:
            there = True  # a link, or a submodule: whoever reads it is told
        if there:
            yield name, Overlay(environment, name, directory if several else None)


def find_app(snapshot: Snapshot, environment: Environment, app: str) -> Overlay | None:
    """Return the overlay of one app, None where it has none, without looking at the others."""
    if not app or "/" in app or app in (".", ".."):
        return None
    return next((overlay for _, overlay in _found(snapshot, environment, app)), None)


def overlays_of(snapshot: Snapshot, environment: Environment) -> tuple[Overlay, ...]:
    """Return every overlay of `environment`: one, or one for each app, sorted.

    Of two folders for one app, the one of the first pattern.
    """
    if not environment.per_app:
        return (Overlay(environment),)
    found: dict[str, Overlay] = {}
    for name, overlay in _found(snapshot, environment, None):
        found.setdefault(name, overlay)
    return tuple(found[name] for name in sorted(found))


def read_overlay(snapshot: Snapshot, overlay: Overlay) -> OverlayFile:
    """Read the kustomization file of `overlay`.

    Raises NotFound when there is none, ManifestError when there are two.
    """
    path, content = kustomization_of(snapshot, overlay.directory)
    if path is None:
        raise NotFound(
            f"{overlay.directory or '.'}: no kustomization.yaml for environment {overlay.label}",
            hint="the overlay is named in gitops.yaml; `gitops validate` looks at all of them",
        )
    if content is None:
        raise NotFound(f"{path}: not a file")
    return OverlayFile(overlay, path, content)


def kustomization_of(files: Snapshot, directory: str) -> tuple[str | None, bytes | None]:
    """Return path and content of the kustomization in `directory`, None for what there is not.

    Raises ManifestError when there are two.
    """
    name = choose_file(files.entries(directory), directory)
    if name is None:
        return None, None
    path = f"{directory}/{name}" if directory else name
    return path, files.read(path)


def find_environment(config: Config, name: str) -> Environment:
    """Return the environment called `name`; NotFound lists the ones there are."""
    found = config.find(name)
    if found is not None:
        return found
    names = [row.name for row in config.environments]
    names += [group.name for group in config.groups]
    now = next((row.name for row in config.environments if name in row.formerly), None)
    if now is not None:
        raise NotFound(f"{name} is called {now} by now", hint=f"say {now}")
    near = nearest_word(name, names)
    raise NotFound(
        f"no environment {name!r}; there are {', '.join(names)}",
        hint=f"did you mean {near}?" if near else None,
    )
