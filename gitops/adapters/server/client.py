"""Sends a verb to a gitops server. Once it may have been sent nobody pushes but that server.

A lost answer is asked for by the call's id, and a call that never arrived is sent again under the
same id, which the server does once. No redirect is followed, and a credential goes nowhere but to
the address that was given, never in the clear beyond this machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from gitops.adapters.http.door import Deadline, HttpDoor, NoResponse, Response
from gitops.core.text.hosts import is_loopback
from gitops.core.text.plain import one_line
from gitops.errors import (
    Bug,
    ConfigError,
    Conflict,
    Denied,
    Differs,
    GitopsError,
    HookDeclined,
    NotFound,
    Protected,
    Refused,
    TimedOut,
    Unavailable,
    Unhealthy,
    UsageError,
)

_LONGEST: Final = 8 << 20  # bytes of an answer
_WAIT: Final = 10  # seconds that one request waits for the end of a call
_PAUSES: Final = (0.2, 3.0)  # seconds before the next try
_AWAY: Final = (408, 429, 502, 503, 504)  # it, or what stands before it, may answer later
_ERRORS: Final[Mapping[str, type[GitopsError]]] = {
    one.code: one
    for one in (
        *(UsageError, ConfigError, Refused, Differs, Unhealthy, NotFound, Denied, Protected),
        *(HookDeclined, Conflict, Unavailable, TimedOut, Bug),
    )
}


class ServerClient:
    """Calls one server.

    Args:
        url: where it is: `https://gitops.example.com`.
        token: returns the credential for it, None for none; asked once.
        tell: is told, once, that it does not answer and is tried again.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[HttpDoor, str], str | None],
        environ: Mapping[str, str],
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._tell = tell
        self._url = checked(url)
        self._door = HttpDoor(environ)
        self._get_token = token
        self._token: str | None = None
        self._asked = False

    def __enter__(self) -> ServerClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()

    def send(self, path: str, body: Mapping[str, Any], name: str, seconds: float) -> dict[str, Any]:
        """Send a verb and return its document; `name` is the `Gitops-Id`.

        Raises the error that the server tells, Unavailable where it does not answer, and TimedOut
        where it took the call and has not done it in time.
        """
        deadline, tries, sent = Deadline(seconds), 0, False
        posts, trouble = True, "it does not answer"
        content = json.dumps(body).encode()
        while True:
            try:
                answer = self._post(path, content, name, deadline) if posts else None
                sent = True
                answer = answer or self._ask(name, deadline)
                known = _read(answer, name)
                if known is not None:
                    return known
                if answer.status == 202:
                    posts, trouble = False, "it is still at it"
                elif answer.status == 404:
                    posts = True  # it knows nothing of it: the call never arrived
                else:
                    trouble = f"it answers {answer.status}"
            except NoResponse as error:
                sent = sent or not error.unsent
                posts = not sent
                if not (tries and error.late):  # what was wrong before says more
                    trouble = one_line(error.words, 200)
            tries += 1
            if deadline.left <= 0:
                raise self._over(trouble, name, sent=sent)
            if tries == 1 and trouble != "it is still at it":
                more = f"trying for {deadline.left:.0f} s more"
                self._tell(f"{self._url}: {trouble}; {more}{'' if sent else ', nothing was sent'}")
            if trouble != "it is still at it":
                time.sleep(min(_PAUSES[0] * 2.0 ** min(tries, 5), _PAUSES[1], deadline.left))

    def _over(self, trouble: str, name: str, *, sent: bool) -> GitopsError:
        if not sent:
            return Unavailable(
                f"{self._url} cannot be reached: {trouble}; nothing was sent",
                hint="with `unset GITOPS_SERVER` this machine pushes by itself, if it may",
            )
        hint = f"it may still be done, as {name}: look before you repeat it (`gitops status`)"
        kind = TimedOut if trouble == "it is still at it" else Unavailable
        return kind(f"{self._url}: {trouble}", hint=hint)

    def _post(self, path: str, content: bytes, name: str, deadline: Deadline) -> Response:
        headers = {"Content-Type": "application/json", "Idempotency-Key": name}
        return self._request("POST", path, headers, content, deadline)

    def _ask(self, name: str, deadline: Deadline) -> Response:
        return self._request("GET", f"/v1/calls/{quote(name, safe='')}", {}, None, deadline)

    def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None,
        deadline: Deadline,
    ) -> Response:
        if not self._asked:
            self._token, self._asked = self._get_token(self._door, self._url), True
            if self._token is not None and not _may_carry(self._url):
                raise UsageError(
                    f"{self._url} is no https: a token would go there in the clear",
                    hint="give GITOPS_SERVER an https address",
                )
        told = {"Accept": "application/json", "Prefer": f"wait={_WAIT}", **headers}
        if self._token is not None:
            told["Authorization"] = f"Bearer {self._token}"
        url = self._url + path
        answer = self._door.ask(method, url, told, content, most=_LONGEST, deadline=deadline)
        if 300 <= answer.status < 400:
            raise Denied(
                f"{self._url} sends elsewhere, where no credential of yours goes",
                hint="set GITOPS_SERVER to the server's own address",
            )
        return answer


