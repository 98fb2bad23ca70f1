"""The index in use: `status` says the same with it, without it, and when it was kept long ago."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manifests import Manifests
from servers.git_http import GitServer

DEV = "apps/shop/overlays/dev/kustomization.yaml"
CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/overlays/dev"}
  - {name: prod, overlay: "apps/{app}/overlays/prod", branch: live, change: pull-request}
"""


def overlay(tag: str) -> str:
    """A kustomization."""
    return f'images:\n  - {{name: shop/api, newTag: "{tag}"}}\n'


@pytest.fixture
def server(manifests: Manifests) -> Iterator[GitServer]:
    """A repository of three apps in two environments, one on a branch of its own, over HTTP."""
    files = {
        f"apps/{app}/overlays/{name}/kustomization.yaml": overlay("1.0")
        for app in ("shop", "web", "web-2")
        for name in ("dev", "prod")
    }
    manifests.commit("apps", {"gitops.yaml": CONFIG, **files})
    manifests.git("branch", "live", "main")
    manifests.git("config", "http.receivepack", "true")
    with GitServer(manifests.path.parent) as running:
        yield running


def steps(manifests: Manifests, url: str) -> Iterator[Callable[[], object]]:
    """What happens to the repository, one thing after the other."""
    start = manifests.git("rev-parse", "main").strip()

    def gitops(*words: str) -> object:
        return manifests.gitops(*words, repo=url, env={"GITOPS_CACHE": "off"})

    yield lambda: manifests.commit("by hand", {DEV: overlay("1.1")})
    yield lambda: gitops("hold", "prod", "--app", "web", "--reason", "INC-1")
    yield lambda: gitops("qa", "dev", "--app", "shop", "--pass", "--release", "newest")
    yield lambda: gitops("rollback", "dev", "--app", "shop", "--yes")
    yield lambda: gitops("deploy", "shop/api:1.2", "--to", "prod", "--app", "shop")
    yield lambda: manifests.git("update-ref", "refs/heads/main", start)
    yield lambda: manifests.git("branch", "-D", "live")
    yield lambda: manifests.git(
        "fetch", "-q", "--force", str(replaced(manifests)), "+main:main", "+main:live"
    )


def replaced(manifests: Manifests) -> Path:
    """Another repository, with another history, of the same layout."""
    other = manifests.path.with_name("other")
    folder = other / "apps/other/overlays/dev"
    folder.mkdir(parents=True)
    (other / "gitops.yaml").write_text(CONFIG)
    (folder / "kustomization.yaml").write_text(overlay("9.9"))
    for words in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        ("-c", "user.name=Bo", "-c", "user.email=b@example.com", "commit", "-q", "-m", "other"),
    ):
        subprocess.run(["git", "-C", str(other), *words], check=True)
    return other


@pytest.mark.slow
def test_status_is_the_same_with_an_index(
    manifests: Manifests, server: GitServer, tmp_path: Path
) -> None:
    """Deploys, holds, words, a rewind, a branch that goes, another repository: the same each time.

    One cache sees every step, one sees them rarely, one is foreign, and one is off.
    """
    url = server.repo
    caches = [str(tmp_path / "each"), str(tmp_path / "rare"), "off"]
    told = set()
    for number, step in enumerate(steps(manifests, url)):
        answers = [
            manifests.gitops("status", "-o", "json", repo=url, env={"GITOPS_CACHE": cache})
            for cache in caches
            if cache != caches[1] or number % 3 == 1
        ]
        assert len({(one.code, one.out, one.err) for one in answers}) == 1, answers
        told.add(answers[0].out)
        step()
    assert len(told) == number + 1
    for page in (tmp_path / "each").rglob("page-*"):
        page.write_bytes(page.read_bytes().replace(b"x", b"y"))
    last = [
        manifests.gitops("status", "-o", "json", repo=url, env={"GITOPS_CACHE": cache})
        for cache in caches
    ]
    assert len({(one.code, one.out, one.err) for one in last}) == 1, last
    assert os.listdir(tmp_path / "each" / "v1")
