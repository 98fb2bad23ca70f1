"""Which token goes where: only to the host that it is for."""

from __future__ import annotations

import pytest

from gitops.core.environments.environment import ForgeKind
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import (
    ForgeToken,
    OwnToken,
    choose_token,
    how_to_give_a_token,
    own_token,
)

OWN = "https://git.example.com"


def chosen(kind: ForgeKind, url: str, environ: dict[str, str]) -> tuple[str, str] | None:
    """Return variable and style of the token that is chosen, None without one."""
    token = choose_token(ForgeAddress(kind, url, "shop/m"), environ).token
    return None if token is None else (token.source, token.style)


GITHUB = {"GITHUB_TOKEN": "s3cret"}
GITLAB = {"GITLAB_TOKEN": "s3cret"}
GITEA = {"GITEA_TOKEN": "s3cret"}
JOB = {"CI_JOB_TOKEN": "s3cret"}
BITBUCKET = {"BITBUCKET_TOKEN": "s3cret"}
PIPELINE = {"SYSTEM_ACCESSTOKEN": "s3cret"}
AZURE = "https://dev.azure.com"


@pytest.mark.parametrize(
    ("kind", "url", "environ", "expected"),
    [
        ("github", "https://github.com", GITHUB, "GITHUB_TOKEN"),
        ("github", OWN, GITHUB, None),
        ("github", OWN, {**GITHUB, "GITHUB_SERVER_URL": OWN}, "GITHUB_TOKEN"),
        ("github", OWN, {**GITHUB, "GITHUB_SERVER_URL": "https://github.com"}, None),
        ("github", "https://github.com", {**GITHUB, "GITHUB_SERVER_URL": OWN}, None),
        ("github", "http://github.com:80", GITHUB, None),
        ("github", "https://github.com", {**GITHUB, "GITEA_ACTIONS": "true"}, None),
        ("github", "https://github.com", {**GITLAB, **GITEA, **JOB}, None),
        ("gitlab", "https://gitlab.com", GITLAB, "GITLAB_TOKEN"),
        ("gitlab", OWN, GITLAB, "GITLAB_TOKEN"),
        ("gitlab", OWN, {**GITLAB, "CI_SERVER_URL": "https://gitlab.com"}, None),
        ("gitlab", OWN, {**GITLAB, "CI_SERVER_URL": OWN}, "GITLAB_TOKEN"),
        ("gitlab", OWN, {**GITLAB, "GITLAB_HOST": "git.example.com"}, "GITLAB_TOKEN"),
        (
            "gitlab",
            OWN,
            {**GITLAB, "GITLAB_HOST": "git.example.com", "CI_SERVER_URL": "https://gitlab.com"},
            "GITLAB_TOKEN",
        ),
        ("gitlab", "https://gitlab.com", JOB, None),
        ("gitlab", OWN, {**JOB, "CI_SERVER_URL": OWN}, "CI_JOB_TOKEN"),
        ("gitlab", OWN, {**JOB, "CI_SERVER_HOST": "git.example.com"}, "CI_JOB_TOKEN"),
        ("gitlab", OWN, {**JOB, "GITLAB_HOST": OWN}, None),
        ("gitlab", OWN, {**JOB, "CI_SERVER_URL": "https://gitlab.com"}, None),
        ("gitlab", OWN, {**GITLAB, **JOB, "CI_SERVER_URL": OWN}, "GITLAB_TOKEN"),
        ("gitea", OWN, GITEA, "GITEA_TOKEN"),
        ("forgejo", OWN, GITEA, "GITEA_TOKEN"),
        ("gitea", OWN, {**GITEA, "GITEA_SERVER_URL": OWN}, "GITEA_TOKEN"),
        ("gitea", OWN, {**GITEA, "GITEA_SERVER_URL": "https://other.example"}, None),
        ("bitbucket", "https://bitbucket.org", BITBUCKET, "BITBUCKET_TOKEN"),
        ("bitbucket", OWN, {**BITBUCKET, "BITBUCKET_SERVER_URL": OWN}, "BITBUCKET_TOKEN"),
        ("bitbucket", OWN, {**BITBUCKET, "BITBUCKET_SERVER_URL": "https://other.example"}, None),
        ("azure-devops", AZURE, {"AZURE_DEVOPS_EXT_PAT": "s3cret"}, "AZURE_DEVOPS_EXT_PAT"),
        ("azure-devops", AZURE, PIPELINE, None),
        (
            "azure-devops",
            AZURE,
            {**PIPELINE, "SYSTEM_COLLECTIONURI": f"{AZURE}/shop/"},
            "SYSTEM_ACCESSTOKEN",
        ),
        ("azure-devops", AZURE, {**PIPELINE, "SYSTEM_COLLECTIONURI": f"{OWN}/tfs/Main/"}, None),
        ("gitea", OWN, GITHUB, None),
        ("gitea", OWN, {**GITHUB, "GITHUB_SERVER_URL": OWN}, None),
        (
            "gitea",
            OWN,
            {**GITHUB, "GITHUB_SERVER_URL": OWN, "GITEA_ACTIONS": "true"},
            "GITHUB_TOKEN",
        ),
        (
            "gitea",
            OWN,
            {**GITHUB, "GITHUB_SERVER_URL": "https://other.example", "GITEA_ACTIONS": "true"},
            None,
        ),
        ("gitea", OWN, {"GITEA_TOKEN": "  "}, None),
        ("gitea", OWN, {"GITEA_TOKEN": "a\nb"}, None),
    ],
)
def test_a_token_goes_to_its_host(
    kind: ForgeKind, url: str, environ: dict[str, str], expected: str | None
) -> None:
    """A variable's token goes to the server that it belongs to, and nowhere else."""
    found = chosen(kind, url, environ)

    assert expected == (found[0] if found else None)
    if found:
        assert ("job" if expected in ("CI_JOB_TOKEN", "SYSTEM_ACCESSTOKEN") else "token") == found[
            1
        ]


