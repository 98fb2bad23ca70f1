"""Tokens and passwords of registries: got when asked for, kept until shortly before they expire."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from gitops.adapters.http.door import Deadline, HttpDoor, Response
from gitops.adapters.registry.challenge import Challenge, are_related, realm_problem, scope_for
from gitops.adapters.registry.docker_config import Credential, DockerConfig
from gitops.adapters.registry.words import RegistryWords
from gitops.core.images.name import ImageName, api_host
from gitops.errors import Denied, Unavailable
from gitops.ports import Clock

TokenKey = tuple[str, str, str]
"""Host, path, and what is to be done there (`pull`, `pull,push`, `delete`)."""

_LONGEST_TOKEN = 64 << 10
_SHORTEST_LIFE = 60.0  # seconds a token is good for, where nobody says: as the protocol has it
_MARGIN = 5.0


class _Token(Struct, frozen=True):
    value: str
    end: float

    def __repr__(self) -> str:
        return "Token(…)"


class Tokens:
    """What goes into `Authorization`, for each registry its own."""

    def __init__(
        self, config: DockerConfig, door: HttpDoor, words: RegistryWords, clock: Clock
    ) -> None:
        self._config = config
        self._door = door
        self._words = words
        self._clock = clock
        self._tokens: dict[TokenKey, _Token] = {}
        self._basic: dict[str, str] = {}
        self._locks: dict[TokenKey, threading.Lock] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "Tokens()"

    def authorization(self, key: TokenKey) -> str | None:
        """Return what is known already."""
        with self._lock:
            token = self._tokens.get(key)
            if token is not None and token.end > self._clock.monotonic():
                return f"Bearer {token.value}"
            return self._basic.get(key[0])

    def answer(
        self,
        key: TokenKey,
        name: ImageName,
        challenge: Challenge,
        sent: str | None,
        deadline: Deadline,
    ) -> str | None:
        """Return the `Authorization` that a challenge asks for; one thread gets it for all."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            known = self.authorization(key)
            if known is not None and known != sent:
                return known  # another thread has got it meanwhile
            credential = self._config.credential(name.host)
            if credential is not None:
                self._words.hide(credential.secret)
            if challenge.scheme == "basic":
                return self._sign_in(name.host, credential)
            token = self._fetch(key, name, challenge, credential, deadline)
            self._words.hide(token.value)
            with self._lock:
                self._tokens[key] = token
            return f"Bearer {token.value}"

    def _sign_in(self, host: str, credential: Credential | None) -> str | None:
        if credential is None or credential.refresh:
            return None
        header = _basic(credential)
        self._words.hide(header.split(" ")[1])
        with self._lock:
            self._basic[host] = header
        return header

    def _fetch(
        self,
        key: TokenKey,
        name: ImageName,
        challenge: Challenge,
        credential: Credential | None,
        deadline: Deadline,
    ) -> _Token:
        """Get a token where the registry says that they are."""
        problem = realm_problem(challenge.realm, api_host(name.host))
        if problem is not None:
            raise Unavailable(
                f"{name.host} sends for a token to {self._words.words(challenge.realm)}: {problem}"
            )
        credential = self._for_realm(name, challenge.realm, credential)
        scope = scope_for(name, key[2], challenge.scope)
        answer = self._token_request(challenge, scope, credential, deadline)
        if answer.status in (400, 401, 403):
            said = self._words.said(answer)
            where = urlsplit(challenge.realm).netloc
            by = f"the credentials of {credential.source}" if credential else "nobody's request"
            raise Denied(
                f"{name.host}: {where} gives no token for {by}: {said}",
                hint=f"docker login {name.host}, as somebody who may do this",
            )
        if answer.status != 200:
            raise self._words.error(name, answer, "token")
        return self._read_token(name, answer)

    def _for_realm(
        self, name: ImageName, realm: str, credential: Credential | None
    ) -> Credential | None:
        """Return whose credentials go to `realm`: the registry's, where the two belong together."""
        if credential is None or are_related(api_host(name.host), realm):
            return credential
        where = urlsplit(realm).netloc.lower()
        own = self._config.credential(where)
        if own is None:
            raise Denied(
                f"{name.host} sends for tokens to {self._words.words(where)}, a stranger to it: "
                f"the credentials of {credential.source} are not carried there",
                hint=f"where this is meant: docker login {where}",
            )
        self._words.hide(own.secret)
        return own

    def _token_request(
        self, challenge: Challenge, scope: str, credential: Credential | None, deadline: Deadline
    ) -> Response:
        asked = {"service": challenge.service, "scope": scope}
        if credential is not None and credential.refresh:
            form = {
                "grant_type": "refresh_token",
                "client_id": "gitops",
                "refresh_token": credential.secret,
                **asked,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode(form).encode()
            return self._door.ask(
                "POST", challenge.realm, headers, body, most=_LONGEST_TOKEN, deadline=deadline
            )
        headers = {"Authorization": _basic(credential)} if credential is not None else {}
        joint = "&" if urlsplit(challenge.realm).query else "?"
        url = f"{challenge.realm}{joint}{urlencode(asked)}"
        return self._door.ask("GET", url, headers, None, most=_LONGEST_TOKEN, deadline=deadline)

    def _read_token(self, name: ImageName, answer: Response) -> _Token:
        try:
            told = json.loads(answer.body)
            value = told.get("token") or told.get("access_token")
            life = told.get("expires_in") or _SHORTEST_LIFE
            if not isinstance(value, str) or not value.isascii() or not value.isprintable():
                raise ValueError("the token is none")
            seconds = min(max(float(life), 0.0), 86400.0)
        except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise self._words.malformed(name, error) from None
        return _Token(value, self._clock.monotonic() + max(seconds - _MARGIN, seconds / 2))


def _basic(credential: Credential) -> str:
    return "Basic " + b64encode(f"{credential.user}:{credential.secret}".encode()).decode()
