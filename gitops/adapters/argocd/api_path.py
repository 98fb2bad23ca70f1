"""Paths of an API: names of objects come from elsewhere, and none adds or drops a part."""

from __future__ import annotations

from urllib.parse import quote

from gitops.errors import NotFound


def api_path(*parts: str) -> str:
    """Return the path of an object, made of quoted parts, with a slash before each.

    Raises NotFound for what no object is called, since a server may go up a path for it.
    """
    for part in parts:
        if part in ("", ".", ".."):
            raise NotFound(f"{part!r} is no name in Kubernetes")
    return "".join(f"/{quote(part, safe='')}" for part in parts)
