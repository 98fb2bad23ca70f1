"""Errors as answers: the HTTP status of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from gitops.documents.reports import error_document
from gitops.errors import GitopsError

STATUS: Mapping[str, int] = {
    **dict.fromkeys(("usage", "config"), 400),
    "denied": 403,
    "not-found": 404,
    **dict.fromkeys(("refused", "differs", "unhealthy", "protected", "hook-declined"), 409),
    "unsafe-edit": 422,
    **dict.fromkeys(("conflict", "unavailable"), 503),
    "timed-out": 504,
    "bug": 500,
    "interrupted": 503,
}
"""`error.code` -> status."""

_AGAIN = "2"  # seconds


def status_of(error: GitopsError) -> int:
    """Return the HTTP status of an error; some kinds say their own."""
    own = getattr(error, "http_status", None)
    return own if isinstance(own, int) else STATUS.get(error.code, 500)


def headers_of(status: int) -> dict[str, str]:
    """Return what goes with a status: when to try again."""
    return {"Retry-After": _AGAIN} if status == 503 else {}


def json_answer(
    document: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a document as JSON that nobody keeps."""
    told = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(document), status, told, "application/json")


def failed(error: GitopsError, name: str | None = None) -> Response:
    """Return an error as its document; `name`: the id of the call that it ended."""
    status = status_of(error)
    named = {"id": name} if name is not None else {}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return json_answer(named | error_document(error), status, headers_of(status) | headers)
