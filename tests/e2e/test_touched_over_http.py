"""A proposal that people touched, read over HTTP where history comes in steps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitrepos import Repo
from manifests import Result, run_gitops
from servers.git_http import GitServer

CONFIG = b"""\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: stage, overlay: overlays/stage}
  - {name: prod, overlay: overlays/prod, change: pull-request}
"""
STAGE, PROD = (f"overlays/{name}/kustomization.yaml" for name in ("stage", "prod"))
BRANCH = "gitops/prod"


def pins(tag: str) -> bytes:
    """An overlay that pins one image."""
    return f"images:\n  - name: shop/api\n    newTag: {tag}\n".encode()


@dataclass
class Place:
    """A repository on a server, with a long history, and what works on it from outside."""

    repo: Repo
    url: str
    folder: Path

    def gitops(self, *words: str, who: str = "Ben") -> Result:
        """Run gitops as somebody."""
        author = f"{who} <{who.lower()}@example.com>"
        more = {"GITOPS_REPO": self.url, "GITOPS_AUTHOR": author, "GITOPS_CACHE": "off"}
        return run_gitops(words, self.folder, {**os.environ, **more})

    def main_goes_on(self, commits: int) -> str:
        """Have stage be bumped many times."""
        tags = [f"2.{number}" for number in range(commits)]
        return self.repo.commits([({STAGE: pins(tag)}, f"stage {tag}\n") for tag in tags])[-1]

    def update_branch(self) -> str:
        """Merge main into the proposal."""
        head, main = str(self.repo.head(BRANCH)), str(self.repo.head())
        ours = self.repo.show(STAGE)
        return self.repo.commit(
            {STAGE: ours}, "Merge main\n", branch=BRANCH, parents=[head, main], by="Ben"
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A hundred and fifty commits, and a proposal on top by the bot."""
    repo = Repo.bare(tmp_path / "m.git")
    repo.commit({"gitops.yaml": CONFIG, STAGE: pins("1"), PROD: pins("1.0")})
    repo.git("config", "http.receivepack", "true")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with GitServer(tmp_path) as server:
        made = Place(repo, f"{server.url}/m.git", folder)
        made.main_goes_on(150)
        done = made.gitops("deploy", "shop/api:1.1", "--to", "prod", who="Bot")
        assert 0 == done.code, done.err
        yield made


@pytest.mark.parametrize("updates", [1, 3])
def test_updated_far_from_where_it_began(place: Place, updates: int) -> None:
    """However far main has gone on since, an updated proposal waits, by its author, and lands."""
    for _ in range(updates):
        place.main_goes_on(120)
        place.update_branch()
    place.main_goes_on(70)

    shown = place.gitops("status", "prod", "-o", "json")
    assert 0 == shown.code, shown.err
    (one,) = shown.json["environments"][0]["proposals"]
    assert ("Bot", []) == (one["by"], shown.json["warnings"])
    own = place.gitops("approve", "prod", "-o", "json", who="Bot")
    assert "is an author" in own.json["error"]["message"]
    updated = place.gitops("approve", "prod", "--update", "-o", "json")
    assert (0, "committed") == (updated.code, updated.json["outcome"]), updated.err
    assert b"1.1" in (place.repo.show(PROD) or b"")


def test_landed_long_ago_is_not_open(place: Place) -> None:
    """A squash that left the branch standing is known, though prod has gone on for long."""
    place.repo.commit({PROD: pins("1.1")}, "squashed\n")
    place.main_goes_on(80)
    place.repo.commit({PROD: pins("1.2")}, "and on\n")
    place.main_goes_on(80)
    shown = place.gitops("status", "prod", "-o", "json")
    assert [] == shown.json["environments"][0]["proposals"]
    assert 3 == place.gitops("approve", "prod").code
