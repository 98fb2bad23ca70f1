"""`ports.Index` in the cache directory, one sealed file for each page.

What stands in a page cannot prove itself as Git's objects do, so only a page counts that bears the
seal of this user and machine (`seal.py`), made for this repository and this name. A file that
somebody else wrote, that is damaged, or that was another page, is no page.
"""

from __future__ import annotations

from contextlib import suppress
from time import time as clock
from typing import TYPE_CHECKING

from gitops.adapters.gitrepo.cache.memory import LOOKED_AT

if TYPE_CHECKING:
    from gitops.adapters.gitrepo.cache.files import Shelf

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
