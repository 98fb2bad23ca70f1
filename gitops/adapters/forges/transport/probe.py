"""Asks a host which forge it is: without a token, briefly, and following nobody elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gitops.adapters.http.tls import ca_file
from gitops.core.environments.environment import ForgeKind
from gitops.core.forges.address import Unknown
from gitops.core.forges.probe import LONGEST_ANSWER, QUESTIONS, ProbeAnswer, recognise
from gitops.errors import Unavailable

if TYPE_CHECKING:
    from urllib.error import HTTPError

_SECONDS = 5.0  # for one answer, from its first byte to its last


def probe(where: Unknown, environ: Mapping[str, str]) -> ForgeKind | None:
    """Return the kind of forge that answers at `where`, None when it is none that we know.

    Raises Unavailable when the host cannot be asked: that it has no forge is then not known.
    """
    for path in QUESTIONS:
        answer = _ask(where, path, environ)
        if answer is None:
            return None
        kind = recognise(answer)
        if kind is not None:
            return kind
    return None


def _ask(where: Unknown, path: str, environ: Mapping[str, str]) -> ProbeAnswer | None:
    """Return an answer; None when an SSH host has no web server at all."""
    import ssl
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    from gitops.adapters.http.answers import AnswerRefused
    from gitops.adapters.http.opener import bounded_opener

    opener = bounded_opener(ssl.create_default_context(cafile=ca_file(environ)))
    url = f"{where.origin}{path}"
    request = urllib.request.Request(  # noqa: S310 - an Origin is http or https
        url, headers={"Accept": "application/json", "User-Agent": "gitops"}
    )
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            headers = {key.lower(): value for key, value in answer.headers.items()}
            return ProbeAnswer(path, answer.status, headers, answer.read(LONGEST_ANSWER))
    except urllib.error.HTTPError as error:
        headers = {key.lower(): value for key, value in error.headers.items()}
        body = _beginning(error)
        if error.code >= 500:
            raise _unknown(where, f"it answers {error.code}") from error
        return ProbeAnswer(path, error.code, headers, body)
    except (OSError, HTTPException, ValueError, AnswerRefused) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ConnectionRefusedError) and not where.exact:
            return None
        raise _unknown(where, str(reason)) from error


def _beginning(error: HTTPError) -> bytes:
    """Read what comes with a refusal; nothing when it does not come."""
    from http.client import HTTPException

    from gitops.adapters.http.answers import AnswerRefused

    with error:
        try:
            return error.read(LONGEST_ANSWER)
        except (OSError, HTTPException, AnswerRefused):
            return b""


def _unknown(where: Unknown, words: str) -> Unavailable:
    return Unavailable(
        f"cannot find out which forge {where.origin} is: {words}",
        hint="name it in gitops.yaml, as in `forge: {kind: gitea}`; `kind: none` where there is "
        "none",
    )
