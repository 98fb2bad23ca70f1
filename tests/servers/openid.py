"""An OpenID provider in process that says whatever a test wants, over real HTTP.

The real one of the tests is Gitea (server/identity/test_gitea_sign_in.py); this one is for what no
real one says: odd claims, wrong keys, other people's tokens, silence.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from servers.loopback import Handler, Loopback

CLIENT = "gitops"
SECRET = "a secret with a : and a % in it"


class OpenIdServer(Loopback):
    """A provider; what it says is changed by its attributes.

    Attributes:
        claims: of the person who signs in, over those of the protocol; None takes one away.
        user_info: what it says of them beside the token; None: it has no such address.
        signs: with which algorithm; the key for HS256 is the client's secret.
        key: what it signs with; `published`: what it says that it signs with.
        silent: every answer is a 503.
        calls: which paths were asked for.
    """

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.user_info: dict[str, Any] | None = None
        self.said: dict[str, Any] = {}
        self.signs = "RS256"
        self.key: Any = RSAKey.generate_key(2048, {"kid": "one"})
        self.published = [self.key]
        self.silent = False
        self.calls: list[str] = []
        self.codes: dict[str, Mapping[str, str]] = {}
        super().__init__(_handler(self))

    def new_key(self, kid: str, *, curve: bool = False) -> Any:
        """Return another key."""
        made = ECKey.generate_key("P-256", {"kid": kid}) if curve else None
        return made or RSAKey.generate_key(2048, {"kid": kid})

    def sign_in(self, address: str) -> dict[str, str]:
        """Do what a browser does at `address`; return the query that it comes back with."""
        asked = {name: one[0] for name, one in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def token(self, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
        """Sign `claims` beside those that every token has."""
        now = int(time.time())
        whole = {"iss": self.url, "iat": now, "exp": now + 300, **claims}
        told = {name: value for name, value in whole.items() if value is not None}
        key = OctKey.import_key(SECRET) if self.signs == "HS256" else self.key
        head = {"alg": self.signs, "kid": self.key.kid, **(header or {})}
        return str(jwt.encode(head, told, key, algorithms=[self.signs]))

    def answer(self, path: str, form: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        """Return status and document."""
        self.calls.append(path)
        if self.silent:
            return 503, {}
        if path == "/.well-known/openid-configuration":
            return 200, self._configuration()
        if path == "/keys":
            return 200, {"keys": [one.as_dict(private=False) for one in self.published]}
        if path == "/userinfo":
            fits = self.user_info is not None and authorization == "Bearer of-ana"
            return (200, self.user_info) if fits else (401, {"error": "invalid_token"})
        return self._tokens(form, authorization) if path == "/token" else (404, {})

    def _configuration(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        if self.user_info is not None:
            said["userinfo_endpoint"] = f"{self.url}/userinfo"
        return said | self.said

    def _tokens(self, form: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        asked = self.codes.pop(form.get("code", ""), None)
        secret = base64.b64encode(f"{CLIENT}:a+secret+with+a+%3A+and+a+%25+in+it".encode())
        if asked is None or authorization != f"Basic {secret.decode()}":
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        own = {"sub": "7", "aud": CLIENT, "nonce": asked["nonce"]}
        signed = self.token(own | self.claims)
        return 200, {"access_token": "of-ana", "id_token": signed, "expires_in": 3600}


def _handler(server: OpenIdServer) -> type[Handler]:
    class Answering(Handler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.read_body().decode()
            self._answer({name: one[0] for name, one in parse_qs(body).items()})

        def _answer(self, form: Mapping[str, str]) -> None:
            authorization = self.headers.get("Authorization", "")
            status, document = server.answer(urlsplit(self.path).path, form, authorization)
            self.say(status, (), json.dumps(document).encode())

    return Answering
