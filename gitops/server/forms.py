"""Forms as browsers send them: small, and each field once."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from gitops.errors import UsageError

_LARGEST = 64 * 1024  # bytes
_MOST_FIELDS = 100


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form; of one that stands there twice the last counts.

    Raises UsageError for what is no form, or a large one.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise UsageError("that is no form")
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _LARGEST:
            raise UsageError("the form is too large")
    try:
        pairs = parse_qsl(
            content.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError:
        raise UsageError("that is no form") from None
    return dict(pairs)
