"""What a registry asks for when it answers 401, and the address that gives tokens.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from gitops.core.images.name import ImageName
from gitops.core.text.hosts import is_loopback

_PARAMETER = re.compile(r'([A-Za-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(r"\s*,?\s*(Bearer|Basic)\b", re.I)


class Challenge(Struct, frozen=True):
    """One `WWW-Authenticate` that we understand.

    Attributes:
        scheme: `bearer` or `basic`.
        error: why the token that was sent is not enough.
    """

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""
    error: str = ""


def read_challenge(header: str) -> Challenge | None:
    """Return what a header asks for; Bearer where there is a choice, None for neither."""
    found: dict[str, Challenge] = {}
    starts = list(_SCHEME.finditer(header))
    for start, following in zip(starts, [*starts[1:], None], strict=False):
        text = header[start.end() : following.start() if following else len(header)]
        words: Mapping[str, str] = {
            key.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
            for key, quoted, plain in _PARAMETER.findall(text)
        }
        scheme = start[1].lower()
        fields = {key: words.get(key, "") for key in ("realm", "service", "scope", "error")}
        found.setdefault(scheme, Challenge(scheme, **fields))
    return found.get("bearer") or found.get("basic")


def realm_problem(realm: str, api_host: str) -> str | None:
    """Return why no token may be fetched there, None when it may.

    Only TLS will do, except that a registry on this machine may send to this machine.
    """
    try:
        parts = urlsplit(realm)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is no URL"
    if not host or parts.username is not None or parts.fragment:
        return "it is no URL of a server"
    if parts.scheme == "https":
        return None
    if parts.scheme == "http" and is_loopback(parts.netloc) and is_loopback(api_host):
        return None
    return "it is not https"


def are_related(api_host: str, realm: str) -> bool:
    """Say whether the password for a registry may go where it sends for tokens.

    The same machine, or names that share their last two parts (`registry.gitlab.com` and
    `gitlab.com`, `registry-1.docker.io` and `auth.docker.io`).
    """
    theirs = (urlsplit(realm).hostname or "").lower()
    ours = (urlsplit(f"//{api_host}").hostname or "").lower()
    if ours == theirs or (is_loopback(api_host) and is_loopback(theirs)):
        return True
    if ours.replace(".", "").isdecimal():
        return False
    tail = ours.split(".")[-2:]
    return len(tail) == 2 and theirs.split(".")[-2:] == tail


def scope_for(name: ImageName, actions: str, asked: str) -> str:
    """Return the scope to ask for: what the registry says, where that is about this repository."""
    kind, _, rest = asked.partition(":")
    path, _, wanted = rest.rpartition(":")
    plain = re.fullmatch(r"[a-z*,]+", wanted) is not None
    if " " not in asked and kind == "repository" and path == name.path and plain:
        return asked
    return f"repository:{name.path}:{actions}"
