"""Signing in and out, with a browser."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gitops.core.text.plain import one_line
from gitops.errors import GitopsError, NotFound
from gitops.server.identity.cookies import SESSION, SIGN_IN, forgotten
from gitops.server.identity.person import Unproved

if TYPE_CHECKING:
    from gitops.server.identity.identity import IdentityDoor

_LONGEST = 1_000  # characters of a path to come back to


def identity_routes(
    identity: IdentityDoor, refuse: Callable[[Request, GitopsError], Response]
) -> list[BaseRoute]:
    """Return the routes; `refuse` makes the page for an error."""

    async def sign_in(request: Request) -> Response:
        return await _sign_in(identity, request)

    async def back(request: Request) -> Response:
        """End in a page whatever comes: a redirect could go round in a circle."""
        try:
            answer = await _back(identity, request)
        except GitopsError as error:
            answer = refuse(request, error)
        answer.headers.append("Set-Cookie", forgotten(SIGN_IN))
        return answer

    async def sign_out(_request: Request) -> Response:
        answer = RedirectResponse("/", 303)
        answer.headers.append("Set-Cookie", forgotten(SESSION))
        return answer

    return [
        Route("/sign-in", sign_in, methods=["GET"], name="sign-in"),
        Route("/sign-in/back", back, methods=["GET"]),
        Route("/sign-out", sign_out, methods=["POST"], name="sign-out"),
    ]


def path_to_sign_in(back_to: str) -> str:
    """Return the address that signs one in, and leads back."""
    return f"/sign-in?next={quote(own_path(back_to), safe='/')}"


def own_path(text: str) -> str:
    """Return `text` when it is a path of ours, else `/`: nobody is led elsewhere."""
    fits = re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", text)
    return text if fits and len(text) <= _LONGEST else "/"


async def _sign_in(identity: IdentityDoor, request: Request) -> Response:
    if identity.service is None:
        raise NotFound("nobody signs in here")
    back_to = own_path(request.query_params.get("next", "/"))
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    answer = RedirectResponse(await identity.begin(state, nonce, challenge), 303)
    cookie = identity.cookies.signing_in(state, nonce, verifier, back_to)
    answer.headers.append("Set-Cookie", cookie)
    return answer


async def _back(identity: IdentityDoor, request: Request) -> Response:
    begun = identity.cookies.sign_in(request.headers.get("cookie", ""))
    given = request.query_params
    state = given.get("state", "").encode("utf-8", "replace")
    if begun is None or not hmac.compare_digest(begun.state.encode(), state):
        raise Unproved(
            "this sign-in was not begun in this browser, or too long ago", hint="begin it again"
        )
    if "code" not in given:
        why = one_line(given.get("error", "no reason given"), 80)
        raise Unproved(f"the sign-in service says no: {why}", hint="begin it again")
    cookie = await identity.signed_in(given["code"], begun.verifier, begun.nonce)
    answer = RedirectResponse(begun.back_to, 303)
    answer.headers.append("Set-Cookie", cookie)
    return answer
