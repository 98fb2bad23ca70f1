"""Requests to servers of this machine, past every proxy that the environment names."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Return the status and the document (or text) of one request.

    Raises OSError when nobody answers.
    """
    request = urllib.request.Request(url, method=method, data=body, headers=dict(headers or {}))
    try:
        with _OPENER.open(request, timeout=30) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return status, json.loads(text or b"null")
    except ValueError:
        return status, text.decode(errors="replace")


def is_there(url: str) -> bool:
    """Say whether a page answers 200."""
    try:
        with _OPENER.open(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
