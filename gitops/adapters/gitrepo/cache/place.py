"""Which place in the cache a repository has, if any. Loads nothing of the cache before it must."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gitops.adapters.gitrepo.command.address import is_url

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.cache.files import Shelf

_CACHE, _OFF = "GITOPS_CACHE", ("", "off")


def is_off(environ: Mapping[str, str]) -> bool:
    """Say whether the caller wants nothing to be kept."""
    return environ.get(_CACHE, "on").strip().lower() in _OFF


def shelf_of(
    environ: Mapping[str, str], progress: Callable[[str], None] | None, *urls: str
) -> Shelf | None:
    """Return the place in the cache of the remote at `urls`.

    None for a path: it is fast, and may be relative, so that it names no place. None, too, where
    `GITOPS_CACHE` is `off` or empty.
    """
    if is_off(environ) or not all(is_url(url) for url in urls):
        return None
    from gitops.adapters.gitrepo.cache.files import open_cache

    cache = open_cache(environ, progress)
    return cache.shelf(*dict.fromkeys(urls)) if cache is not None else None
