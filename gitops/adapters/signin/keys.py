"""Public keys of issuers, and the tokens that are proved with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gitops.adapters.signin.documents import AnsweredError, Documents
from gitops.adapters.signin.jose import UnknownKeyError, read_key_set, read_signed
from gitops.errors import Denied, Unavailable

if TYPE_CHECKING:
    from gitops.adapters.signin.jose import KeySet

_KEPT = 3600.0  # seconds
_AT_MOST_EVERY = 60.0  # seconds, however many tokens name keys that nobody has
_PAUSE = 5.0  # seconds after a failure
_LEEWAY = 60  # seconds that clocks may differ


class Discovered:
    """What an issuer says of itself, and its keys; kept for an hour, for several threads.

    Args:
        issuer: its URL, exactly as its tokens name it.
        keys: its keys, where they are known and nobody need ask.
    """

    def __init__(
        self,
        issuer: str,
        documents: Documents,
        *,
        keys: KeySet | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._documents = documents
        self._given = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._said: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._said_at = self._keys_at = self._failed_at = float("-inf")

    def said(self) -> Mapping[str, Any]:
        """Return its document of discovery. Raises Unavailable, Denied."""
        with self._lock:
            return self._current()

    def claims(self, token: str) -> dict[str, Any]:
        """Return what a token of this issuer says, in its time.

        Raises Denied, Unavailable.
        """
        with self._lock:
            keys = self._current_keys(self._clock() - self._keys_at > _KEPT)
        try:
            claims = read_signed(token, keys)
        except UnknownKeyError:
            claims = self._with_new_keys(token)
        check_times(claims, self._clock())
        if claims.get("iss") != self._issuer:
            raise Denied("the token is from somebody else")
        return claims

    def _with_new_keys(self, token: str) -> dict[str, Any]:
        """Look once more: keys are changed from time to time."""
        with self._lock:
            keys = self._current_keys(self._clock() - self._keys_at > _AT_MOST_EVERY)
        try:
            return read_signed(token, keys)
        except UnknownKeyError:
            raise Denied("the token is signed with a key that its issuer does not have") from None

    def _current(self) -> Mapping[str, Any]:
        if self._clock() - self._said_at > _KEPT:
            said = self._answer(_discovery(self._issuer))
            if said.get("issuer") != self._issuer:
                own = str(said.get("issuer"))[:200]
                raise Denied(
                    f"{self._documents.name} calls itself {own!r}",
                    hint="`issuer` in the settings must be exactly that, with its slashes",
                )
            self._said, self._said_at = said, self._clock()
        return self._said

    def _current_keys(self, anew: bool) -> KeySet:
        if self._given is not None:
            return self._given
        if self._keys is None or anew:
            document = self._answer(str(self._current().get("jwks_uri") or ""))
            self._keys, self._keys_at = read_key_set(document), self._clock()
        return self._keys

    def _answer(self, url: str) -> dict[str, Any]:
        """Ask; whoever comes right after a failure hears of it without asking."""
        if self._clock() - self._failed_at < _PAUSE:
            raise Unavailable(f"{self._documents.name} does not answer")
        try:
            found = self._documents.get(url)
        except AnsweredError as error:
            self._failed_at = self._clock()
            raise Unavailable(f"{self._documents.name} does not answer: {error}") from None
        except Unavailable:
            self._failed_at = self._clock()
            raise
        if not isinstance(found, dict):
            raise Unavailable(f"{self._documents.name} answers, but not with a document")
        return found


class Issuers:
    """The issuers of the settings, each asked when one of its tokens comes.

    Args:
        keys: issuer -> its keys as a document (JWKS), where they are known.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        keys: Mapping[str, Mapping[str, Any]],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._environ = environ
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[str, Discovered] = {}

    def claims(self, issuer: str, audience: str, token: str) -> Mapping[str, Any]:
        """Return what `token` says when `issuer` signed it for `audience`, in its time."""
        with self._lock:
            if issuer not in self._found:
                documents = Documents(issuer, self._environ)
                given = read_key_set(self._keys[issuer]) if issuer in self._keys else None
                self._found[issuer] = Discovered(issuer, documents, keys=given, clock=self._clock)
        claims = self._found[issuer].claims(token)
        if audience not in audiences(claims):
            raise Denied("the token is for somebody else", hint=f"ask for the audience {audience}")
        return claims


def audiences(claims: Mapping[str, Any]) -> list[object]:
    """Return whom a token is for."""
    found = claims.get("aud")
    return found if isinstance(found, list) else [found]


def check_times(claims: Mapping[str, Any], now: float) -> None:
    """Refuse a token that is over, has no end, or is not yet good. Raises Denied."""
    end, begin = _number(claims.get("exp")), _number(claims.get("nbf", claims.get("iat", 0)))
    if end is None or begin is None:
        raise Denied("the token does not say until when it is good")
    if end <= now - _LEEWAY:
        raise Denied("the token is over")
    if begin > now + _LEEWAY:
        raise Denied("the token is not good yet: do the clocks differ?")


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
        return None
    return float(min(max(value, -1e15), 1e15))  # what is larger is no float


def _discovery(issuer: str) -> str:
    return f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
