"""The one parser of repository addresses, and one name for one repository.

Forges, links of pages and Applications all read addresses here, so that what is recognised for one
is recognised for all.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from gitops.errors import UsageError

_PORTS = {"http": 80, "https": 443, "ssh": 22, "git+ssh": 22, "ssh+git": 22, "git": 9418}
_SCP_LIKE = re.compile(r"(?:[^@/]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/@\[\]]+):(?P<path>(?!:|//).+)")


class RemoteUrl(Struct, frozen=True):
    """The address of a repository in its parts, without user and password.

    Attributes:
        scheme: as it is spelled; `ssh` for `git@host:path`, `file` for a path of this machine.
        host: in lower case, without a dot at the end, IPv6 in brackets; empty for a path.
        port: as given, else the scheme's own; None for `git@host:path` and a path.
        path: decoded, without slashes at its ends, doubled slashes and a trailing `.git`.
    """

    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def other_port(self) -> int | None:
        """The port, where it is not the scheme's own."""
        return None if self.port == _PORTS.get(self.scheme) else self.port


def parse_remote_url(url: str) -> RemoteUrl:
    """Return the parts of a URL, of `git@host:path`, or of an absolute path.

    Raises UsageError for what names no repository for everybody (a relative path, nothing, a
    scheme that Git does not share repositories by).
    """
    text = url.strip()
    if text.startswith("/"):
        return RemoteUrl("file", "", None, _tidy(text))
    if "://" in text:
        return _from_url(text)
    found = _SCP_LIKE.fullmatch(text)
    if found is None:
        raise UsageError("the repository is neither a URL nor an absolute path")
    return _remote("ssh", found["host"], None, found["path"])


def find_remote_url(url: str) -> RemoteUrl | None:
    """Return what `parse_remote_url` does, None in place of an error."""
    try:
        return parse_remote_url(url)
    except UsageError:
        return None


def normalised_repository(url: str) -> str:
    """Return `host/path` in one spelling: `git.example.com/shop/manifests`.

    User, password, scheme, a port that is the scheme's own, a trailing `.git` or slash and the
    case of the host make no difference; `ssh://`, `https://` and `git@host:path` agree. Another
    port is kept (`host:2222/path`), since another server may answer there. A path on this machine
    (also as `file://`) becomes `file:/path`.

    Raises UsageError as `parse_remote_url` does.
    """
    remote = parse_remote_url(url)
    if remote.scheme == "file":
        return f"file:/{remote.path}"
    port = "" if remote.other_port is None else f":{remote.other_port}"
    return f"{remote.host}{port}/{remote.path}"


def _from_url(text: str) -> RemoteUrl:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError("the URL of the repository cannot be read") from error
    if parts.scheme == "file":
        return RemoteUrl("file", "", None, _tidy(unquote(parts.path)))
    if parts.scheme not in _PORTS or not parts.hostname:
        raise UsageError(f"a repository at {parts.scheme or 'no'}:// has no name that others share")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = _PORTS[parts.scheme] if port is None else port
    return _remote(parts.scheme, host, port, unquote(parts.path))


def _remote(scheme: str, host: str, port: int | None, path: str) -> RemoteUrl:
    tidy = _tidy(path)
    if not tidy:
        raise UsageError("the URL of the repository has no path")
    return RemoteUrl(scheme, host.rstrip(".").lower(), port, tidy)


def _tidy(path: str) -> str:
    return re.sub(r"/+", "/", path).strip("/").removesuffix(".git").rstrip("/")
