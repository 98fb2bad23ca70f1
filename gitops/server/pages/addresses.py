"""Where pages are: each name in an address is quoted, whatever somebody called an app."""

from __future__ import annotations

from urllib.parse import quote

from gitops.core.environments.environment import Overlay
from gitops.core.text.page_links import overlay_path
from gitops.server.board.board import BoardCell


def _part(text: str) -> str:
    return quote(text, safe="")


def env_url(environment: str) -> str:
    """Return the page of an environment."""
    return overlay_path(environment, None)


def app_url(app: str) -> str:
    """Return the page of an app."""
    return f"/a/{_part(app)}"


def overlay_url(overlay: Overlay) -> str:
    """Return the page of an overlay."""
    return overlay_path(overlay.environment.name, overlay.app)


def cell_url(cell: BoardCell) -> str:
    """Return the page of a cell's overlay."""
    return overlay_url(cell.known.overlay)


def act_url(cell: BoardCell, verb: str) -> str:
    """Return the page that previews an act."""
    return f"{cell_url(cell)}/{verb}"


def release_url(cell: BoardCell, commit: str) -> str:
    """Return the page of a release."""
    return f"{cell_url(cell)}/r/{_part(commit)}"
