"""What is read of a request to `/v1`: all of it is bounded, and what does not fit is said."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request

from gitops.errors import UsageError
from gitops.server.acts.requests import Body

_LARGEST: Final = 256 * 1024  # bytes of a body
MOST: Final = 1000


async def read_body(request: Request, kind: type[Body]) -> Body:
    """Return the body of a call. Raises UsageError."""
    told = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if told != "application/json":
        raise UsageError("the body must be JSON", hint="Content-Type: application/json")
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _LARGEST:
            raise UsageError(f"the body is larger than {_LARGEST >> 10} kB")
    try:
        return msgspec.json.decode(bytes(content) or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the body: {error}", hint="GET /v1/openapi.json says what fits") from None


def number_of(request: Request, key: str, default: int, *, least: int = 1, most: int = MOST) -> int:
    """Return a number of the query. Raises UsageError."""
    text = request.query_params.get(key)
    if text is None:
        return default
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not is_number or not least <= int(text) <= most:
        raise UsageError(f"{key} is a number from {least} to {most}")
    return int(text)
