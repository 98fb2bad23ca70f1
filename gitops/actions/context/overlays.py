"""Find and read the overlays of a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from gitops.core.environments.environment import Config, Environment, Overlay
from gitops.core.kustomization import FILE_NAMES, choose_file, image_values
from gitops.core.kustomization.image import ImageValue
from gitops.core.text.plain import nearest_word
from gitops.errors import NotFound

if TYPE_CHECKING:
    from gitops.ports import Snapshot


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
    `overlays/dev` below it is an app.
    """
    if not environment.per_app:
        return ()
    names = _app_folders(snapshot, environment)
    snapshot.prepare(map(environment.directory, names), FILE_NAMES)
    return tuple(name for name in names if has_app(snapshot, environment, name))


def _app_folders(snapshot: Snapshot, environment: Environment) -> list[str]:
    """Return the names that fit `{app}`, with an overlay or without."""
    before, _, _ = environment.overlay.partition("{app}")
    parent, _, prefix = before.rpartition("/")
    names = [entry[:-1] for entry in snapshot.entries(parent) if entry.endswith("/")]
    if prefix:
        names = [name[len(prefix) :] for name in names if name.startswith(prefix)]
    return names


def has_app(snapshot: Snapshot, environment: Environment, app: str) -> bool:
    """Say whether `app` is one of `apps_of`, without looking at the others."""
    if not app or "/" in app or app in (".", ".."):
        return False
    return bool(set(FILE_NAMES) & set(snapshot.entries(environment.directory(app))))


def overlays_of(snapshot: Snapshot, environment: Environment) -> tuple[Overlay, ...]:
    """Return every overlay of `environment`: one, or one for each app."""
    if not environment.per_app:
        return (Overlay(environment),)
    return tuple(Overlay(environment, app) for app in apps_of(snapshot, environment))


def read_overlay(snapshot: Snapshot, overlay: Overlay) -> OverlayFile:
    """Read the kustomization file of `overlay`.

    Raises NotFound when there is none, ManifestError when there are two.
    """
    directory = overlay.directory
    name = choose_file(snapshot.entries(directory), directory)
    if name is None:
        raise NotFound(
            f"{directory}: no kustomization.yaml for environment {overlay.label}",
            hint="the overlay is named in gitops.yaml; `gitops validate` looks at all of them",
        )
    path = f"{directory}/{name}"
    content = snapshot.read(path)
    if content is None:
        raise NotFound(f"{path}: not a file")
    return OverlayFile(overlay, path, content)


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
