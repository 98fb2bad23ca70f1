"""Which forge has a repository: what is known, what is asked, and what is refused."""

from __future__ import annotations

import pytest

from gitops.core.environments.environment import ForgeKind, ForgeSetting
from gitops.core.forges.address import ForgeAddress, Unknown, locate, parse_remote
from gitops.errors import Denied

HTTPS = "https://git.example.com/shop/manifests.git"
SSH = "git@git.example.com:shop/manifests.git"


@pytest.mark.parametrize(
    ("url", "origin", "exact", "path"),
    [
        (HTTPS, "https://git.example.com", True, "shop/manifests"),
        ("https://Git.Example.com./shop/manifests/", "https://git.example.com", True, None),
        ("https://ana:pw@git.example.com/shop/manifests", "https://git.example.com", True, None),
        ("https://git.example.com:8443/shop/manifests", "https://git.example.com:8443", True, None),
        ("https://git.example.com:443/shop/manifests", "https://git.example.com", True, None),
        ("http://127.0.0.1:3000/shop/manifests", "http://127.0.0.1:3000", True, None),
        ("http://[::1]:3000/shop/manifests", "http://[::1]:3000", True, None),
        (SSH, "https://git.example.com", False, None),
        (
            "ssh://git@git.example.com:2222/shop/manifests.git",
            "https://git.example.com",
            False,
            None,
        ),
        ("git+ssh://git.example.com/shop/manifests", "https://git.example.com", False, None),
        ("git://git.example.com/shop/manifests", "https://git.example.com", False, None),
        ("ssh://git@ssh.github.com:443/shop/manifests", "https://github.com", False, None),
        ("git@altssh.gitlab.com:shop/manifests", "https://gitlab.com", False, None),
        ("git@gitlab.com:a/b/c/d.git", "https://gitlab.com", False, "a/b/c/d"),
    ],
)
def test_remotes_are_read(url: str, origin: str, exact: bool, path: str | None) -> None:
    """Every spelling of a remote gives its server, and the path of the repository."""
    remote = parse_remote(url)

    assert remote is not None
    assert (origin, exact) == (str(remote.origin), remote.exact)
    assert (path or "shop/manifests") == remote.path


@pytest.mark.parametrize(
    "url",
    [
        *("/srv/git/shop.git", "../shop", "shop.git", "file:///srv/git/shop.git", "", "host:"),
        *("https://", "https:///shop", "https://git.example.com/", "ext::sh -c x", "https://[x/y"),
        *("https://git.example.com:port/a/b", "ftp://git.example.com/a/b", "https://a b/c/d"),
    ],
)
def test_what_has_no_forge(url: str) -> None:
    """Paths, files and what is no URL have no forge, and nobody is asked."""
    assert parse_remote(url) is None
    assert locate(None, url, {}) is None


@pytest.mark.parametrize(
    ("url", "kind", "where", "api"),
    [
        ("git@github.com:shop/m.git", "github", "https://github.com", "https://api.github.com"),
        ("http://github.com/shop/m", "github", "https://github.com", "https://api.github.com"),
        (
            "https://acme.ghe.com/shop/m",
            "github",
            "https://acme.ghe.com",
            "https://api.acme.ghe.com",
        ),
        ("git@gitlab.com:shop/m", "gitlab", "https://gitlab.com", "https://gitlab.com/api/v4"),
        (
            "git@codeberg.org:shop/m",
            "forgejo",
            "https://codeberg.org",
            "https://codeberg.org/api/v1",
        ),
        ("https://gitea.com/shop/m", "gitea", "https://gitea.com", "https://gitea.com/api/v1"),
    ],
)
def test_known_hosts(url: str, kind: ForgeKind, where: str, api: str) -> None:
    """Hosts that everybody knows are asked nothing, and are never talked to in the clear."""
    found = locate(None, url, {})

    assert found == ForgeAddress(kind, where, "shop/m")
    assert api == found.api_url


