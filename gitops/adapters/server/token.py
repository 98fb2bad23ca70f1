"""The credential of a job for a gitops server: given, in a file, or asked of the CI system."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gitops.adapters.http.door import Deadline, HttpDoor, NoResponse
from gitops.errors import NotFound, Unavailable

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
