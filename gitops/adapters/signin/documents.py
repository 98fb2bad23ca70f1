"""JSON documents of sign-in services: bounded, over HTTPS, no redirect followed."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from gitops.adapters.http.door import Deadline, HttpDoor, NoResponse
from gitops.core.text.hosts import is_loopback
from gitops.errors import Denied, Unavailable

SECONDS = 5.0
"""How long somebody waits for one question."""

_LONGEST = 1 << 20  # bytes of one answer


class AnsweredError(Exception):
    """The service says no: `status`, and its own word for why."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(f"{status} {word}")
        self.status = status
        self.word = word


class Documents:
    """What one service answers; for several threads.

    Everything raises Unavailable where it does not answer, AnsweredError where it says no.
    """

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.name = name
        self._door = HttpDoor(environ)

    def get(self, url: str, token: str | None = None) -> Any:
        """Return the document at `url`, with a token for it or not."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self._ask("GET", url, headers, None)

    def post(self, url: str, form: Mapping[str, str], basic: tuple[str, str] | None = None) -> Any:
        """Send a form, with a name and a password or not."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic is not None:
            word = ":".join(quote_plus(one) for one in basic)  # RFC 6749, 2.3.1
            headers["Authorization"] = f"Basic {b64encode(word.encode()).decode()}"
        return self._ask("POST", url, headers, urlencode(form).encode())

    def _ask(self, verb: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Any:
        check_url(url, self.name)
        given = {"Accept": "application/json", **headers}
        try:
            answer = self._door.ask(
                verb, url, given, body, most=_LONGEST, deadline=Deadline(SECONDS)
            )
        except NoResponse as error:
            raise Unavailable(f"{self.name} does not answer: {error.words}") from None
        document = _document(answer.body)
        if answer.status == 429 or answer.status >= 500:
            raise Unavailable(f"{self.name} does not answer: HTTP {answer.status}")
        if answer.status != 200:
            raise AnsweredError(answer.status, _word(document))
        if document is None:
            raise Unavailable(f"{self.name} answers, but not with a document")
        return document


def check_url(url: str, name: str) -> None:
    """Refuse an address where others could listen. Raises Denied."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.netloc)):
        raise Denied(f"{name} names an address that is not https, and is not asked there")


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _word(document: Any) -> str:
    word = document.get("error") if isinstance(document, dict) else None
    return word[:80] if isinstance(word, str) and word.isprintable() else ""
