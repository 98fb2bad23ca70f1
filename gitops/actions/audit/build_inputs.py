"""What belongs to an overlay at one commit: its folder, all that a build of it reads, its holds."""

from __future__ import annotations

from collections.abc import Iterable

from gitops.actions.context.overlays import apps_folder
from gitops.actions.manifests.files import TreeFiles
from gitops.core.audit.affected import Belongings
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.hold import HOLD_ALL_PATH, hold_path
from gitops.core.kustomization.graph import Origin, walk
from gitops.errors import ManifestError
from gitops.ports import Tree, Trees


def holds_of(overlay: Overlay, *, top_level: bool) -> tuple[str, ...]:
    """Return the paths of the holds that stand on `overlay`, on a branch that it lives on.

    `top_level` tells whether it is the branch that the hold of everything stands on.
    """
    names = overlay.environment.names
    paths = [hold_path(name, app) for app in (overlay.app, None) for name in names]
    return tuple(dict.fromkeys([*paths, *([HOLD_ALL_PATH] if top_level else [])]))


def overlays_in(tree: Tree, environment: Environment) -> tuple[Overlay, ...]:
    """Return every overlay of `environment`: one, or one for each app that has something there.

    More lenient than `context.overlays.overlays_of`: what is broken, or a link, is there as well.
    """
    if not environment.per_app:
        return (Overlay(environment),)
    found: dict[str, Overlay] = {}
    for pattern in environment.patterns:
        try:
            names = [name.rstrip("/") for name in tree.entries(apps_folder(pattern))]
        except ManifestError:
            continue
        for app in names:
            folder = pattern.replace("{app}", app)
            if app and not environment.ignores(folder) and tree.entry(folder) is not None:
                overlay = Overlay(environment, app, folder if environment.others else None)
                found.setdefault(app, overlay)
    return tuple(found.values())


def belongings_of(
    trees: Trees, tree: Tree, overlay: Overlay, nested: Iterable[str] = ()
) -> Belongings:
    """Return what a build of `overlay` reads in `tree`, its whole folder included.

    `nested` are folders of other overlays that lie in it: what is in them is theirs.
    """
    graph = walk(TreeFiles(trees, tree), overlay.directory)
    found = Belongings(graph)
    found.nested[overlay.directory] = tuple(nested)

    def reason(origin: Origin) -> str:
        if origin.path is None:
            return f"it is in the overlay of {overlay.label}"
        return f"{overlay.label} is built from it ({origin.path}:{origin.line})"

    for path, origin in graph.folders.items():
        found.add_folder(path, reason(origin))
    for path, origin in graph.paths.items():
        found.add(path, reason(origin))
    return found