AZURE = "https://dev.azure.com"
BITBUCKETS = [
    ("https://bitbucket.org/shop/m.git", "https://bitbucket.org", "shop/m"),
    ("ssh://git@altssh.bitbucket.org:443/shop/m.git", "https://bitbucket.org", "shop/m"),
]
AZURES = [
    ("https://dev.azure.com/shop/web/_git/m", AZURE, "shop/web/m"),
    ("https://shop@dev.azure.com/shop/My%20Web/_git/m", AZURE, "shop/My Web/m"),
    ("https://dev.azure.com/shop/_git/m", AZURE, "shop/m/m"),
    ("git@ssh.dev.azure.com:v3/shop/web/m", AZURE, "shop/web/m"),
    ("shop@vs-ssh.visualstudio.com:v3/shop/web/m", AZURE, "shop/web/m"),
    ("https://shop.visualstudio.com/web/_git/m", "https://shop.visualstudio.com", "web/m"),
    (
        "https://shop.visualstudio.com/DefaultCollection/web/_git/m",
        "https://shop.visualstudio.com",
        "web/m",
    ),
    ("https://shop.visualstudio.com/_git/m", "https://shop.visualstudio.com", "m/m"),
]


@pytest.mark.parametrize(
    ("remote", "kind", "url", "repository"),
    [
        *((remote, "bitbucket", url, name) for remote, url, name in BITBUCKETS),
        *((remote, "azure-devops", url, name) for remote, url, name in AZURES),
    ],
)
def test_addresses_of_their_own_kind(
    remote: str, kind: ForgeKind, url: str, repository: str
) -> None:
    """Bitbucket and Azure DevOps are known by their hosts, however Git reaches them."""
    assert ForgeAddress(kind, url, repository) == locate(None, remote, {})


@pytest.mark.parametrize(
    ("remote", "setting", "repository"),
    [
        ("https://git.example.com/scm/SHOP/m.git", ForgeSetting("bitbucket"), "SHOP/m"),
        ("ssh://git@git.example.com:7999/~ana/m.git", ForgeSetting("bitbucket"), "~ana/m"),
        (
            "https://git.example.com/bitbucket/scm/SHOP/m.git",
            ForgeSetting("bitbucket", "https://git.example.com/bitbucket"),
            "SHOP/m",
        ),
        (
            "https://git.example.com/tfs/Main/web/_git/m",
            ForgeSetting("azure-devops"),
            "tfs/Main/web/m",
        ),
        ("https://git.example.com/tfs/Main/_git/m", ForgeSetting("azure-devops"), "tfs/Main/m/m"),
    ],
)
def test_servers_of_ones_own(remote: str, setting: ForgeSetting, repository: str) -> None:
    """Data Center puts `scm` before a project, Azure DevOps Server a collection."""
    found = locate(setting, remote, {})

    assert isinstance(found, ForgeAddress)
    assert (setting.url or "https://git.example.com", repository) == (found.url, found.repository)


@pytest.mark.parametrize("path", ["shop/web/m", "shop/web/_git", "shop/web/_git/a/b", "v3/shop/m"])
def test_paths_that_are_no_repository_of_azure(path: str) -> None:
    """What is none of its addresses has no pull requests."""
    assert locate(None, f"https://dev.azure.com/{path}", {}) is None


@pytest.mark.parametrize("host", ["git.sr.ht"])
def test_forges_without_an_adapter(host: str) -> None:
    """A host that is known to be something else is not asked."""
    assert locate(None, f"git@{host}:shop/m", {}) is None


def test_a_host_that_nobody_knows_is_to_be_asked() -> None:
    """It is the repository's own server, nothing else."""
    found = locate(None, "https://git.example.com:8443/shop/m.git", {})

    assert isinstance(found, Unknown)
    assert "https://git.example.com:8443" == str(found.origin)
    assert ForgeAddress("gitea", "https://git.example.com:8443", "shop/m") == found.settled("gitea")


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({"CI_SERVER_URL": "https://git.example.com"}, "gitlab"),
        ({"CI_SERVER_HOST": "git.example.com"}, "gitlab"),
        ({"GITEA_ACTIONS": "true", "GITHUB_SERVER_URL": "https://git.example.com"}, "gitea"),
        ({"FORGEJO_ACTIONS": "true", "GITHUB_SERVER_URL": "https://git.example.com"}, "gitea"),
        ({"GITHUB_SERVER_URL": "https://git.example.com"}, "github"),
        ({"GITHUB_SERVER_URL": "https://other.example.com"}, None),
        ({"GITLAB_HOST": "git.example.com"}, "gitlab"),
        ({"GITEA_SERVER_URL": "https://git.example.com"}, "gitea"),
        ({"CI_SERVER_URL": "http://git.example.com"}, None),
        ({"CI_SERVER_URL": "nonsense://"}, None),
    ],
)
def test_a_job_knows_its_own_forge(environ: dict[str, str], kind: ForgeKind | None) -> None:
    """A job on a forge needs no question: its variables name the host."""
    found = locate(None, HTTPS, environ)

    if kind is None:
        assert isinstance(found, Unknown)
    else:
        assert ForgeAddress(kind, "https://git.example.com", "shop/manifests") == found


