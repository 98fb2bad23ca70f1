"""How a request is refused before anything looks at what it wants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gitops.errors import Denied, Unavailable, UsageError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Refuse = Callable[[Request, Exception], Response]
"""Makes the answer for an error: a page, or a document for programs."""


class WrongHost(Denied):
    """The browser was led here under a name that is not ours."""

    http_status = 421


class ForeignRequest(Denied):
    """Another site's page made the browser send it."""


class BodyTooLarge(UsageError):
    """More than anybody has reason to send."""

    http_status = 413


class BodyTooSlow(UsageError):
    """A byte at a time."""

    http_status = 408


class TooMany(Unavailable):
    """More requests in a row than one caller may make."""

    http_status = 429


def values_of(scope: Scope, name: bytes) -> list[str]:
    """Return what a header says, each time that it came; `name` in lower case."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]
