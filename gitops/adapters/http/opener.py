"""What opens single URLs with the standard library, with answers that end."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
)

from gitops.adapters.http.answers import BoundedResponse

if TYPE_CHECKING:
    import ssl


class _Plain(HTTPConnection):
    response_class = BoundedResponse


class _Secure(HTTPSConnection):
    response_class = BoundedResponse


class _PlainHandler(HTTPHandler):
    def http_open(self, req: Request) -> Any:
        return self.do_open(_Plain, req)


class _SecureHandler(HTTPSHandler):
    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(context=context)
        self._given = context

    def https_open(self, req: Request) -> Any:
        return self.do_open(_Secure, req, context=self._given)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Leave a redirect as the answer that it is."""


def bounded_opener(context: ssl.SSLContext | None = None) -> OpenerDirector:
    """Return what opens URLs with the standard library: in bounds, following no redirect.

    It raises what `urllib.request` does (URLError, HTTPError, HTTPException), and AnswerRefused.
    """
    return build_opener(_Stay(), _PlainHandler(), _SecureHandler(context))
