"""From a repository and its config to its forge: which one, with which token, by which library."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitops.adapters.gitrepo import GitRepository
from gitops.adapters.gitrepo.repository import open_repository
from gitops.adapters.gitrepo.signing import CommitSigner
from gitops.adapters.local.clock import SystemClock
from gitops.core.environments.environment import Config, ForgeKind
from gitops.core.forges.address import ForgeAddress, Unknown, locate, parse_remote
from gitops.core.forges.token import (
    ForgeToken,
    OwnToken,
    choose_token,
    how_to_give_a_token,
    own_token,
)
from gitops.errors import Denied, UsageError
from gitops.ports import Clock, GatedForge, NoForge

_ANY: tuple[ForgeKind, ...] = ("github", "gitlab", "gitea", "bitbucket", "azure-devops")


def open_forge(
    repository: GitRepository,
    config: Config,
    clock: Clock,
    budget: float,
    environ: Mapping[str, str],
    own: OwnToken | None = None,
) -> GatedForge | NoForge:
    """Return the forge of a repository, or why there are no pull requests.

    `own` is the token of whoever acts there in their own name, and goes nowhere but to the server
    that gave it; None: the one of the environment.

    A host that nobody knows is asked what it is, once, and only when there is a token that could go
    to it. `budget` is the seconds that one question or change may take.

    Raises Denied (gitops.yaml names a server that is not the repository's, `own` is of another
    one), NotFound (the library
    for it is not installed), Unavailable (the host cannot be asked).
    """
    remote = repository.remote_url()
    if remote is None:
        return NoForge()
    address = locate(config.forge, remote, environ)
    if isinstance(address, Unknown):
        if not _may_have_token(repository, address, environ):
            return NoForge(
                f"if {address.origin} is a forge, a token for it makes proposals pull requests"
            )
        address = _probed(address, environ)
        if address is None:
            return NoForge(f"no forge is known at {remote}: name it with `forge:` in gitops.yaml")
    if address is None:
        return NoForge()
    choice = choose_token(address, environ)
    token = choice.token if own is None else own_token(address, own)
    if token is None and own is not None:
        raise Denied(
            f"{address.name} must hear it from you, and you signed in at {own.server}",
            hint="approve it there",
        )
    token = token or _token_of_git(repository, address)
    if token is None:
        how = how_to_give_a_token(address, choice.passed_over)
        return NoForge(f"{address.name} has no token: {how}, and proposals become pull requests")
    return _opened(address, token, clock, budget, environ)


def app_credential(asked: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return what Git is answered, as its credential helper; {} where no GitHub App is for that.

    `asked` is Git's question: protocol, host and path.

    Raises UsageError without a path, and what `installation_token` raises.
    """
    url = f"{asked.get('protocol', '')}://{asked.get('host', '')}/{asked.get('path', '')}"
    address = locate(None, url if asked.get("path") else f"{url}owner/name", environ)
    if not isinstance(address, ForgeAddress) or address.kind != "github":
        return {}
    app = choose_token(address, environ).token
    if app is None or app.style != "app" or not address.origin.private:
        return {}
    if not asked.get("path"):
        raise UsageError(
            f"Git does not say which repository of {address.origin} it asks for",
            hint="git config --global credential.useHttpPath true",
        )
    from gitops.adapters.forges.github.app import USER, installation_token

    token = installation_token(address, app, SystemClock(), 30.0, environ)
    return {"username": USER, "password": token.secret}


def open_signer(
    repository: GitRepository, environ: Mapping[str, str], budget: float
) -> CommitSigner:
    """Return who makes and signs commits, as `GITOPS_SIGN` names them: `github-app`.

    Raises UsageError for anything else, and where the repository is not on GitHub or no App is
    given.
    """
    if environ.get("GITOPS_SIGN", "").strip() != "github-app":
        raise UsageError(
            "GITOPS_SIGN names nobody who signs", hint="GITOPS_SIGN=github-app, or leave it out"
        )
    address = locate(None, repository.remote_url() or "", environ)
    app = None
    if isinstance(address, ForgeAddress) and address.kind == "github":
        app = choose_token(address, environ).token
    if app is None or app.style != "app" or not isinstance(address, ForgeAddress):
        raise UsageError(
            "GITOPS_SIGN=github-app asks for a repository on GitHub, and for the App that signs",
            hint="set GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY",
        )
    from gitops.adapters.forges.github.signing import AppSigner

    return AppSigner(address, app, SystemClock(), budget, environ)


def _probed(where: Unknown, environ: Mapping[str, str]) -> ForgeAddress | None:
    from gitops.adapters.forges.transport.probe import probe

    kind = probe(where, environ)
    return None if kind is None else where.settled(kind)


def _may_have_token(repository: GitRepository, where: Unknown, environ: Mapping[str, str]) -> bool:
    for kind in _ANY:
        address = where.settled(kind)
        if address is not None and choose_token(address, environ).token is not None:
            return True
    return repository.web_credentials(str(where.origin), where.path) is not None


def _token_of_git(repository: GitRepository, address: ForgeAddress) -> ForgeToken | None:
    found = repository.web_credentials(str(address.origin), address.repository)
    if found is None:
        return None
    user, secret = found
    is_job = address.kind == "gitlab" and user == "gitlab-ci-token"
    return ForgeToken(secret, "Git's credentials", "job" if is_job else "basic", user)


def _opened(
    address: ForgeAddress,
    token: ForgeToken,
    clock: Clock,
    budget: float,
    environ: Mapping[str, str],
) -> GatedForge:
    if address.kind == "github":
        from gitops.adapters.forges.github import open_github

        return open_github(address, token, clock, budget, environ)
    if address.kind == "gitlab":
        from gitops.adapters.forges.gitlab import open_gitlab

        return open_gitlab(address, token, clock, budget, environ)
    if address.kind == "bitbucket":
        from gitops.adapters.forges.bitbucket import open_bitbucket

        return open_bitbucket(address, token, clock, budget, environ)
    if address.kind == "azure-devops":
        from gitops.adapters.forges.azure import open_azure

        return open_azure(address, token, clock, budget, environ)
    from gitops.adapters.forges.gitea import open_gitea

    return open_gitea(address, token, clock, budget, environ)


def forge_of_source(
    location: str, environ: Mapping[str, str]
) -> Callable[[str, Config], GatedForge | NoForge]:
    """Return what opens the forge of a source repository, by its URL.

    Only on the host of the repository at `location`: that one was named by the caller. A source is
    named by a file of the repository, and no token goes where only a file says so.
    """

    def forge(url: str, config: Config) -> GatedForge | NoForge:
        with (
            open_repository(location, environ=environ) as own,
            open_repository(url, environ=environ) as source,
        ):
            ours, theirs = parse_remote(own.remote_url() or ""), parse_remote(url)
            if ours is None or theirs is None or ours.origin != theirs.origin:
                return NoForge("it is not on the host of this repository, and no token goes there")
            return open_forge(source, config, SystemClock(), 60.0, environ)

    return forge
