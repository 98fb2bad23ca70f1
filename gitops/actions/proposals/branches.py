"""Which branch a proposal is on: `gitops/ENV`, `gitops/APP/ENV`; of several a wider one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitops.actions.context.holds import hold_paths
from gitops.actions.context.named import Named, overlays_named
from gitops.actions.context.session import Session, Tip
from gitops.core.environments.environment import Config, Overlay, asks_for_approval, label_of
from gitops.errors import GitopsError

_PREFIX = "gitops/"
_MANY = 3  # branches that are asked for: those that there are get listed then anyway


def proposal_branch(overlay: Overlay) -> str:
    """Return the branch of a proposal of one overlay: `gitops/ENV`, `gitops/APP/ENV`."""
    return _PREFIX + overlay.label


def wide_branches(config: Config, overlay: Overlay) -> tuple[str, ...]:
    """Return the branches that a proposal of several overlays, this one among them, may be on."""
    row, app = overlay.environment, overlay.app
    names = [] if app is None else [row.name]
    for group in config.groups:
        if row.name in group.environments:
            names += [] if app is None else [f"{app}/{group.name}"]
            names.append(group.name)
    return tuple(_PREFIX + name for name in names)


def common_branch(config: Config, overlays: Sequence[Overlay]) -> str | None:
    """Return the narrowest branch for a proposal of all of these; None where there is no word.

    The apps of one environment have its name; several environments that of the smallest group with
    all of them, with the app before it where it is one app's.
    """
    if len(overlays) == 1:
        return proposal_branch(overlays[0])
    names = {overlay.environment.name for overlay in overlays}
    apps = {overlay.app for overlay in overlays}
    if len(names) == 1:
        return _PREFIX + names.pop()
    groups = [group for group in config.groups if names.issubset(group.environments)]
    if not groups:
        return None
    name = min(groups, key=lambda group: len(group.environments)).name
    return _PREFIX + label_of(name, apps.pop() if len(apps) == 1 else None)


def gather_proposals(session: Session, tip: Tip, overlays: Iterable[Overlay]) -> None:
    """Read at once what may be proposed for many overlays: each would be fetched by itself.

    Raises as `Repository.own_branches` does.
    """
    names = dict.fromkeys(
        name
        for one in overlays
        if asks_for_approval(one.environment)
        for name in (proposal_branch(one), *wide_branches(tip.config, one))
    )
    if len(names) >= _MANY:
        own = session.repository.own_branches()
        session.repository.gather_branches([name for name in names if name in own])


class Covered:
    """The overlays that a branch may be about, and whose each path is."""

    def __init__(self, overlays: Iterable[Overlay]) -> None:
        self.overlays = tuple(overlays)
        self._folders = {one.directory: one for one in self.overlays}
        self._holds = {path: one for one in self.overlays for path in hold_paths(one)}

    def owner(self, path: str) -> Overlay | None:
        """Return the overlay whose folder a path is in, or whose hold it is; None for no other."""
        if path in self._holds:
            return self._holds[path]
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            if folder in self._folders:
                return self._folders[folder]
        return None


def covered_by(tip: Tip, branch: str) -> Covered:
    """Return what a branch may be about, as `gitops.yaml` of the tip says; asked once."""
    known = tip.memo.get(branch)
    if not isinstance(known, Covered):
        try:
            overlays = overlays_named(tip, Named((branch.removeprefix(_PREFIX),)))
        except GitopsError:
            overlays = ()
        known = tip.memo[branch] = Covered(overlays)
    return known


def own_paths(tip: Tip, overlay: Overlay, branch: str, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths that are not of another overlay which the branch is about, too."""
    if branch == proposal_branch(overlay):
        return paths
    covered = covered_by(tip, branch)
    return tuple(path for path in paths if covered.owner(path) in (None, overlay))
