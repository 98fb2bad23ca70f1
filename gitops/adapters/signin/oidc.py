"""OpenID Connect: the authorization code flow with PKCE, as OpenID Connect Core 1.0 has it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from gitops.adapters.signin.claims import ClaimNames, read_account
from gitops.adapters.signin.documents import AnsweredError, Documents, check_url
from gitops.adapters.signin.keys import Discovered, audiences
from gitops.errors import Denied
from gitops.ports.sign_in import Account


class Client(Struct, frozen=True):
    """What this server is to a sign-in service.

    Attributes:
        secret: "" for a public client, whose only proof is PKCE.
    """

    id: str
    secret: str
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Client(id={self.id!r})"


class OpenIdProvider:
    """One provider, found by its issuer."""

    def __init__(
        self, issuer: str, client: Client, names: ClaimNames, environ: Mapping[str, str]
    ) -> None:
        self._client = client
        self._names = names
        self._host = urlsplit(issuer).hostname or "localhost"
        self._documents = Documents(f"the sign-in service {self._host}", environ)
        self._discovered = Discovered(issuer, self._documents)

    def address(self, state: str, nonce: str, challenge: str, back: str) -> str:
        """Return where to send the browser."""
        asked = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": back,
            "scope": " ".join(self._client.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        where = self._endpoint("authorization_endpoint")
        return f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}"

    def exchange(self, code: str, verifier: str, nonce: str, back: str) -> Account:
        """Return who came back with `code`."""
        answer = self._tokens(code, verifier, back)
        token, signed = answer.get("access_token"), answer.get("id_token")
        if not isinstance(signed, str) or not isinstance(token, str):
            raise Denied(f"{self._documents.name} gives no ID token: is `openid` in the scopes?")
        claims = self._discovered.claims(signed)
        self._check(claims, nonce)
        seconds = answer.get("expires_in")
        limit = seconds if isinstance(seconds, int) and not isinstance(seconds, bool) else 0
        whole = self._completed(claims, token)
        return read_account(whole, self._names, self._host, token, max(limit, 0))

    def again(self, token: str) -> Account:
        """Ask anew who the owner of a token is, and in which groups.

        That an address is verified, the ID token said at the sign-in; Gitea's user info does not.
        """
        names = replace(self._names, trusts_email=True)
        return read_account(self._user_info(token), names, self._host, token, 0)

    def _tokens(self, code: str, verifier: str, back: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        methods = self._discovered.said().get("token_endpoint_auth_methods_supported")
        basic = None
        if not self._client.secret:
            form["client_id"] = self._client.id
        elif isinstance(methods, list) and "client_secret_basic" not in methods:
            form |= {"client_id": self._client.id, "client_secret": self._client.secret}
        else:
            basic = (self._client.id, self._client.secret)
        try:
            answer = self._documents.post(self._endpoint("token_endpoint"), form, basic)
        except AnsweredError as error:
            raise self._no(error) from None
        return answer if isinstance(answer, dict) else {}

    def _check(self, claims: Mapping[str, Any], nonce: str) -> None:
        """Was it made for us, and for this sign-in? Core 1.0, 3.1.3.7."""
        named = audiences(claims)
        party = claims.get("azp")
        mine = self._client.id in named and party in (None, self._client.id)
        if not mine or (len(named) > 1 and party is None):
            raise Denied("the ID token is for somebody else")
        said = claims.get("nonce")
        if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
            raise Denied("the ID token is of another sign-in")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise Denied("the ID token is about nobody")

    def _completed(self, claims: Mapping[str, Any], token: str) -> Mapping[str, Any]:
        """Return the claims, with what only the user info says of the same person."""
        wanted = {self._names.user, self._names.groups.split(".")[0]}
        if wanted <= claims.keys() or "userinfo_endpoint" not in self._discovered.said():
            return claims
        said = self._user_info(token)
        if said.get("sub") != claims.get("sub"):
            raise Denied("the sign-in service speaks of two people at once")
        return {**said, **claims}

    def _user_info(self, token: str) -> Mapping[str, Any]:
        try:
            said = self._documents.get(self._endpoint("userinfo_endpoint"), token)
        except AnsweredError as error:
            raise self._no(error) from None
        return said if isinstance(said, dict) else {}

    def _no(self, error: AnsweredError) -> Denied:
        why = f": {error.word}" if error.word else f" (HTTP {error.status})"
        return Denied(f"{self._documents.name} says no{why}", hint="sign in again")

    def _endpoint(self, name: str) -> str:
        url = self._discovered.said().get(name)
        if not isinstance(url, str):
            raise Denied(f"{self._documents.name} has no {name}")
        check_url(url, self._documents.name)
        return url
