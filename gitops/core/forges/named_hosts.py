"""Which servers the caller named, so that their credentials may go there.

Where images are built is said by `gitops.yaml`, a file that many may write: a server that only it
names gets no credentials of the caller's. Named are the server that the manifests are on, those in
`GITOPS_SOURCE_HOSTS`, and those that the caller's own Git configuration has credentials, transport
settings or another address for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from gitops.core.forges.address import parse_remote
from gitops.core.git.remote_url import RemoteUrl, find_remote_url
from gitops.core.text.hosts import is_loopback
from gitops.errors import UsageError

VARIABLE: Final = "GITOPS_SOURCE_HOSTS"
_PLAIN = ("http", "git")
_SECTIONS = ("credential.", "http.")
_REWRITES = (".insteadof", ".pushinsteadof")


class NamedHost(Struct, frozen=True):
    """A server that the caller allows.

    Attributes:
        scheme: None for all that nobody on the way can read.
        port: None for every port.
    """

    scheme: str | None
    host: str
    port: int | None

    def fits(self, url: RemoteUrl) -> bool:
        """Is a repository on this server?"""
        if self.host != url.host or self.port not in (None, url.port):
            return False
        if self.scheme is not None:
            return self.scheme == url.scheme
        return url.scheme not in _PLAIN or is_loopback(url.host)


def is_plain(url: str) -> bool:
    """Return True for an address that is read in the clear by everybody on the way there."""
    remote = find_remote_url(url)
    return remote is not None and remote.scheme in _PLAIN and not is_loopback(remote.host)


def parse_named_hosts(text: str) -> tuple[NamedHost, ...]:
    """Read `GITOPS_SOURCE_HOSTS`: hosts, with a port or a scheme where one is meant.

    `git.example.com` is every port of it, over HTTPS and SSH; plain HTTP only goes where it is
    spelled out (`http://git.local:3000`), and to this machine. Commas and spaces part entries.

    Raises UsageError for what is no host.
    """
    return tuple(_named_host(word) for word in text.replace(",", " ").split())


def _named_host(word: str) -> NamedHost:
    try:
        parts = urlsplit(word if "://" in word else f"//{word}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.path.strip("/") or parts.query or "@" in parts.netloc or "*" in host:
        raise UsageError(
            f"{VARIABLE}: {word.rpartition('@')[2]!r} is no host",
            hint=f"{VARIABLE}=git.example.com, or with a port or scheme: http://git.local:3000",
        )
    host = f"[{host}]" if ":" in host else host
    return NamedHost(parts.scheme or None, host.lower().rstrip("."), port)


def is_named(
    url: str,
    home: str | None,
    hosts: Iterable[NamedHost],
    settings: Iterable[tuple[str, str]] = (),
) -> bool:
    """Say whether the caller named the server of a source repository.

    Args:
        url: of the source repository.
        home: where the manifests are, which the caller said.
        settings: keys and values of the caller's own Git configuration.

    A path of this machine has no server, and counts as named.
    """
    remote = find_remote_url(url)
    if remote is None:
        return "://" not in url
    if remote.scheme == "file" or any(one.fits(remote) for one in hosts):
        return True
    return _is_home(url, home) or any(_names(key, value, url) for key, value in settings)


def is_here(url: str) -> bool:
    """Return True for a repository on this machine's disks: a path, or `file://`."""
    remote = find_remote_url(url)
    return ("://" not in url and remote is None) or (remote is not None and remote.scheme == "file")


def may_be_here(home: str | None, hosts: Iterable[NamedHost]) -> bool:
    """Say whether source repositories may be on this machine's disks.

    They may where the manifests are on this machine, too, or the caller named it. Git serves such a
    repository with the configuration that lies in it, as the caller: elsewhere a file that many may
    write would choose one.
    """
    if home is None or is_here(home):
        return True
    remote = find_remote_url(home)
    if remote is not None and is_loopback(remote.host):
        return True
    return any(is_loopback(one.host) for one in hosts)


def how_to_name(url: str) -> str:
    """Return the setting that allows the server of `url`."""
    remote = find_remote_url(url)
    if remote is None:
        return VARIABLE
    scheme = f"{remote.scheme}://" if remote.scheme in _PLAIN else ""
    port = "" if remote.other_port is None else f":{remote.other_port}"
    return f"{VARIABLE}={scheme}{remote.host}{port}"


def _is_home(url: str, home: str | None) -> bool:
    ours, theirs = parse_remote(home or ""), parse_remote(url)
    if ours is None or theirs is None:
        return False
    # An SSH remote stands for the usual web server of its host, as it does for forges.
    plain = not theirs.origin.private and not ours.exact
    return ours.origin == theirs.origin and not plain


def _names(key: str, value: str, url: str) -> bool:
    lower = key.lower()
    if lower.startswith("url.") and lower.endswith(_REWRITES):
        return bool(value) and _has_host(value) and url.startswith(value)
    section = next((one for one in _SECTIONS if lower.startswith(one)), None)
    if section is None or "." not in key[len(section) :]:
        return False
    where = key[len(section) :].rpartition(".")[0]
    named, remote = find_remote_url(f"{where.rstrip('/')}/x"), find_remote_url(url)
    if named is None or remote is None:
        return False
    same_server = (named.scheme, named.port) == (remote.scheme, remote.port)
    return same_server and named.host == remote.host


def _has_host(prefix: str) -> bool:
    """Does the start of an address name a whole host (`https://` alone names none)?"""
    after = prefix.partition("://")[2]
    return "/" in after or ":" in prefix.partition("://")[0]
