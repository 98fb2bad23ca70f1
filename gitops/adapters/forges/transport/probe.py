"""Asks a host which forge it is: without a token, briefly, and following nobody elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitops.adapters.forges.transport.tls import ca_file
from gitops.core.environments.environment import ForgeKind
from gitops.core.forges.address import Unknown
from gitops.core.forges.probe import LONGEST_ANSWER, QUESTIONS, ProbeAnswer, recognise
from gitops.errors import Unavailable

_SECONDS = 5.0


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

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """Leave a redirect as the answer that it is."""

    context = ssl.create_default_context(cafile=ca_file(environ))
    opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=context))
    url = f"{where.origin}{path}"
    request = urllib.request.Request(  # noqa: S310 - an Origin is http or https
        url, headers={"Accept": "application/json", "User-Agent": "gitops"}
    )
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            headers = {key.lower(): value for key, value in answer.headers.items()}
            return ProbeAnswer(path, answer.status, headers, answer.read(LONGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            headers = {key.lower(): value for key, value in error.headers.items()}
            body = error.read(LONGEST_ANSWER)
        if error.code >= 500:
            raise _unknown(where, f"it answers {error.code}") from error
        return ProbeAnswer(path, error.code, headers, body)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ConnectionRefusedError) and not where.exact:
            return None
        raise _unknown(where, str(reason)) from error


def _unknown(where: Unknown, words: str) -> Unavailable:
    return Unavailable(
        f"cannot find out which forge {where.origin} is: {words}",
        hint="name it in gitops.yaml, as in `forge: {kind: gitea}`; `kind: none` where there is "
        "none",
    )
