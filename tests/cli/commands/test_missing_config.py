"""What is said where `gitops.yaml` is not on the branch."""

from __future__ import annotations

import subprocess

import pytest

from manifests import Manifests


@pytest.mark.parametrize(
    ("steps", "hint"),
    [
        ([["git", "mv", "gitops.yaml", "gitops.yml"]], "gitops.yml is there, and is not read"),
        ([["git", "rm", "-q", "--cached", "gitops.yaml"]], "is in the checkout alone: commit it"),
        ([["git", "rm", "-q", "gitops.yaml"]], "`gitops init` writes one"),
    ],
    ids=["misspelt", "uncommitted", "none"],
)
def test_a_missing_config_tells_why(
    manifests: Manifests, steps: list[list[str]], hint: str
) -> None:
    """A misspelt one, one that is not committed, and none at all have words of their own."""
    for command in [*steps, ["git", "commit", "-q", "-m", "Without"], ["git", "push", "-q"]]:
        subprocess.run(command, cwd=manifests.checkout, check=True)
    where = str(manifests.checkout)
    done = manifests.gitops("deploy", "shop/api:1.4.2", "--to", "dev", repo=where)

    assert done.code == 2
    assert hint in done.err
