"""Whether a hook comes from who it says: by the secret that the settings share with it.

How each signs: docs.github.com/webhooks, docs.gitlab.com/user/project/integrations/webhooks,
docs.gitea.com/usage/webhooks, forgejo.org/docs/latest/user/webhooks,
support.atlassian.com/bitbucket-cloud/docs/manage-webhooks. Others send a fixed header.
"""

from __future__ import annotations

import hmac
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping

_OLDEST = 300.0  # seconds: GitLab's signature has a time in it

Headers = Mapping[str, str]


def is_proved(kind: str, secret: str, headers: Headers, body: bytes) -> bool:
    """Say whether a hook is signed, or opened, with `secret`; names of headers are lower case."""
    return _CHECKS.get(kind, _by_authorization)(secret, headers, body)


def _hex(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, "sha256").hexdigest()


def _same(given: str | None, wanted: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode(), wanted.encode())


def _by_hub_signature(name: str) -> Callable[[str, Headers, bytes], bool]:
    """`sha256=HEX`; one of SHA-1 is none."""

    def check(secret: str, headers: Headers, body: bytes) -> bool:
        return _same(headers.get(name), f"sha256={_hex(secret, body)}")

    return check


def _by_gitea(secret: str, headers: Headers, body: bytes) -> bool:
    given = headers.get("x-forgejo-signature") or headers.get("x-gitea-signature")
    return _same(given, _hex(secret, body))


def _by_gitlab(secret: str, headers: Headers, body: bytes) -> bool:
    """The signature where there is one (its secret is `whsec_BASE64`), else the fixed token."""
    signatures = headers.get("webhook-signature")
    if signatures is None:
        return _same(headers.get("x-gitlab-token"), secret)
    sent = headers.get("webhook-timestamp", "")
    if re.fullmatch("[0-9]{1,12}", sent) is None or abs(time.time() - int(sent)) > _OLDEST:
        return False
    try:
        key = b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    text = f"{headers.get('webhook-id', '')}.{sent}.".encode() + body
    wanted = "v1," + b64encode(hmac.new(key, text, "sha256").digest()).decode()
    return any(_same(one, wanted) for one in signatures.split(" "))


def _by_authorization(secret: str, headers: Headers, _body: bytes) -> bool:
    """`Bearer SECRET`, `Basic` with it as the password, or the whole header as it is configured."""
    given = headers.get("authorization")
    if given is None:
        return False
    scheme, _, rest = given.partition(" ")
    found = [given, rest]
    if scheme.lower() == "basic":
        try:
            found.append(b64decode(rest, validate=True).decode().partition(":")[2])
        except ValueError:
            return False
    return any(_same(one, secret) for one in found)


_CHECKS: Mapping[str, Callable[[str, Headers, bytes], bool]] = {
    "github": _by_hub_signature("x-hub-signature-256"),
    "bitbucket": _by_hub_signature("x-hub-signature"),
    "gitea": _by_gitea,
    "forgejo": _by_gitea,
    "gitlab": _by_gitlab,
}
