"""Which forge a repository is on: from `gitops.yaml`, a known host, or an answer to a question.

`gitops.yaml` comes from a repository, so it may say which kind of forge answers, but not send
anybody elsewhere: its `url` must be where the repository is, or where a variable of the caller's
says that the forge is. What the variables are called: docs/reference/forges.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from gitops.core.environments.environment import ForgeKind, ForgeSetting
from gitops.core.git.remote_url import find_remote_url
from gitops.core.text.hosts import is_loopback
from gitops.errors import Denied

_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")
_PORTS = {"http": 80, "https": 443}
_SEGMENT = re.compile(r"[^/\s\x00-\x1f\x7f%?#\\]+")

# Hosts that give SSH on another name than their pages.
_ALIASES = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
    "vs-ssh.visualstudio.com": "dev.azure.com",
}
_KNOWN: dict[str, ForgeKind] = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "codeberg.org": "forgejo",
    "gitea.com": "gitea",
    "bitbucket.org": "bitbucket",
    "dev.azure.com": "azure-devops",
    # A forge without an adapter: a proposal is a branch there, and nobody need ask.
    "git.sr.ht": "none",
}
_KNOWN_ENDS: dict[str, ForgeKind] = {".ghe.com": "github", ".visualstudio.com": "azure-devops"}
NAMES = {
    "github": "GitHub",
    "gitlab": "GitLab",
    "gitea": "Gitea",
    "forgejo": "Forgejo",
    "bitbucket": "Bitbucket",
    "azure-devops": "Azure DevOps",
}
"""What messages call each kind."""

SERVER_VARIABLES: dict[str, str] = {
    "github": "GITHUB_SERVER_URL",
    "gitlab": "GITLAB_HOST",
    "gitea": "GITEA_SERVER_URL",
    "forgejo": "GITEA_SERVER_URL",
    "bitbucket": "BITBUCKET_SERVER_URL",
    "azure-devops": "AZURE_DEVOPS_SERVER_URL",
}
"""Kind -> the variable with which a caller says where such a forge is."""


class WebOrigin(Struct, frozen=True):
    """Scheme, host and port of a server; two of them are the same server only when all agree."""

    scheme: Literal["http", "https"]
    host: str
    port: int

    def __str__(self) -> str:
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    @property
    def loopback(self) -> bool:
        """True for this machine: what is sent there is seen by nobody on the way."""
        return is_loopback(self.host)

    @property
    def private(self) -> bool:
        """True when a secret may be sent there without being read on the way."""
        return self.scheme == "https" or self.loopback


class RemoteAddress(Struct, frozen=True):
    """The remote of a repository, as far as a forge can be behind it.

    Attributes:
        host: in lower case.
        origin: of its web server: known for an http(s) remote, the usual one for the others.
        exact: True when `origin` is what Git itself talks to.
        path: of the repository, without `.git` and slashes at the ends.
    """

    host: str
    origin: WebOrigin
    exact: bool
    path: str


class ForgeAddress(Struct, frozen=True):
    """Where a forge keeps a repository.

    Attributes:
        url: of its pages, without a slash at the end.
        repository: `owner/name`; on GitLab with all of its groups; on Azure DevOps
            `organisation/project/name`, where the first may be several parts or none.
    """

    kind: ForgeKind
    url: str
    repository: str

    @property
    def origin(self) -> WebOrigin:
        """The server that is talked to about it (GitHub's API has a host of its own)."""
        return _parse_origin(self.url)

    @property
    def name(self) -> str:
        """What messages call it: `Gitea at git.example.com, shop/manifests`."""
        where = self.url.partition("://")[2]
        return f"{NAMES[self.kind]} at {where}, {self.repository}"

    @property
    def api_url(self) -> str:
        """Where its API is, without a slash at the end."""
        host = self.origin.host
        if self.kind == "gitlab":
            return f"{self.url}/api/v4"
        if self.kind == "azure-devops":
            return self.url
        if self.kind == "bitbucket":
            cloud = host == "bitbucket.org"
            return "https://api.bitbucket.org/2.0" if cloud else f"{self.url}/rest"
        if self.kind != "github":
            return f"{self.url}/api/v1"
        if host == "github.com" or host.endswith(".ghe.com"):
            return f"https://api.{host}"
        return f"{self.url}/api/v3"


class Unknown(Struct, frozen=True):
    """Nobody knows yet: `origin`, which has the repository, must be asked."""

    origin: WebOrigin
    exact: bool
    path: str

    def settled(self, kind: ForgeKind) -> ForgeAddress | None:
        """Return the address, now that `kind` is known."""
        return _address(kind, str(self.origin), self.path)


def parse_remote(url: str) -> RemoteAddress | None:
    """Return the parts of a remote's URL; None for a path, `file://`, and what has no host.

    `https://`, `ssh://` and `git@host:path` are understood; user and password are left out.
    """
    remote = find_remote_url(url)
    if remote is None:
        return None
    host = remote.host
    host = _ALIASES.get(host, host.removeprefix("www.") if host == "www.github.com" else host)
    if not _HOST.fullmatch(host):
        return None
    if remote.scheme not in _PORTS:
        return RemoteAddress(host, WebOrigin("https", host, 443), False, remote.path)
    web: Literal["http", "https"] = "https" if remote.scheme == "https" else "http"
    return RemoteAddress(host, WebOrigin(web, host, remote.port or _PORTS[web]), True, remote.path)


def locate(
    setting: ForgeSetting | None, remote_url: str, environ: Mapping[str, str]
) -> ForgeAddress | Unknown | None:
    """Say which forge has the repository at `remote_url`, without asking anybody.

    Args:
        setting: `forge:` of gitops.yaml, None where it says nothing.
        environ: the caller's environment; only what names servers is read.

    Returns None where there is no forge (`kind: none`, a path, a host without one).
    Raises Denied when gitops.yaml names a server that is not the repository's.
    """
    if setting is not None and setting.kind == "none":
        return None
    remote = parse_remote(remote_url)
    if remote is None:
        return None
    if setting is None:
        known = _known_kind(remote.host)
        kind = known or _declared_kind(remote, environ)
        if kind is None:
            return Unknown(remote.origin, remote.exact, remote.path)
        if kind == "none":
            return None
        # What everybody knows is never talked to in the clear, whatever the remote says.
        url = f"https://{remote.host}" if known else str(remote.origin)
        return _address(kind, url, remote.path)
    url = (setting.url or str(remote.origin)).rstrip("/")
    _check_place(url, setting.kind, remote, environ)
    return _address(setting.kind, url, remote.path)


def declared_servers(kind: ForgeKind, environ: Mapping[str, str]) -> dict[str, WebOrigin]:
    """Return variable -> server that the caller's environment names for forges of `kind`."""
    in_gitea = bool(environ.get("GITEA_ACTIONS") or environ.get("FORGEJO_ACTIONS"))
    names: tuple[str, ...] = ()
    if kind == "github":
        names = () if in_gitea else ("GITHUB_SERVER_URL",)
    elif kind == "gitlab":
        names = ("GITLAB_HOST", "CI_SERVER_URL", "CI_SERVER_HOST")
    elif kind == "bitbucket":
        names = ("BITBUCKET_SERVER_URL",)
    elif kind == "azure-devops":
        names = ("AZURE_DEVOPS_SERVER_URL", "SYSTEM_COLLECTIONURI")
    elif kind != "none":
        # Their runners speak with GitHub's words.
        names = ("GITEA_SERVER_URL", *(("GITHUB_SERVER_URL",) if in_gitea else ()))
    found = {}
    for name in names:
        text = environ.get(name, "").strip()
        if text:
            origin = origin_of(text if "://" in text else f"https://{text}")
            if origin is not None:
                found[name] = origin
    return found


def _known_kind(host: str) -> ForgeKind | None:
    """What everybody knows of a host."""
    ends = (kind for end, kind in _KNOWN_ENDS.items() if host.endswith(end))
    return _KNOWN.get(host) or next(ends, None)


def _declared_kind(remote: RemoteAddress, environ: Mapping[str, str]) -> ForgeKind | None:
    """A job that runs on a forge knows what its own host is, and so may a person."""
    kinds: tuple[ForgeKind, ...] = ("github", "gitlab", "gitea", "bitbucket", "azure-devops")
    for kind in kinds:
        servers = declared_servers(kind, environ).values()
        if any(_same_place(origin, remote) for origin in servers):
            return kind
    return None


def _same_place(origin: WebOrigin, remote: RemoteAddress) -> bool:
    return origin == remote.origin if remote.exact else origin.host == remote.host


def _check_place(
    url: str, kind: ForgeKind, remote: RemoteAddress, environ: Mapping[str, str]
) -> None:
    """Raise Denied for a server that only gitops.yaml says is the forge of this repository."""
    origin = _parse_origin(url)
    if _same_place(origin, remote) and (origin.private or remote.exact):
        return
    declared = declared_servers(kind, environ)
    if origin in declared.values():
        return
    if origin.host == remote.host and not origin.private:
        raise Denied(
            f"gitops.yaml names {origin} as the forge: a token would be readable on its way",
            hint="use https:// in forge.url",
        )
    raise Denied(
        f"gitops.yaml says that the forge is at {origin}, but the repository is on {remote.host}",
        hint=f"if that is right, say so yourself: {SERVER_VARIABLES[kind]}={origin}",
    )


def _address(kind: ForgeKind, url: str, path: str) -> ForgeAddress | None:
    """Return the address; None when the path cannot be a repository of such a forge."""
    below = urlsplit(url).path.strip("/")
    if below and path.startswith(f"{below}/"):
        path = path.removeprefix(f"{below}/")
    parts = path.split("/")
    if kind == "azure-devops":
        parts = _azure_parts(parts, _parse_origin(url).host)
    elif kind == "bitbucket" and parts[0] == "scm":  # Data Center's way to Git over HTTP
        parts = parts[1:]
    if not all(_is_part(part, kind) and part not in (".", "..") for part in parts):
        return None
    if len(parts) < 2 or (kind not in ("gitlab", "azure-devops") and len(parts) > 2):
        return None
    return ForgeAddress(kind, url, "/".join(parts))


def _azure_parts(parts: list[str], host: str) -> list[str]:
    """Return organisation, project and name of `org/project/_git/name`, `v3/org/project/name`.

    A host may be the organisation's own. The project of `org/_git/name` is called as the
    repository. Blanks of names come as `%20`. Empty for what is none of these.
    """
    parts = [unquote(part) for part in parts]
    if "_git" not in parts:
        return parts[1:] if len(parts) == 4 and parts[0] in ("v2", "v3") else []
    place = parts.index("_git")
    above, below = parts[:place], [one for one in parts[place + 1 :] if one != "_full"]
    if len(below) != 1:
        return []
    if host.endswith(".visualstudio.com"):
        above = [one for one in above if one != "DefaultCollection"]
        return [*(above or below), *below] if len(above) < 2 else []
    organisation = 2 if above[:1] == ["tfs"] else 1
    return [*above, *below] if len(above) > organisation else [*above, *below, *below]


def _is_part(part: str, kind: ForgeKind) -> bool:
    """Can it be a part of a repository's path? Only Azure DevOps lets a name have blanks."""
    return bool(_SEGMENT.fullmatch(part.replace(" ", "_") if kind == "azure-devops" else part))


def origin_of(url: str) -> WebOrigin | None:
    """Return the server of a URL, None where that is no http(s)."""
    try:
        return _parse_origin(url)
    except ValueError:
        return None


def _parse_origin(url: str) -> WebOrigin:
    """Raises ValueError for what is no http(s) URL."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().rstrip(".")
    host = f"[{host}]" if ":" in host else host
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host):
        raise ValueError(f"{parts.scheme} is not the scheme of a web page")
    web: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    return WebOrigin(web, host, parts.port or _PORTS[parts.scheme])
