"""One name for one repository, however its URL is spelled."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from gitops.errors import UsageError

_PORTS = {"http": 80, "https": 443, "ssh": 22, "git+ssh": 22, "ssh+git": 22, "git": 9418}
_SCP_LIKE = re.compile(r"(?:[^@/]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/@\[\]]+):(?P<path>(?!:|//).+)")


def normalised_repository(url: str) -> str:
    """Return `host/path` in one spelling: `git.example.com/shop/manifests`.

    User, password, scheme, a port that is the scheme's own, a trailing `.git` or slash and the
    case of the host make no difference; `ssh://`, `https://` and `git@host:path` agree. Another
    port is kept (`host:2222/path`), since another server may answer there. A path on this machine
    (also as `file://`) becomes `file:/path`.

    Raises UsageError for what names no repository for everybody (a relative path, nothing).
    """
    text = url.strip()
    if text.startswith("/"):
        return _local(text)
    if "://" in text:
        return _from_url(text)
    found = _SCP_LIKE.fullmatch(text)
    if found is None:
        raise UsageError("the repository is neither a URL nor an absolute path")
    return _join(found["host"], _path(found["path"]))


def _from_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError("the URL of the repository cannot be read") from error
    if parts.scheme == "file":
        return _local(unquote(parts.path))
    if parts.scheme not in _PORTS or not parts.hostname:
        raise UsageError(f"a repository at {parts.scheme or 'no'}:// has no name that others share")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _PORTS[parts.scheme]:
        host = f"{host.rstrip('.')}:{port}"
    return _join(host, _path(unquote(parts.path)))


def _local(path: str) -> str:
    return f"file:/{_path(path)}"


def _join(host: str, path: str) -> str:
    if not path:
        raise UsageError("the URL of the repository has no path")
    return f"{host.rstrip('.').lower()}/{path}"


def _path(path: str) -> str:
    return re.sub(r"/+", "/", path).strip("/").removesuffix(".git").rstrip("/")