def test_what_was_passed_over_is_told() -> None:
    """Whoever set a variable learns where it belongs, and what to set so that it counts."""
    address = ForgeAddress("github", OWN, "shop/m")
    choice = choose_token(address, GITHUB)

    assert choice.token is None
    assert ("GITHUB_TOKEN is for https://github.com",) == choice.passed_over
    hint = how_to_give_a_token(address, choice.passed_over)
    assert "GITHUB_SERVER_URL" in hint
    assert "s3cret" not in hint


@pytest.mark.parametrize(
    ("kind", "variable"),
    [("github", "GITHUB_TOKEN"), ("gitlab", "GITLAB_TOKEN"), ("forgejo", "GITEA_TOKEN")],
)
def test_how_to_give_a_token(kind: ForgeKind, variable: str) -> None:
    """The hint names the variable of this forge, and Git's way."""
    hint = how_to_give_a_token(ForgeAddress(kind, OWN, "shop/m"))

    assert variable in hint
    assert "credential helper" in hint


def test_a_token_does_not_show_itself() -> None:
    """Printed by accident, a token keeps its secret."""
    token = ForgeToken("s3cret", "GITEA_TOKEN", "basic", "ana")

    assert "s3cret" not in f"{token} {token!r} {[token]}"


def test_a_persons_own_token_goes_where_it_is_from() -> None:
    """Whoever signed in somewhere else has none for the forge; other ports are other servers."""
    forge = ForgeAddress("gitea", OWN, "shop/m")
    for server in (OWN, "https://GIT.example.com:443/path"):
        found = own_token(forge, OwnToken("s3cret", server))
        assert found is not None
        assert "s3cret" not in repr(found)
    for server in ("https://login.example.com", "http://git.example.com", f"{OWN}:8443", "x"):
        assert own_token(forge, OwnToken("s3cret", server)) is None
    assert "s3cret" not in repr(OwnToken("s3cret", OWN))
