"""Where the hold of an overlay stands, and how it is read."""

from __future__ import annotations

from collections.abc import Iterable

from gitops.core.environments.environment import (
    CONFIG_PATH,
    Config,
    Environment,
    Overlay,
    label_of,
    split_label,
)
from gitops.core.hold import HOLD_ALL_PATH, Hold, hold_path, parse_hold
from gitops.core.kustomization import FILE_NAMES
from gitops.errors import ManifestError, Refused
from gitops.ports import Snapshot

HOLDS = ".gitops/holds"


def own_hold_path(overlay: Overlay) -> str:
    """Return the path of the overlay's own hold file."""
    return hold_path(overlay.environment.name, overlay.app)


def hold_paths(overlay: Overlay) -> tuple[str, ...]:
    """Return the path of the overlay's own hold, and those under earlier names."""
    return tuple(hold_path(name, overlay.app) for name in overlay.environment.names)


def paths_that_hold(overlay: Overlay) -> tuple[str, ...]:
    """Return where a hold of the overlay, or of all apps of its environment, may stand."""
    apps = dict.fromkeys((overlay.app, None))
    names = overlay.environment.names
    return tuple(hold_path(name, app) for app in apps for name in names)


def hold_of(home: Snapshot, overlay: Overlay) -> Hold | None:
    """Return the overlay's own hold, else the one of its environment; None where it has none."""
    if home.mark(HOLDS) == "":  # nothing is held on this branch
        return None
    for path in paths_that_hold(overlay):
        content = home.read(path)
        if content is not None:
            return readable_hold(content, path)
    return None


def standing_hold_path(home: Snapshot, overlay: Overlay) -> str:
    """Return the path where the overlay's own hold stands; where it would, when none does."""
    own, *earlier = hold_paths(overlay)
    paths = [own, *earlier] if earlier else []
    return next((path for path in paths if home.read(path) is not None), own)


def hold_of_all(trunk: Snapshot) -> Hold | None:
    """Return the hold of everything, which stands on the top-level branch."""
    content = trunk.read(HOLD_ALL_PATH)
    return None if content is None else readable_hold(content, HOLD_ALL_PATH)


def orphaned_holds(home: Snapshot, config: Config) -> tuple[tuple[str, str, Hold], ...]:
    """Return (path, what it holds, hold) of those whose environment nobody names any more."""
    entries = home.entries(HOLDS)
    if not entries:
        return ()
    known = {name for row in config.environments for name in row.names}
    found = []
    for entry in entries:
        inside = home.entries(f"{HOLDS}/{entry[:-1]}") if entry.endswith("/") else ("",)
        for path in (f"{HOLDS}/{entry}{one}" for one in inside):
            label = path.removeprefix(f"{HOLDS}/").removesuffix(".yaml")
            if path.endswith(".yaml") and label.rpartition("/")[2] not in known:
                content = home.read(path)
                if content is not None:
                    found.append((path, label, readable_hold(content, path)))
    return tuple(found)


def holds_left(home: Snapshot, row: Environment) -> tuple[tuple[str, str, Hold], ...]:
    """Return (path, label, hold) of holds of apps that an environment does not have any more."""
    if home.mark(HOLDS) == "":
        return ()
    found = []
    for entry in home.entries(HOLDS):
        app = entry.removesuffix("/")
        folders = [pattern.replace("{app}", app) for pattern in row.patterns if row.per_app]
        if app == entry or any(set(FILE_NAMES) & set(home.entries(one)) for one in folders):
            continue
        for name in row.names:
            path = hold_path(name, app)
            content = home.read(path)
            if content is not None:
                found.append((path, label_of(name, app), readable_hold(content, path)))
    return tuple(found)


def refuse_orphaned(homes: Iterable[Snapshot], config: Config) -> None:
    """Refuse a write that meets a hold of an environment that nobody names any more.

    Raises Refused: whoever set it wanted automation to stop, and a new name must not lift it.
    """
    for home in homes:
        for path, label, hold in orphaned_holds(home, config):
            name, app = split_label(label)
            raise Refused(
                f"{path} on {home.branch} holds {label}, and no environment has that name: "
                f"by {hold.by}: {hold.reason}",
                hint=f"it was renamed? say `formerly: [{name}]` in {CONFIG_PATH}; else "
                f"`gitops resume {name}{f' --app {app}' if app else ''}` lifts the hold",
                reasons=(f"{label} is held by {hold.by}: {hold.reason}",),
            )


def readable_hold(content: bytes, path: str) -> Hold:
    """Return the hold in `content`; one that cannot be read becomes a hold that says so."""
    try:
        return parse_hold(content, path)
    except ManifestError as error:
        return Hold(by="someone", since=None, reason=f"{path} cannot be read: {error.problem}")
