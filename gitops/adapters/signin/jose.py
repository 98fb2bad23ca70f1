"""The one door to joserfc: signed tokens of others, sealed texts of ours."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet as KeySet
from joserfc.jwk import OctKey

from gitops.errors import Denied

_ALGORITHMS = ("RS256", "ES256")
"""What a signature may be: nothing with a shared secret, and not `none`."""

LONGEST_TOKEN = 16_384  # characters; the longest seen with all groups of a person have 8,000
_SEALED = {"alg": "dir", "enc": "A256GCM"}


class UnknownKeyError(Exception):
    """A token is signed with a key that is not among those at hand."""


def read_key_set(document: Mapping[str, Any]) -> KeySet:
    """Read a set of public keys (JWKS); keys that are of no use here are passed over."""
    keys = []
    for row in document.get("keys") or ():
        usable = isinstance(row, dict) and row.get("kty") in ("RSA", "EC")
        if usable and row.get("use", "sig") == "sig":
            keys.append({name: row[name] for name in row if name not in ("use", "key_ops", "alg")})
    return KeySet.import_key_set({"keys": keys}) if keys else KeySet([])


def header_of(token: str) -> Mapping[str, Any]:
    """Return the header of a token, which nothing proves yet. Raises Denied."""
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise Denied("the token is none")
    try:
        word = token.split(".", 1)[0]
        header = json.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
    except (ValueError, RecursionError):
        raise Denied("the token is none") from None
    if not isinstance(header, dict) or header.get("alg") not in _ALGORITHMS:
        raise Denied("the token is not signed as it must be (RS256 or ES256)")
    return header


def read_signed(token: str, keys: KeySet) -> dict[str, Any]:
    """Return the claims of a token that one of `keys` signed; its times are not looked at.

    Raises Denied, and UnknownKeyError where the key is none of them.
    """
    kid = header_of(token).get("kid")
    fitting = [one for one in keys.keys if kid is None or one.kid == kid]
    if not fitting:
        raise UnknownKeyError
    for key in fitting:
        try:
            signed = jws.deserialize_compact(token, key, algorithms=list(_ALGORITHMS))
            claims = json.loads(signed.payload or b"")
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
        if isinstance(claims, dict):
            return claims
    raise Denied("the token is not signed by whom it names")


class Sealing:
    """Texts that only this server (and its replicas) can make and read.

    Args:
        secrets: the first one seals, all of them open; each at least 32 bytes.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        # Files hold text as well as bytes: what is in them becomes a key of the right length.
        self._keys = [OctKey.import_key(hashlib.sha256(one).digest()) for one in secrets]

    def seal(self, content: bytes) -> str:
        """Return `content`, encrypted."""
        return jwe.encrypt_compact(_SEALED, content, self._keys[0])

    def open(self, text: str) -> bytes | None:
        """Return the content, None of whatever was not sealed here."""
        for key in self._keys:
            try:
                found = jwe.decrypt_compact(text, key, algorithms=list(_SEALED.values()))
            except (JoseError, ValueError, TypeError):
                continue
            return found.plaintext
        return None
