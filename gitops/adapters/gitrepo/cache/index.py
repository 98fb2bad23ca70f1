"""Which place in the cache a repository has, if any, and `ports.Index` there: a file for each page.

What stands in a page cannot prove itself as Git's objects do, so only a page counts that bears the
seal of this user and machine (`seal.py`), made for this repository and this name. A file that
somebody else wrote, that is damaged, or that was another page, is no page. Loads nothing of the
cache before it must.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from time import time as clock
from typing import TYPE_CHECKING

from gitops.adapters.gitrepo.command.address import is_url

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.cache.files import Shelf

LOOKED_AT = "looked at "
"""Begins the name of the page that says which commit the index of a branch is from; names of other
pages have a colon."""

_CACHE, _OFF = "GITOPS_CACHE", ("", "off")
_OFTEN = 6 * 3600.0  # seconds after which it is noted once more that somebody looked


class KeptIndex:
    """Pages about one repository; without a shelf they are kept for this process alone."""

    def __init__(self, shelf: Shelf | None) -> None:
        self._shelf = shelf
        self._pages: dict[str, bytes] = {}

    def page(self, name: str) -> bytes | None:
        """Return what was kept last; see `ports.Index`."""
        if name not in self._pages and self._shelf is not None:
            with suppress(OSError):
                self._pages[name] = self._shelf.page(name)
        return self._pages.get(name)

    def looked_at(self, branch: str, commit: str, time: float) -> None:
        """Take note of the commit; see `ports.Index`."""
        if self._shelf is None:
            return
        name, about, now = f"{LOOKED_AT}{branch}", f"{commit} {int(time)} ", clock()
        before = self.page(name) or b""
        noted = before.removeprefix(about.encode())
        if noted == before or not noted.isdigit() or now - float(noted) > _OFTEN:
            self.keep(name, f"{about}{int(now)}".encode())

    def keep(self, name: str, content: bytes) -> None:
        """Keep a page; see `ports.Index`."""
        self._pages[name] = content
        if self._shelf is not None:
            with suppress(OSError):
                self._shelf.keep_page(name, content)


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