def checked(url: str) -> str:
    """Return the address of a server, without a slash at the end. Raises UsageError."""
    try:
        parts = urlsplit(url)
        odd = parts.username or parts.query or parts.fragment or parts.port == 0
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or odd
    except ValueError:
        wrong = True
    if wrong:
        raise UsageError(
            "GITOPS_SERVER is no address of a server", hint="https://gitops.example.com"
        )
    return url.rstrip("/")


def _may_carry(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.netloc)


def _read(answer: Response, name: str) -> dict[str, Any] | None:
    """Return the document of a call that is over; None: it is not, or nobody knows.

    Raises the error that it ended with.
    """
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        if answer.status in _AWAY:
            return None
        raise Unavailable(f"what answers ({answer.status}) is no gitops server")
    told = document.get("error")
    mine = document.get("id") == name
    if answer.status == 200 and mine and told is None:
        return document
    if answer.status == 202 or not isinstance(told, dict):
        return None
    # Without its id an error says nothing of the call, but that it was not taken.
    if not mine and (answer.status in _AWAY or _is_unknown_call(answer, told, name)):
        return None
    raise _error(told)


def _is_unknown_call(answer: Response, told: Mapping[str, Any], name: str) -> bool:
    return answer.status == 404 and name in str(told.get("message"))


def _error(told: Mapping[str, Any]) -> GitopsError:
    kind = _ERRORS.get(str(told.get("code")), Bug)
    reasons = told.get("reasons")
    error = kind(
        str(told.get("message", "it failed")),
        hint=str(told["hint"]) if told.get("hint") is not None else None,
        reasons=tuple(map(str, reasons)) if isinstance(reasons, list) else (),
    )
    code = str(told.get("code"))
    if code == "unsafe-edit":  # its place stands in the message
        error = Denied(error.message, hint=error.hint, reasons=error.reasons)
        error.code = code
    return error


VARIABLES: Final = ("GITOPS_SERVER", "GITOPS_SERVER_TOKEN", "GITOPS_SERVER_TOKEN_FILE")
_LARGEST: Final = 32 << 10  # bytes of a token
_SECONDS: Final = 15.0


def find_token(environ: Mapping[str, str], door: HttpDoor, url: str) -> str | None:
    """Return the token for the server at `url`; None where nothing gives one.

    `GITOPS_SERVER_TOKEN`, else the file that `GITOPS_SERVER_TOKEN_FILE` names (a token that
    Kubernetes projects is renewed there), else GitHub's own, for a job with `id-token: write`.
    Raises NotFound for a file that is not there, Unavailable.
    """
    given = environ.get("GITOPS_SERVER_TOKEN", "").strip()
    if given:
        return given
    path = environ.get("GITOPS_SERVER_TOKEN_FILE", "").strip()
    if path:
        try:
            with Path(path).open("rb") as file:
                return file.read(_LARGEST).decode("ascii", "replace").strip() or None
        except OSError as error:
            raise NotFound(f"GITOPS_SERVER_TOKEN_FILE cannot be read: {error.strerror}") from None
    where = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    word = environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    if not where.startswith("https://") or not word:
        return None
    asked = f"{where}{'&' if '?' in where else '?'}audience={quote(url, safe='')}"
    try:
        answer = door.ask(
            "GET",
            asked,
            {"Authorization": f"Bearer {word}"},
            None,
            most=_LARGEST,
            deadline=Deadline(_SECONDS),
        )
        found = json.loads(answer.body).get("value")
    except (NoResponse, ValueError, AttributeError, RecursionError):
        found = None
    if not isinstance(found, str) or not found:
        raise Unavailable("GitHub gives this job no token of its own")
    return found