@pytest.mark.parametrize("remote", [HTTPS, SSH])
def test_config_says_the_kind(remote: str) -> None:
    """`kind` alone is at the remote's address; `none` is nothing."""
    found = locate(ForgeSetting("gitlab"), remote, {})

    assert ForgeAddress("gitlab", "https://git.example.com", "shop/manifests") == found
    assert locate(ForgeSetting("none"), remote, {}) is None


def test_config_says_the_address() -> None:
    """An ssh remote does not tell the port and the folder of the pages: `url` does."""
    url = "https://git.example.com:8443/forge"
    found = locate(ForgeSetting("gitea", url + "/"), SSH, {})

    assert ForgeAddress("gitea", url, "shop/manifests") == found
    assert f"{url}/api/v1" == found.api_url


def test_a_forge_in_a_folder() -> None:
    """The folder is no part of the repository's name."""
    setting = ForgeSetting("gitea", "https://git.example.com/forge")
    found = locate(setting, "https://git.example.com/forge/shop/manifests.git", {})

    assert isinstance(found, ForgeAddress)
    assert "shop/manifests" == found.repository


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        (HTTPS, "https://evil.example"),
        (HTTPS, "https://git.example.com.evil.example"),
        (HTTPS, "https://git.example.com:8443"),
        (HTTPS, "http://git.example.com"),
        (SSH, "https://evil.example"),
        (SSH, "http://git.example.com"),
        ("http://127.0.0.1:3000/a/b", "http://127.0.0.1:3001"),
        ("git@github.com:shop/m", "https://github.com.evil.example"),
    ],
)
def test_config_cannot_send_anybody_elsewhere(remote: str, url: str) -> None:
    """gitops.yaml comes from a repository: it names no other server, and no open way to this."""
    with pytest.raises(Denied) as caught:
        locate(ForgeSetting("gitea", url), remote, {})

    assert caught.value.hint


@pytest.mark.parametrize(
    ("kind", "variable"),
    [("github", "GITHUB_SERVER_URL"), ("gitlab", "GITLAB_HOST"), ("gitea", "GITEA_SERVER_URL")],
)
def test_the_caller_may_say_that_it_is_elsewhere(kind: ForgeKind, variable: str) -> None:
    """Where SSH has a name of its own, the caller says which server the forge is."""
    setting = ForgeSetting(kind, "https://pages.example.com")
    found = locate(setting, SSH, {variable: "https://pages.example.com"})

    assert ForgeAddress(kind, "https://pages.example.com", "shop/manifests") == found


@pytest.mark.parametrize("path", ["shop", "a/b/c", "a/..", "a%2fb/c/d", "a/b%0ac", "~ana/shop x"])
def test_paths_that_are_no_repository(path: str) -> None:
    """What cannot be owner and name there is no repository of such a forge."""
    assert locate(ForgeSetting("gitea"), f"https://git.example.com/{path}", {}) is None


def test_groups_of_gitlab() -> None:
    """A project may lie in groups of groups; a repository of GitHub may not."""
    remote = "https://git.example.com/a/b/c/d.git"
    found = locate(ForgeSetting("gitlab"), remote, {})

    assert isinstance(found, ForgeAddress)
    assert "a/b/c/d" == found.repository
    assert locate(ForgeSetting("github"), remote, {}) is None


def test_names_for_messages() -> None:
    """What messages call a forge: what it is, where, and the repository."""
    address = ForgeAddress("forgejo", "https://codeberg.org", "shop/m")

    assert "Forgejo at codeberg.org, shop/m" == address.name
