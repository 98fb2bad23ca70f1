"""Where the hold of an overlay stands, and how it is read."""

from __future__ import annotations

from gitops.core.environments.environment import Overlay
from gitops.core.hold import Hold, hold_path, parse_hold
from gitops.errors import ManifestError


def own_hold_path(overlay: Overlay) -> str:
    """Return the path of the overlay's own hold file."""
    return hold_path(overlay.environment.name, overlay.app)


def readable_hold(content: bytes, path: str) -> Hold:
    """Return the hold in `content`; one that cannot be read becomes a hold that says so."""
    try:
        return parse_hold(content, path)
    except ManifestError as error:
        return Hold(by="someone", since=None, reason=f"{path} cannot be read: {error.problem}")
