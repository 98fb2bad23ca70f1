"""Which token may go to which forge: only to the host that it is for.

A variable that names a server (`GITHUB_SERVER_URL`, `CI_SERVER_URL`, `GITLAB_HOST`,
`GITEA_SERVER_URL` and their likes) says where its token belongs. Without one, `GITHUB_TOKEN`
belongs to github.com, and the others go to the repository's own host, which the caller named, and
never to one that only a file of the repository names (`gitops.core.forges.address.locate` sees to
that).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from gitops.core.environments.environment import ForgeKind
from gitops.core.forges.address import (
    SERVER_VARIABLES,
    ForgeAddress,
    WebOrigin,
    declared_servers,
    origin_of,
)

VARIABLES = (
    *("GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"),
    *("GITHUB_TOKEN", "GITHUB_SERVER_URL", "GITLAB_TOKEN", "GITLAB_HOST", "CI_JOB_TOKEN"),
    *("CI_SERVER_URL", "CI_SERVER_HOST", "GITEA_TOKEN", "GITEA_SERVER_URL"),
    *("BITBUCKET_TOKEN", "BITBUCKET_SERVER_URL", "AZURE_DEVOPS_TOKEN", "AZURE_DEVOPS_EXT_PAT"),
    *("AZURE_DEVOPS_SERVER_URL", "SYSTEM_ACCESSTOKEN", "SYSTEM_COLLECTIONURI"),
)
"""What is read of the environment, here and in `forge_address`; for the reference page."""

_GITHUB = WebOrigin("https", "github.com", 443)
_OF_JOBS = ("CI_JOB_TOKEN", "SYSTEM_ACCESSTOKEN")


class ForgeToken(Struct, frozen=True):
    """A credential; nothing that prints this value shows the secret.

    Attributes:
        source: where it came from, for messages (`GITEA_TOKEN`, `Git's credential helper`).
        style: `token`, `job` (GitLab's CI_JOB_TOKEN, Azure DevOps' SYSTEM_ACCESSTOKEN), or `basic`
            (user and password), or `app` (a GitHub App: `user` is its id, `secret` its private key,
            which a token is asked for with).
    """

    secret: str
    source: str
    style: Literal["token", "job", "basic", "app"] = "token"
    user: str = ""

    def __repr__(self) -> str:
        return f"Token(source={self.source!r}, style={self.style!r})"


class OwnToken(Struct, frozen=True):
    """The token that a person got where they signed in.

    Attributes:
        server: the address of that server: to no other does the token go.
    """

    secret: str
    server: str

    def __repr__(self) -> str:
        return f"OwnToken(server={self.server!r})"


class TokenChoice(Struct, frozen=True):
    """The token for a forge, None when no variable has one for it.

    Attributes:
        passed_over: variables that are set but belong elsewhere, each with where: for messages.
    """

    token: ForgeToken | None
    passed_over: tuple[str, ...] = ()


def choose_token(address: ForgeAddress, environ: Mapping[str, str]) -> TokenChoice:
    """Return the token of the environment that may go to `address`."""
    passed_over = []
    if address.kind == "github" and (app := _app(environ)) is not None:
        homes = _homes("GITHUB_TOKEN", address.kind, environ)
        if homes is not None and address.origin in homes:
            return TokenChoice(app)
        where = " or ".join(str(home) for home in homes or ()) or "no server that is named"
        passed_over.append(f"{app.source} is for {where}")
    for name in _variables(address.kind):
        secret = environ.get(name, "").strip()
        if not secret or not secret.isprintable():
            continue
        homes = _homes(name, address.kind, environ)
        if homes is None or address.origin in homes:
            return TokenChoice(ForgeToken(secret, name, "job" if name in _OF_JOBS else "token"))
        where = " or ".join(str(home) for home in homes) or "no server that is named"
        passed_over.append(f"{name} is for {where}")
    return TokenChoice(None, tuple(passed_over))


def own_token(address: ForgeAddress, own: OwnToken) -> ForgeToken | None:
    """Return a person's own token for `address`, None where they signed in somewhere else."""
    if origin_of(own.server) != address.origin:
        return None
    return ForgeToken(own.secret, "their own sign-in")


def how_to_give_a_token(address: ForgeAddress, passed_over: tuple[str, ...] = ()) -> str:
    """Return the hint for somebody whose token is missing or not enough."""
    name = _variables(address.kind)[0]
    hint = f"set {name}, or store a token for {address.origin} in Git's credential helper"
    if passed_over:
        server = SERVER_VARIABLES[address.kind]
        hint = f"{'; '.join(passed_over)}: if it is for {address.origin}, set {server} to that"
    return hint


def _app(environ: Mapping[str, str]) -> ForgeToken | None:
    """Return what a GitHub App proves itself by; `\\n` in the key is taken for an end of line."""
    number = environ.get("GITHUB_APP_ID", "").strip()
    key = environ.get("GITHUB_APP_PRIVATE_KEY", "").replace("\\n", "\n").strip()
    if not number or "PRIVATE KEY" not in key or not number.isprintable():
        return None
    return ForgeToken(f"{key}\n", "GITHUB_APP_ID", "app", number)


def _variables(kind: ForgeKind) -> tuple[str, ...]:
    if kind == "github":
        return ("GITHUB_TOKEN",)
    if kind == "gitlab":
        return ("GITLAB_TOKEN", "CI_JOB_TOKEN")
    if kind == "bitbucket":
        return ("BITBUCKET_TOKEN",)
    if kind == "azure-devops":
        return ("AZURE_DEVOPS_TOKEN", "AZURE_DEVOPS_EXT_PAT", "SYSTEM_ACCESSTOKEN")
    return ("GITEA_TOKEN", "GITHUB_TOKEN")


def _homes(name: str, kind: ForgeKind, environ: Mapping[str, str]) -> tuple[WebOrigin, ...] | None:
    """Return the servers that a variable's token is for; None: the repository's own."""
    declared = declared_servers(kind, environ)
    if name == "GITHUB_TOKEN":
        named = declared.get("GITHUB_SERVER_URL")
        if named is not None:
            return (named,)
        return (_GITHUB,) if kind == "github" and not _elsewhere(environ) else ()
    if name in _OF_JOBS:
        own = ("CI_SERVER_", "SYSTEM_")
        return tuple(origin for variable, origin in declared.items() if variable.startswith(own))
    # The caller's own word comes before what the CI system says of itself.
    first = next(iter(declared.values()), None)
    return None if first is None else (first,)


def _elsewhere(environ: Mapping[str, str]) -> bool:
    """True in a job of a forge that speaks with GitHub's words but is not GitHub."""
    return bool(environ.get("GITEA_ACTIONS") or environ.get("FORGEJO_ACTIONS"))
