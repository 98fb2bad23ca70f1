"""Requests to the interface of a registry's maker, beside the protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gitops.adapters.http.door import Deadline, NoResponse, Response
from gitops.adapters.registry.access import RegistryAccess
from gitops.core.images.name import ImageName

_MOST = 4 << 20  # bytes of an answer


class OwnInterface:
    """Requests to a maker's interface, with its own credential and to its own origin alone."""

    def __init__(self, access: RegistryAccess, url: str) -> None:
        self._access = access
        self._url = url.rstrip("/")

    def _ask(
        self,
        method: str,
        name: ImageName,
        path: str,
        deadline: Deadline,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Response:
        door, where = self._access.door, f"{self._url}{path}"
        try:
            return door.ask(method, where, headers, body, most=_MOST, deadline=deadline)
        except NoResponse as error:
            raise self._access.words.silence(self._named(name), error) from None

    def _named(self, name: ImageName) -> ImageName:
        """Return what errors name: the interface, not the registry."""
        return ImageName(urlsplit(self._url).netloc, name.path)

    def _json(self, name: ImageName, answer: Response) -> Any:
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise self._access.words.malformed(self._named(name), error) from None
