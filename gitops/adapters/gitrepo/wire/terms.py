"""Whether a remote may be spoken to in process, and what goes along: the caller's own settings.

Git has many settings for HTTP. Those that are understood here are honoured; with any other one,
with a proxy, a certificate of one's own, a rewritten address or a trace that somebody wants to see,
git speaks itself, as it does with every server that answers in an unexpected way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from gitops.adapters.gitrepo.command.settings import SettingLine, is_true
from gitops.adapters.gitrepo.wire.http import HttpServer

if TYPE_CHECKING:
    import ssl

_PORTS = {"http": 80, "https": 443}
# These change nothing of what is asked or believed.
_IDLE = frozenset(
    {"postbuffer", "lowspeedlimit", "lowspeedtime", "maxrequests", "minsessions", "followredirects"}
)
_AUTHORITIES = "GIT_SSL_CAINFO"
_VARIABLES = re.compile(
    r"GIT_(SSL|HTTP|PROXY|TRACE|CURL|REDIRECT|ALLOW_PROTOCOL|PROTOCOL)\w*", re.DOTALL
)
# Settings of other kinds that change what a fetch or a push is.
_OTHERS = re.compile(
    r"(transfer|fetch|receive)\.fsckobjects|push\.(gpgsign|pushoption)|core\.gitproxy"
    r"|remote\..*\.(proxy|proxyauthmethod)",
    re.DOTALL,
)


class Terms(Struct, frozen=True):
    """How one remote is spoken to.

    Attributes:
        base: the path of the repository on its server, without a slash at its end.
        headers: extra ones, whole lines.
        authorised: one of them says who asks.
        origin: scheme, host and port, as a URL.
    """

    server: HttpServer
    origin: str
    base: str
    host: str
    headers: tuple[str, ...]
    authorised: bool


def find_terms(url: str, lines: Sequence[SettingLine], environ: Mapping[str, str]) -> Terms | None:
    """Return how `url` is spoken to; None: git does it.

    Args:
        lines: Git's configuration as it holds for the remote, in order of precedence.
        environ: what git is run with.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or parts.username or parts.query or parts.fragment:
        return None
    host = parts.hostname or ""
    plain = re.fullmatch(r"[a-z0-9.\-]+|[0-9a-f:]+", host) and "%" not in parts.path
    if not plain or not re.fullmatch(r"/[\x21-\x7e]*", parts.path):
        return None
    clear = parts.scheme == "http"
    if any(environ[name] for name in environ if _speaks(name, clear=clear)):
        return None
    if _proxied(parts.scheme, host, environ) or any(_hinders(line, url) for line in lines):
        return None
    found = _http_settings(url, lines)
    if found is None:
        return None
    headers, file = found
    file = environ.get(_AUTHORITIES) or file
    port = parts.port or _PORTS[parts.scheme]
    tls = (lambda: _context(file)) if parts.scheme == "https" else None
    return Terms(
        server=HttpServer(host, port, tls),
        origin=f"{parts.scheme}://{parts.netloc}",
        base=parts.path.rstrip("/"),
        host=parts.netloc,
        headers=headers,
        authorised=any(one.lower().startswith("authorization:") for one in headers),
    )


def _speaks(variable: str, *, clear: bool) -> bool:
    """Say whether a variable of the environment tells git something that only git understands."""
    about_tls = variable.startswith("GIT_SSL_")
    known = variable == _AUTHORITIES or (about_tls and clear)
    return _VARIABLES.fullmatch(variable) is not None and not known


def _proxied(scheme: str, host: str, environ: Mapping[str, str]) -> bool:
    """Say whether libcurl would ask a proxy. It does not read HTTP_PROXY in capitals."""
    names = [f"{scheme}_proxy", "all_proxy", "ALL_PROXY"]
    names += ["HTTPS_PROXY"] if scheme == "https" else []
    if not any(environ.get(name) for name in names):
        return False
    spared = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for one in filter(None, (word.strip().lower() for word in re.split(r"[,\s]+", spared))):
        if one == "*" or host == one.lstrip(".") or host.endswith(f".{one.lstrip('.')}"):
            return False
    return True


def _hinders(line: SettingLine, url: str) -> bool:
    key = line.key
    if key.startswith("url."):
        return key.endswith("insteadof") and url.startswith(line.value)
    if key.startswith("protocol."):
        version = key == "protocol.version" and line.value == "2"
        return not version and not key.startswith(("protocol.file.", "protocol.ext."))
    return _OTHERS.fullmatch(key) is not None and line.value.lower() not in ("false", "no", "")


def _http_settings(
    url: str, lines: Sequence[SettingLine]
) -> tuple[tuple[str, ...], str | None] | None:
    """Return the extra headers and the file of trusted authorities; None: there is more."""
    headers: list[str] = []
    file: str | None = None
    for name, value in _closest(url, lines):
        if name == "extraheader":
            headers = [*headers, value] if value else []
        elif name == "sslcainfo":
            file = os.path.expanduser(value)
        elif name not in _IDLE and not (name == "sslverify" and is_true(value)):
            return None
    if any(re.search(r"[^\x20-\x7e\t]", one) for one in headers):
        return None
    return tuple(headers), file


def _closest(url: str, lines: Sequence[SettingLine]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each `http.*` setting that git heeds for `url`.

    What is for a closer address holds, wherever it stands. A pattern, or a person in an address, is
    told as a setting that nobody knows.
    """
    closest: dict[str, int] = {}
    for line in lines:
        if not line.key.startswith("http."):
            continue
        where, _, name = line.key[len("http.") :].rpartition(".")
        rank = _rank(where, url) if where else -1
        if rank is None:
            yield "", line.value
        elif rank >= closest.get(name, -1):
            closest[name] = rank
            yield name, line.value


def _rank(where: str, url: str) -> int | None:
    """Return how closely the address `where` names `url`, -2 where it does not, None: unknown."""
    if "*" in where or "@" in where or "%" in where:
        return None
    try:
        one, other = urlsplit(where), urlsplit(url)
        same = (one.scheme, one.hostname, one.port or _PORTS.get(one.scheme)) == (
            other.scheme,
            other.hostname,
            other.port or _PORTS.get(other.scheme),
        )
    except ValueError:
        return None
    path = one.path.rstrip("/")
    holds = same and (other.path == path or other.path.startswith(f"{path}/"))
    return len(path) if holds else -2


def _context(file: str | None) -> ssl.SSLContext:
    import ssl

    return ssl.create_default_context(cafile=file)
