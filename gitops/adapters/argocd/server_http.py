"""HTTP to Argo CD's own API server, with a token: the standard library, and no redirects.

A redirect could carry the token to another host, so none is followed. Certificates are checked
against the system's, or those that `SSL_CERT_FILE` names; proxies are those of the environment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from gitops.adapters.argocd.connection import KubernetesResponse, read_date
from gitops.core.text.plain import one_line
from gitops.errors import Denied, GitopsError, NotFound, TimedOut, Unavailable, UsageError

ServerQuery = Sequence[tuple[str, str]]

_LONGEST_LINE = 1 << 16
"""Bytes of a line of a stream; what is longer comes in several parts."""


class ServerToken(Struct, frozen=True):
    """A bearer token that does not show itself."""

    value: str

    def __repr__(self) -> str:
        return "Token(…)"


def server_url(text: str) -> str:
    """Return the URL of `ARGOCD_SERVER`: `host[:port]`, as its own command line has it, or a URL.

    Raises UsageError.
    """
    url = text.strip()
    url = (url if "://" in url else f"https://{url}").rstrip("/")
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname
        wrong = wrong or bool(parts.query) or parts.username is not None
    except ValueError:
        wrong = True
    if wrong:
        raise UsageError(
            "ARGOCD_SERVER is neither HOST[:PORT] nor a URL",
            hint="argocd.example.com, or http://argocd-server.argocd.svc inside the cluster",
        )
    return url


class ServerConnection:
    """Requests to one Argo CD server.

    Args:
        url: see `server_url`.
        within: seconds that one request may take, with its answer.
    """

    def __init__(self, url: str, token: ServerToken, within: float) -> None:
        self.name = urlsplit(url).netloc
        self._url = url
        self._token = token
        self._within = within

    def get(self, path: str, query: ServerQuery = ()) -> KubernetesResponse:
        """Read `path`."""
        return self._ask("GET", path, query, None)

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> KubernetesResponse:
        """Send JSON."""
        return self._ask(method, path, (), body)

    def stream(self, path: str, query: ServerQuery, *, longest: float) -> Iterator[bytes]:
        """Yield the lines of an answer that goes on, for `longest` seconds at most."""
        with self._reading(), self._open("GET", path, query, None, longest) as response:
            while line := response.readline(_LONGEST_LINE):
                yield line

    def _ask(
        self, method: str, path: str, query: ServerQuery, body: Mapping[str, Any] | None
    ) -> KubernetesResponse:
        with self._reading(), self._open(method, path, query, body, self._within) as response:
            content = response.read()
            time: datetime = read_date(response.headers.get("Date"))
        try:
            data = json.loads(content or b"{}")
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise Unavailable(
                f"{self.name} sent something that is no JSON object",
                hint="ARGOCD_SERVER must lead to Argo CD itself, not to a login page before it",
            )
        return KubernetesResponse(data, time)

    def _open(
        self,
        method: str,
        path: str,
        query: ServerQuery,
        body: Mapping[str, Any] | None,
        timeout: float,
    ) -> Any:
        from urllib.error import HTTPError
        from urllib.request import Request

        from gitops.adapters.http.opener import bounded_opener

        request = Request(  # noqa: S310 - the scheme was checked by `server_url`
            f"{self._url}{path}{'?' + urlencode(query) if query else ''}",
            data=json.dumps(body).encode() if body is not None else None,
            method=method,
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self._token.value}",
            },
        )
        try:
            return bounded_opener().open(request, timeout=timeout)
        except HTTPError as error:
            raise self._refused(error) from None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what goes wrong on the way into our words."""
        from http.client import HTTPException

        from gitops.adapters.http.answers import AnswerRefused

        try:
            yield
        except (OSError, HTTPException, ValueError) as error:
            raise self._unreachable(error) from None
        except AnswerRefused as error:
            raise Unavailable(f"{self.name} is unavailable: {error}") from None

    def _refused(self, error: Any) -> GitopsError:
        from http.client import HTTPException

        from gitops.adapters.http.answers import AnswerRefused

        try:
            told = json.loads(error.read(65536))
            words = told.get("message") or told.get("error")
        except (OSError, ValueError, AttributeError, RecursionError, HTTPException, AnswerRefused):
            words = None
        said = one_line(str(words or error.reason or ""), 300)
        match error.code:
            case 401:
                return Denied(
                    f"{self.name} does not accept the token: expired, or wrong",
                    hint="make a new one, and put it into ARGOCD_AUTH_TOKEN",
                )
            case 403:
                return Denied(
                    f"{self.name}: {said}",
                    hint="docs/how-to/watch-health.md has the policy that gitops needs",
                )
            case 404:
                return NotFound(f"{self.name}: {said}")
            case 301 | 302 | 303 | 307 | 308:
                return Unavailable(
                    f"{self.name} sends elsewhere, and the token is not carried there",
                    hint="ARGOCD_SERVER must be the address that Argo CD itself answers at",
                )
            case code if 400 <= code < 500 and code != 429:
                return Denied(f"{self.name} refuses it: {said}")
            case code:
                return Unavailable(f"{self.name} answers {code}: {said}")

    def _unreachable(self, error: Exception) -> GitopsError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError) or isinstance(error, TimeoutError):
            return TimedOut(f"{self.name} did not answer in time")
        return Unavailable(f"{self.name} cannot be reached: {one_line(str(reason), 200)}")
