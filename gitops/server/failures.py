"""Errors as answers: the HTTP status of each."""

from __future__ import annotations

from collections.abc import Mapping

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


def document_of(error: GitopsError) -> bytes:
    """Return the document of an error, as `-o json` has it."""
    import msgspec

    told = {"code": error.code, "message": error.message, "hint": error.hint}
    return msgspec.json.encode({"error": {**told, "reasons": error.reasons}})


def headers_of(status: int) -> dict[str, str]:
    """Return what goes with a status: when to try again."""
    return {"Retry-After": _AGAIN} if status == 503 else {}
