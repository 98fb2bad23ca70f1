"""Where the pages of overlays are on a server (design.md, section 7), for links and for routes."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

TAKEN = frozenset(
    {
        *("rollback", "undo", "hold", "resume", "promote", "approve", "close", "qa", "deploy"),
        *("acts", "r"),
    }
)
"""Words that mean something where the name of an app stands: acts, and what comes of them."""


def overlay_path(environment: str, app: str | None) -> str:
    """Return the path of an overlay's page: `/e/dev/~hold` for an app that is called like an act.

    Each name is quoted, whatever somebody called an app.
    """
    path = f"/e/{quote(environment, safe='')}"
    if not app:
        return path
    marked = f"~{app}" if app in TAKEN or app.startswith("~") else app
    return f"{path}/{quote(marked, safe='')}"


def app_named(part: str | None, has: Callable[[str], bool]) -> str | None:
    """Return the app that a part of an address means; `has` says which ones there are."""
    if part is None or not part.startswith("~"):
        return part
    return part[1:] if has(part[1:]) else part
