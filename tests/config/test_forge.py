"""`forge:` of gitops.yaml: what answers where pull requests are."""

from __future__ import annotations

import pytest

from gitops.config import load_config
from gitops.core.environments.environment import ForgeSetting
from gitops.errors import ConfigError

HEAD = """\
apiVersion: gitops/v1
kind: Config
environments: [{name: dev, overlay: overlays/dev}]
"""


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("", None),
        ("forge: {kind: none}", ForgeSetting("none")),
        ("forge: {kind: github}", ForgeSetting("github")),
        (
            "forge: {kind: gitea, url: 'https://git.example.com/'}",
            ForgeSetting("gitea", "https://git.example.com"),
        ),
        (
            "forge: {kind: forgejo, url: 'http://127.0.0.1:3000/forge/x'}",
            ForgeSetting("forgejo", "http://127.0.0.1:3000/forge/x"),
        ),
        (
            "forge: {kind: gitlab, url: 'https://Git.example.com:65535'}",
            ForgeSetting("gitlab", "https://Git.example.com:65535"),
        ),
    ],
)
def test_forge_becomes_a_value(row: str, expected: ForgeSetting | None) -> None:
    """Left out it is to be found; the address has no slash at its end."""
    assert expected == load_config((HEAD + row).encode()).forge


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("forge: {url: 'https://git.example.com'}", "forge.kind: is missing"),
        ("forge: {kind: gitae}", "did you mean gitea?"),
        (
            "forge: {kind: gerrit}",
            "must be github, gitlab, gitea, forgejo, bitbucket, azure-devops",
        ),
        ("forge: {kind: none, url: 'https://git.example.com'}", "kind is none"),
        ("forge: {kind: gitea, url: 'https://ana:hunter2@git.example.com'}", "a password"),
        ("forge: {kind: gitea, url: 'https://hunter2@git.example.com'}", "a password"),
        ("forge: {kind: gitea, url: 'git.example.com'}", "is not the address"),
        ("forge: {kind: gitea, url: 'ssh://git.example.com'}", "is not the address"),
        ("forge: {kind: gitea, url: 'https://git.example.com?x=y'}", "is not the address"),
        ("forge: {kind: gitea, url: 'https://git.example.com/../x y'}", "is not the address"),
        ("forge: {kind: gitea, url: 'https://git.example.com:65536'}", "is not the address"),
        ("forge: {kind: gitea, token: hunter2}", "unknown key"),
        ("forge: gitea", "must be a mapping"),
    ],
)
def test_wrong_forges_are_told(row: str, problem: str) -> None:
    """What is no kind and no address is refused at its place, and no secret is repeated."""
    with pytest.raises(ConfigError) as caught:
        load_config((HEAD + row).encode())

    (reason,) = caught.value.reasons
    assert reason.startswith("gitops.yaml:4:")
    assert problem in reason
    assert "hunter2" not in reason
