"""What earlier calls of one process have read of many apps, for one that lives long.

Between two calls little changes: a folder whose id in Git is the same is not read again. Which apps
have an image is known without looking at the others; whatever is not plain (an overlay that cannot
be read, an image that nobody has) is left to the way that reads all, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from gitops.actions.context.named import NamedRow
from gitops.actions.context.overlays import apps_folder, find_app, read_overlay
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.targets import Target, Targets
from gitops.actions.context.view import view_of
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.kustomization import FILE_NAMES
from gitops.core.kustomization.image import ImageRequest
from gitops.errors import ManifestError, NotFound

_MOST_ROWS = 64  # environments that are remembered, as different tips have named them


class _App(Struct, frozen=True):
    """One folder of an app, as it was read.

    Attributes:
        folder: its id in Git.
        overlay: None where the app has none in this environment.
        images: the names that it pins.
        broken: it could not be read.
    """

    folder: str
    overlay: Overlay | None
    images: tuple[str, ...] = ()
    broken: bool = False


class _Row:
    """The apps of one environment.

    Attributes:
        having: image -> apps that pin it.
        broken: apps whose overlay cannot be read.
    """

    def __init__(self) -> None:
        self._apps: dict[str, _App] = {}
        self._folders: dict[str, str] = {}  # app -> the folder that it was read from
        self.having: dict[str, set[str]] = {}
        self.broken: set[str] = set()

    def overlay(self, name: str) -> Overlay | None:
        """Return the overlay of one app."""
        found = self._apps.get(name)
        return found.overlay if found is not None else None

    def changed(self, folders: Mapping[str, str]) -> list[str]:
        """Return the apps whose folders are not as they were; forget those that are gone."""
        for name in self._apps.keys() - folders.keys():
            self.put(name, None)
        known = self._folders
        return [name for name, folder in folders.items() if known.get(name) != folder]

    def put(self, name: str, app: _App | None) -> None:
        """Replace what is known of one app."""
        old = self._apps.pop(name, None)
        for image in old.images if old is not None else ():
            self.having[image].discard(name)
        self.broken.discard(name)
        if app is None:
            self._folders.pop(name, None)
            return
        self._apps[name], self._folders[name] = app, app.folder
        for image in app.images:
            self.having.setdefault(image, set()).add(name)
        if app.broken:
            self.broken.add(name)


class KeptOverlays:
    """Finds the overlays that an image goes to; not for several threads at once."""

    def __init__(self) -> None:
        self._rows: dict[Environment, _Row] = {}

    def find(
        self, session: Session, tip: Tip, rows: Sequence[NamedRow], images: Sequence[ImageRequest]
    ) -> Targets | None:
        """Return what `find_targets` does; None: it has to look."""
        targets: list[Target] = []
        if len({one.row for one in rows}) < len(rows):
            return None
        for one in rows:
            row = self._row(session, tip, one)
            if row is None or row.broken:
                return None
            requests: dict[str, list[ImageRequest]] = {}
            for request in images:
                apps = row.having.get(request.image)
                if not apps:
                    return None
                for app in sorted(apps):
                    requests.setdefault(app, []).append(request)
            for app, wanted in requests.items():
                overlay = row.overlay(app)
                if overlay is None:
                    return None
                targets.append(Target(view_of(session, tip, overlay), tuple(wanted)))
        return Targets(tuple(targets))

    def _row(self, session: Session, tip: Tip, one: NamedRow) -> _Row | None:
        environment = one.row
        pattern = environment.patterns[0]
        tail = pattern.partition("{app}")[2]
        plain = environment.per_app and not environment.others and tail.startswith("/")
        if one.apps or not plain or environment.change == "work-tree":
            return None
        home = tip.of(environment)
        folders = session.repository.folders(home.commit, apps_folder(pattern))
        row = self._rows.pop(environment, None) or _Row()
        self._rows[environment] = row  # the latest comes last
        if len(self._rows) > _MOST_ROWS:
            del self._rows[next(iter(self._rows))]
        changed = row.changed(folders)
        home.prepare([pattern.replace("{app}", name) for name in changed], FILE_NAMES)
        for name in changed:
            row.put(name, _read(tip, environment, name, folders[name]))
        return row


def _read(tip: Tip, environment: Environment, name: str, folder: str) -> _App:
    home = tip.of(environment)
    try:
        overlay = find_app(home, environment, name)
        if overlay is None:
            return _App(folder, None)
        images = tuple(read_overlay(home, overlay).read_images())
    except (ManifestError, NotFound):
        return _App(folder, None, broken=True)
    return _App(folder, overlay, images)
