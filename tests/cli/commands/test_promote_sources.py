"""`gitops promote` asks source repositories: what QA saw must be what its branch still ends in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitrepos import Repo
from manifests import Manifests
from servers.git_http import GitServer

BRANCH = "release/1.5"


@pytest.fixture
def world(manifests: Manifests, tmp_path: Path) -> Iterator[tuple[Manifests, Repo]]:
    """Manifests that know where shop/api is built from; stage runs the HEAD of release/1.5."""
    root = tmp_path / "sources"
    root.mkdir()
    api = Repo.bare(root / "api.git")
    api.git("config", "http.receivepack", "true")
    head = api.commit({"main.py": b"print()\n"}, "first\n")
    api.git("update-ref", f"refs/heads/{BRANCH}", head)
    with GitServer(root) as server:
        text = manifests.file("gitops.yaml")
        text += f'\nimages:\n  - {{name: shop/api, source: "{server.url}/api.git"}}\n'
        text = text.replace("after: [stage]", "after: [stage]\n    requires: [qa-passed]")
        manifests.commit("Say where shop/api is built from", {"gitops.yaml": text})
        words = ("--ref", BRANCH, "--commit", head, "-o", "json")
        built = manifests.gitops("deploy", "shop/api:1.5.0", *words)
        assert built.code == 0, built.err
        manifests.gitops("qa", "stage", "--pass", "--release", built.json["commit"])
        yield manifests, api


def test_the_head_of_the_branch_goes_without_a_warning(world: tuple[Manifests, Repo]) -> None:
    """What is built from where the branch ends is promoted; shop/web does not change."""
    manifests, _ = world
    result = manifests.gitops("promote", "--to", "prod", "-o", "json")

    assert (0, "proposed", []) == (
        result.code,
        result.json["outcome"],
        result.json["warnings"],
    ), result.err


def test_a_branch_that_moved_after_qa_is_refused(world: tuple[Manifests, Repo]) -> None:
    """A fix that nobody tested is on the branch: both commits are named, and QA's word."""
    manifests, api = world
    old = api.head(BRANCH)
    (new,) = api.commits([({"main.py": b"fixed()\n"}, "fix\n")], branch=BRANCH)
    result = manifests.gitops("promote", "--to", "prod", "-o", "json")

    assert old is not None
    assert 1 == result.code
    assert [f"prod: {BRANCH} moved from {old[:7]} (QA passed) to {new[:7]}"] == result.json[
        "error"
    ]["reasons"]


def test_a_branch_that_is_gone_is_refused(world: tuple[Manifests, Repo]) -> None:
    """Nobody can say that a deleted branch still ends where QA saw it."""
    manifests, api = world
    api.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    result = manifests.gitops("promote", "--to", "prod", "-o", "json")

    assert 1 == result.code
    assert [f"prod: {BRANCH} is gone from the source repository of shop/api"] == result.json[
        "error"
    ]["reasons"]
