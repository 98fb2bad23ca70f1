"""What is asked by paths below one repository, in numbered pages of JSON: GitHub and GitLab."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from gitops.adapters.forges.transport.calls import Calls, ForgeResponse

_PAGE = 100
_PAGES = 20


class PathApi(ABC):
    """The interface of a forge for one repository; everything may raise Answered and NoAnswer.

    Paths are below the repository, whose own is `root`; `{}` in them are filled with the
    arguments, quoted.
    """

    def __init__(self, calls: Calls, root: str) -> None:
        self._calls = calls
        self._root = root

    @abstractmethod
    def _ask(self, path: str, query: Mapping[str, Any]) -> Any:
        """Return the document at a whole path, asked for once."""

    def get(self, path: str, *parts: object, **query: Any) -> Any:
        """Ask what changes nothing."""
        where = self._path(path, parts)
        return self._calls.read(lambda: self._ask(where, query))

    def find(self, path: str, *parts: object, hidden: tuple[int, ...] = (), **query: Any) -> Any:
        """Ask for what may not be there: None for that, and for the statuses `hidden`."""
        try:
            return self.get(path, *parts, **query)
        except ForgeResponse as error:
            if error.status in (404, *hidden):
                return None
            raise

    def pages(self, path: str, *parts: object, inside: str = "", **query: Any) -> Iterator[Any]:
        """Yield the items of a list, page by page, as far as the caller iterates.

        They lie in the key `inside` where one is given.
        """
        for page in range(1, _PAGES + 1):
            found = self.get(path, *parts, **query, per_page=_PAGE, page=page)
            items = found[inside] if inside else found
            yield from items
            if len(items) < _PAGE:
                return

    def _path(self, path: str, parts: tuple[object, ...]) -> str:
        return self._root + path.format(*(quote(str(part), safe="") for part in parts))
