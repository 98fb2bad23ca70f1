"""A GitHub App: its id and key in place of a token.

As GitHub describes it: a document signed with the key (RS256, ten minutes at most) asks which
installation has the repository, and for a token of it, for this repository alone and an hour.
"""

from __future__ import annotations

from collections.abc import Mapping

from gitops.adapters.forges.transport.calls import no_library
from gitops.adapters.forges.transport.rest import Json, RestApi, open_calls
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.errors import Denied
from gitops.ports import Clock

USER = "x-access-token"
"""The user name with which Git sends such a token."""

_LEEWAY = 60.0  # seconds that the two clocks may differ
_VALID = 540.0


def installation_token(
    address: ForgeAddress,
    app: ForgeToken,
    clock: Clock,
    budget: float,
    environ: Mapping[str, str],
) -> ForgeToken:
    """Return a token of the App's installation for the repository at `address`.

    Raises NotFound where it is not installed there, or the library that signs is not; Denied when
    the key is none, or not the App's.
    """
    calls = open_calls(address, app, clock, budget)
    word = _signed(address, app, clock.now().timestamp())
    api = RestApi(calls, address.api_url, environ, f"Bearer {word}", words_of)
    owner, name = address.repository.split("/")
    with calls.door():
        found = api.get("/repos/{}/{}/installation", owner, name)
        given = api.send(
            "POST",
            "/app/installations/{}/access_tokens",
            int(found["id"]),
            body={"repositories": [name]},
        )
        return ForgeToken(str(given["token"]), app.source, user=USER)


def _signed(address: ForgeAddress, app: ForgeToken, now: float) -> str:
    try:
        import jwt  # PyGithub brings it
    except ImportError as error:
        raise no_library(address, error, "github") from error
    claims = {"iat": int(now - _LEEWAY), "exp": int(now + _VALID), "iss": app.user}
    try:
        return jwt.encode(claims, app.secret, algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise Denied(
            "GITHUB_APP_PRIVATE_KEY is no private key that can be read",
            hint="it is the whole text of the file that GitHub gave for the App, in PEM",
        ) from None


def words_of(document: Json) -> str:
    """Return what a refusal says."""
    return str(document.get("message") or "")
