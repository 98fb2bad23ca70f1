"""The interface of a forge by its published description, for those without a kept library."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlencode

from gitops.adapters.forges.transport.calls import Calls, ForgeResponse, NoAnswer
from gitops.adapters.forges.transport.paths import PathApi
from gitops.adapters.http.answers import LONGEST_OF_FORGES
from gitops.adapters.http.door import Deadline, HttpDoor, NoResponse
from gitops.core.forges.address import NAMES, ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.ports import Clock

Json = Any
"""A document of a forge."""


class RestApi(PathApi):
    """Documents below one repository; everything may raise ForgeResponse and NoAnswer.

    Args:
        root: URL of the repository's own document, without a slash at the end.
        authorization: the header's value.
        words: returns what a refusal says, from its document.
        extra: what every query has.
    """

    def __init__(
        self,
        calls: Calls,
        root: str,
        environ: Mapping[str, str],
        authorization: str,
        words: Callable[[Json], str],
        extra: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(calls, root)
        self._door = HttpDoor(environ)
        self._headers = {"Authorization": authorization, "Accept": "application/json"}
        self._words = words
        self._extra = dict(extra or {})

    def __repr__(self) -> str:
        return f"RestApi({self._root!r})"

    def send(self, verb: str, path: str, *parts: object, query: Any = None, body: Any) -> Json:
        """Change something, once."""
        where = self._path(path, parts)
        return self._calls.write(lambda: self._request(verb, where, query or {}, body))

    def question(self, path: str, *parts: object, body: Any) -> Json:
        """Ask by POST what changes nothing."""
        where = self._path(path, parts)
        return self._calls.read(lambda: self._request("POST", where, {}, body))

    def outside(self, url: str, **query: Any) -> Json:
        """Ask for a document of the same server that is not below the repository."""
        return self._calls.read(lambda: self._ask(url, query))

    def send_outside(self, verb: str, url: str, body: Any) -> Json:
        """Change a document of the same server that is not below the repository, once."""
        return self._calls.write(lambda: self._request(verb, url, {}, body))

    def _ask(self, path: str, query: Mapping[str, Any]) -> Json:
        return self._request("GET", path, query, None)

    def _request(self, verb: str, url: str, query: Mapping[str, Any], body: Any) -> Json:
        asked = urlencode({**self._extra, **query}, doseq=True)
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._door.ask(
                verb,
                f"{url}?{asked}" if asked else url,
                headers,
                None if body is None else json.dumps(body).encode(),
                most=LONGEST_OF_FORGES,
                deadline=Deadline(self._calls.seconds()),
            )
        except NoResponse as error:
            raise NoAnswer(error.words, late=error.late) from None
        document = _document(answer.body)
        status = 401 if answer.status == 203 else answer.status  # Azure DevOps' page to sign in
        if status >= 300 or status < 200:
            moved = answer.headers.get("location", "")
            said = f"it redirects to {moved}" if 300 <= status < 400 and moved else ""
            words = said or (self._words(document) if isinstance(document, dict) else "")
            raise ForgeResponse(status, words or "no reason given", answer.headers)
        if document is None and answer.body.strip():
            raise NoAnswer(f"it answers, but not as {NAMES[self._calls.address.kind]} does")
        return document


def _document(body: bytes) -> Json:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def open_calls(address: ForgeAddress, token: ForgeToken, clock: Clock, budget: float) -> Calls:
    """Return the calls of an interface that raises what an adapter acts on by itself."""
    return Calls(address, token, nullcontext, clock, budget)


def basic(user: str, secret: str) -> str:
    """Return the value of a header with user and password."""
    return f"Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode()}"
