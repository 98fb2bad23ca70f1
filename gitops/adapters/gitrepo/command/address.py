"""What `--repo` names: a URL, with its secrets taken out, or a path."""

from __future__ import annotations

import base64
import os
import re
from urllib.parse import unquote, urlsplit, urlunsplit

from msgspec import Struct

from gitops.adapters.gitrepo.command.process import Setting
from gitops.errors import UsageError

_HELPER = re.compile(r"[A-Za-z0-9+.-]+::")


class Address(Struct, frozen=True):
    """Where Git fetches from or pushes to.

    Attributes:
        url: URL or path without secrets, fit for arguments and messages.
        settings: Git configuration that carries the credentials instead.
        secrets: what must not appear in any text.
    """

    url: str
    settings: tuple[Setting, ...] = ()
    secrets: tuple[str, ...] = ()

    @property
    def ssh(self) -> bool:
        """True when git will start ssh."""
        return self.url.startswith(("ssh://", "git+ssh://")) or is_scp_like(self.url)


def is_scp_like(location: str) -> bool:
    """Return True for `host:path`: a colon before the first slash."""
    colon, slash = location.find(":"), location.find("/")
    return colon > 0 and (slash < 0 or colon < slash)


def is_url(location: str) -> bool:
    """Return True for a URL or `host:path`, False for a path; an existing path is a path.

    Raises UsageError for what Git would take for an option or for a command to run.
    """
    check_harmless(location)
    if "://" in location:
        return True
    return is_scp_like(location) and not os.path.exists(location)


def check_harmless(location: str) -> None:
    """Raise UsageError for what Git would take for an option or a command (`ext::`, `fd::`)."""
    if not location:
        raise UsageError("the repository is empty: give --repo a path or a URL")
    if location.startswith("-") or _HELPER.match(location):
        raise UsageError(
            f"{re.split('::', location)[0]!r} cannot start a repository's address",
            hint="use https://, ssh://, file:// or a path (./-name for a path with a dash)",
        )
    if any(ord(letter) < 32 for letter in location):
        raise UsageError("a repository's address cannot hold control characters")


def address(location: str) -> Address:
    """Take user and password out of a URL, and hand them to Git through its configuration.

    Sent with the first request, they also save the request that Git would lose to a 401.
    """
    check_harmless(location)
    if "://" not in location:
        return Address(location)
    try:
        parts = urlsplit(location)
        user, password, _ = parts.username, parts.password, parts.port
    except ValueError:
        raise UsageError(
            "the repository's address is not a URL",
            hint="as in https://git.example.com:8443/shop/manifests.git; a port is at most 65535",
        ) from None
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme not in ("http", "https"):
        if password is None:
            return Address(location)
        # ssh takes no password from a URL; it only would be seen by everybody.
        url = urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host))
        return Address(url, secrets=(password, unquote(password)))
    url = urlunsplit(parts._replace(netloc=host))
    if user is None:
        return Address(url)
    base = f"{parts.scheme}://{host}/"
    if password is None:
        # Possibly a token all the same; credential helpers are asked for its password.
        return Address(url, ((f"credential.{base}.username", unquote(user)),), (user,))
    pair = f"{unquote(user)}:{unquote(password)}"
    token = base64.b64encode(os.fsencode(pair)).decode()
    header = (f"http.{base}.extraHeader", f"Authorization: Basic {token}")
    # Git sends such a header to wherever a first redirect leads (seen with 2.39), so none is
    # followed.
    stay = (f"http.{base}.followRedirects", "false")
    return Address(url, (header, stay), (password, unquote(password), token))
