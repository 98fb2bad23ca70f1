"""`gitops images` on the command line, against a real registry: Debian's docker-registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitops.core.images.name import ImageName
from images import HttpShelf, Pushed, push_index, push_referrer, tag_again
from manifests import Manifests, Result
from servers.registry import DockerRegistry

DEV = "overlays/dev/kustomization.yaml"
OLD = "2024-11-01T10:00:00Z"
TAG = "feature-login-5f2c5f2"


class Shop:
    """The sample with shop/api at a registry, and a source repository of its own."""

    def __init__(self, manifests: Manifests, host: str, path: str, tmp_path: Path) -> None:
        self.manifests = manifests
        self.name = ImageName(host, path)
        self.shelf = HttpShelf(host)
        top = (
            "cleanup: [{images: ['shop/*'], tags: 'feature-*', olderThan: 14d, keep: 0}]\n"
            "environments:"
        )
        config = manifests.file("gitops.yaml").replace("environments:", top, 1)
        manifests.commit("clean up", {"gitops.yaml": config})
        self.push("1.4.9")
        assert self.gitops("deploy", f"shop/api={self.name}:1.4.9", "--to", "dev").code == 0

    def gitops(self, *words: str) -> Result:
        """Run gitops."""
        return self.manifests.gitops(*words)

    def push(self, tag: str) -> Pushed:
        """Push an old image."""
        return push_index(self.shelf, self.name, tag, salt=tag, created=OLD)

    def tags(self) -> list[str]:
        """Return what the registry has."""
        path = f"/v2/{self.name.path}/tags/list"
        return sorted(json.loads(self.shelf.ask("GET", path, name=self.name)[2])["tags"] or [])


@pytest.fixture
def shop(manifests: Manifests, docker_registry: DockerRegistry, tmp_path: Path) -> Shop:
    """One whose registry deletes."""
    return Shop(manifests, docker_registry.open, docker_registry.new_path(), tmp_path)


@pytest.mark.slow
def test_a_plan_and_what_comes_of_it(shop: Shop) -> None:
    """A table with reasons; --yes deletes with an audit line each; a sibling release stays."""
    gone = shop.push(TAG)
    push_referrer(shop.shelf, shop.name, gone)
    tag_again(shop.shelf, shop.name, shop.push("feature-kept-0000001"), "1.6.0")
    plan = shop.gitops("images", "prune")
    assert plan.code == 0, plan.err
    assert f"{shop.name}:{TAG}" in plan.out
    assert "the image stays: 1.6.0 names it" in plan.out
    assert "2 tags would go" in plan.out
    assert len(shop.tags()) == 5
    done = shop.gitops("images", "prune", "--yes")
    assert done.code == 0, done.err
    assert f" deleted {shop.name}:{TAG} " in done.out
    assert "(by Mona Test)" in done.out
    assert shop.tags() == ["1.4.9", "1.6.0"]
    status = shop.shelf.ask(
        "HEAD", f"/v2/{shop.name.path}/manifests/{gone.children[0]}", name=shop.name
    )
    assert status[0] == 404
    assert shop.gitops("images", "show", f"{shop.name}:1.6.0").code == 0


@pytest.mark.slow
def test_what_is_deployed_stays(shop: Shop) -> None:
    """A feature image that an overlay pins, or pinned a moment ago, is kept and told."""
    shop.push(TAG)
    shop.gitops("deploy", f"shop/api:{TAG}", "--to", "dev")
    shop.gitops("deploy", "shop/api:1.4.9", "--to", "dev")
    report = shop.gitops("images", "prune", "--yes", "-o", "json").json
    assert [(one["tag"], one["action"]) for one in report["images"]] == [(TAG, "keep")]
    assert "a rollback of dev" in report["images"][0]["reason"]
    assert report["outcome"] == "unchanged"
    assert TAG in shop.tags()


@pytest.mark.slow
def test_a_history_that_is_cut_deletes_nothing(shop: Shop, tmp_path: Path) -> None:
    """In a clone without its past nobody knows what a rollback would take."""
    shop.push(TAG)
    shop.gitops("deploy", f"shop/api:{TAG}", "--to", "dev")
    shop.gitops("deploy", "shop/api:1.4.9", "--to", "dev")
    clone = tmp_path / "cut"
    shop.manifests.git("clone", "-q", "--depth=1", f"file://{shop.manifests.path}", str(clone))
    shop.manifests.git("-C", str(clone), "remote", "remove", "origin")
    done = shop.manifests.gitops("images", "prune", "--yes", repo=str(clone))
    assert done.code == 75, done.out
    assert "holds no history" in done.err
    assert TAG in shop.tags()


@pytest.mark.slow
def test_deletion_switched_off(
    manifests: Manifests, docker_registry: DockerRegistry, tmp_path: Path
) -> None:
    """405: exit code 3, how it is switched on, and the tag as it was."""
    shop = Shop(manifests, docker_registry.sealed, docker_registry.new_path(), tmp_path)
    shop.push(TAG)
    done = shop.gitops("images", "prune", "--yes")
    assert done.code == 3
    assert "does not delete images" in done.err
    assert "delete: {enabled: true}" in done.err
    assert TAG in shop.tags()


@pytest.mark.slow
def test_what_is_this_and_where_does_it_run(shop: Shop) -> None:
    """List, show and find answer by name, by tag and by digest."""
    pushed = shop.push("1.5.0")
    shop.gitops("deploy", "shop/api:1.5.0", "--to", "dev")
    listed = shop.gitops("images", "list", "shop/api", "-o", "json").json["images"]
    ours = next(one for one in listed if one["repository"] == str(shop.name))
    assert {one["tag"]: one["overlays"] for one in ours["tags"]} == {"1.5.0": ["dev"], "1.4.9": []}
    assert shop.gitops("images", "list").code == 0
    shown = shop.gitops("images", "show", f"{shop.name}:1.5.0", "-o", "json").json["images"][0]
    assert shown["digest"] == pushed.digest
    assert shown["platforms"] == ["linux/amd64", "linux/arm64"]
    assert [one["environment"] for one in shown["found"]] == ["dev"]
    assert pushed.digest in shop.gitops("images", "show", f"{shop.name}:1.5.0").out
    found = shop.gitops("images", "find", "1.4.9", "-o", "json").json["found"]
    assert [(one["environment"], one["until"] is None) for one in found] == [("dev", False)]
    assert "until" in shop.gitops("images", "find", "1.4.9").out
    missing = shop.gitops("images", "find", "shop/apj:1")
    assert (missing.code, "did you mean shop/api?" in missing.err) == (3, True)


@pytest.mark.parametrize(
    ("words", "code", "out"),
    [
        (("--ref", "feature/login", "--commit", "5F2C5F2AB"), 0, "feature-login-5f2c5f2\n"),
        (("--ref", "main", "--commit", "5f2c5f2"), 0, "main-5f2c5f2\n"),
        (("--ref", "refs/tags/v1.4.0-rc.3"), 0, "1.4.0-rc.3\n"),
        (("--ref", "refs/tags/1.4.0"), 0, "1.4.0\n"),
        (("--ref", "main", "--commit", "5f2c5f2", "--check", "main-5f2c5f2"), 0, "main-5f2c5f2\n"),
        (("--ref", "main", "--commit", "5f2c5f2", "--check", "latest"), 1, ""),
        (("--ref", "main"), 2, ""),
        (("--ref", "refs/tags/nightly"), 2, ""),
        ((), 2, ""),
    ],
)
def test_the_tag_of_a_build(
    manifests: Manifests, words: tuple[str, ...], code: int, out: str
) -> None:
    """One convention for what builds push; `--check` compares."""
    done = manifests.gitops("images", "tag", *words)
    assert (done.code, done.out) == (code, out), done.err


def test_the_tag_of_a_job(manifests: Manifests) -> None:
    """`auto` reads what a CI job builds, tags included."""
    branch = {"CI_COMMIT_BRANCH": "feature/a+b", "CI_COMMIT_SHA": "5f2c5f2" + "0" * 33}
    assert manifests.gitops("images", "tag", env=branch).out == "feature-a-b-5f2c5f2\n"
    tag = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1.4.0", "GITHUB_SHA": "5f2c5f2"}
    assert manifests.gitops("images", "tag", env=tag).out == "1.4.0\n"


def test_nothing_to_clean_up(manifests: Manifests) -> None:
    """Without `cleanup:` it is said how one looks; exit code 2."""
    done = manifests.gitops("images", "prune")
    assert done.code == 2
    assert "cleanup:" in done.err
