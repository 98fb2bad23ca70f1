"""Asks a forge's interface as people do: with an account of their own."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any


def ask(verb: str, url: str, body: Any, authorization: str) -> Any:
    """Return the answer of a server; AssertionError when it says no."""
    request = urllib.request.Request(
        url,
        method=verb,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": authorization, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{verb} {url}: {error.code} {error.read()!r}") from None
