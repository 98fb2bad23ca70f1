"""The real services as worlds of the contract test, where somebody names a scratch repository.

For each of GITHUB, GITLAB and GITEA (Forgejo too), in place of X:

    GITOPS_LIVE_X               owner/name of a repository that may be littered
    GITOPS_LIVE_X_URL           of the server; left out: github.com, gitlab.com
    GITOPS_LIVE_X_TOKEN         of an account that may write: the CI system's
    GITOPS_LIVE_X_OWNER_TOKEN   of an account that administrates the repository
    GITOPS_LIVE_X_SECOND_TOKEN  of a third account that may write: it approves

Then `scripts/test tests/ports/test_forge_contract.py -k live`.
Every test works on branches of its own, `gitops-test/…`. Branches, pull requests, labels and rules
stay there. On GitLab the tests of approvals need Premium, and change settings of the project.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from forges import gitea_world, github_world, gitlab_world
from forges.asking import ask
from forges.hands import RemoteHands
from forges.worlds import People, ProxyFaults, World
from gitops.adapters.forges.gitea import open_gitea
from gitops.adapters.forges.github import open_github
from gitops.adapters.forges.gitlab import open_gitlab
from gitops.adapters.local.clock import SystemClock
from gitops.core.environments.environment import ForgeKind
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.ports import GatedForge
from servers.fault_proxy import FaultProxy

PREFIX = "GITOPS_LIVE_"
URLS = {"github": "https://github.com", "gitlab": "https://gitlab.com"}
KINDS: tuple[ForgeKind, ...] = ("github", "gitlab", "gitea")
NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def named(environ: Mapping[str, str]) -> tuple[ForgeKind, ...]:
    """Return the forges that somebody named a scratch repository for."""
    return tuple(kind for kind in KINDS if environ.get(PREFIX + kind.upper()))


def network(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what says how the network is reached."""
    return {name: value for name, value in environ.items() if name.upper() in NETWORK}


@contextmanager
def live_world(kind: ForgeKind, environ: Mapping[str, str], folder: Path) -> Iterator[World]:
    """Yield two branches of one's own in a repository on a real service."""

    def setting(name: str = "", default: str = "") -> str:
        return environ.get(f"{PREFIX}{kind.upper()}{name}", default)

    repository = setting()
    url = setting("_URL", URLS.get(kind, "")).rstrip("/")
    tokens = {who: setting(f"_{who}TOKEN") for who in ("", "OWNER_", "SECOND_")}
    assert url, f"{PREFIX}{kind.upper()}_URL is missing"
    assert all(tokens.values()), f"a token is missing: {[who for who in tokens if not tokens[who]]}"
    real = ForgeAddress(kind, url, repository)
    below = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}[kind]
    names = {who: _login(kind, real, token) for who, token in tokens.items()}
    run = uuid.uuid4().hex[:8]
    base, branch = f"gitops-test/{run}/main", f"gitops-test/{run}/prod"
    with_token = url.replace("://", f"://{names['OWNER_']}:{tokens['OWNER_']}@")
    hands = RemoteHands(f"{with_token}/{repository}.git", folder / "hands", network(environ))
    hands.commit(base, {"overlay.yaml": b"tag: 1\n", "other.yaml": b"1\n"})
    with FaultProxy(real.api_url, below=below, as_itself=True) as proxy:

        def forge(token: str) -> GatedForge:
            open_it: Callable[..., GatedForge] = {
                "github": open_github,
                "gitlab": open_gitlab,
                "gitea": open_gitea,
            }[kind]
            address = ForgeAddress(kind, proxy.url, repository)
            return open_it(address, ForgeToken(token, "TOKEN"), SystemClock(), 60.0, environ)

        place = {"github": github_world, "gitlab": gitlab_world, "gitea": gitea_world}[kind]
        yield World(
            forge=forge(tokens[""]),
            again=lambda: forge(tokens[""]),
            owner=forge(tokens["OWNER_"]),
            hands=hands,
            people=_people(kind, real, tokens["OWNER_"], tokens["SECOND_"]),
            faults=ProxyFaults(proxy, place.WRITES, place.limit),
            bot=names[""],
            second=names["SECOND_"],
            base=base,
            branch=branch,
            check="pipeline" if kind == "gitlab" else "ci/build",
            methods=("merge", "squash") if kind == "gitlab" else ("merge", "squash", "rebase"),
            secrets=tuple(tokens.values()),
        )


def _people(kind: ForgeKind, real: ForgeAddress, owner: str, second: str) -> People:
    if kind == "github":
        return github_world.GithubPeople(real.api_url, real.repository, owner, second)
    if kind == "gitlab":
        return gitlab_world.GitlabPeople(real.url, real.repository, owner, second)
    return gitea_world.GiteaPeople(real.url, real.repository, owner, second)


def _login(kind: ForgeKind, real: ForgeAddress, token: str) -> str:
    word = "token" if kind == "gitea" else "Bearer"
    user = ask("GET", f"{real.api_url}/user", None, f"{word} {token}")
    return str(user["username" if kind == "gitlab" else "login"])
