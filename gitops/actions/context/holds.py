"""Read the holds that stand on an overlay."""

from __future__ import annotations

from gitops.actions.context.session import Tip
from gitops.core.environments.environment import Overlay
from gitops.core.hold import HOLD_ALL_PATH, Hold, hold_path, parse_hold
from gitops.errors import ManifestError


def own_hold_path(overlay: Overlay) -> str:
    """Return the path of the overlay's own hold file."""
    return hold_path(overlay.environment.name, overlay.app)


def hold_on(tip: Tip, overlay: Overlay) -> Hold | None:
    """Return the hold that keeps automation away from `overlay`: its own, else a wider one.

    Its own stands on the branch that the environment lives on, the one of everything on the
    top-level branch. A hold that cannot be read still holds: whoever wrote it wanted automation to
    stop.
    """
    home = tip.of(overlay.environment)
    own = [own_hold_path(overlay), hold_path(overlay.environment.name, None)]
    for snapshot, path in [*((home, path) for path in own), (tip.snapshot, HOLD_ALL_PATH)]:
        content = snapshot.read(path)
        if content is not None:
            return readable_hold(content, path)
    return None


def readable_hold(content: bytes, path: str) -> Hold:
    """Return the hold in `content`; one that cannot be read becomes a hold that says so."""
    try:
        return parse_hold(content, path)
    except ManifestError as error:
        return Hold(by="someone", since=None, reason=f"{path} cannot be read: {error.problem}")
