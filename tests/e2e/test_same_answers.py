"""One history, read in every way that there is: every verb gives the same answer.

Where a first fetch ends, and each further one, lies somewhere else in every history. Some are
drawn (tests/histories.py); `GITOPS_TEST_HISTORIES=20` plays twenty.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitrepos import Repo
from histories import ASKING, CONFIG, DEV, History, draw, pinned
from manifests import run_gitops
from servers.git_http import GitServer

HISTORIES = int(os.environ.get("GITOPS_TEST_HISTORIES", "2"))
FIRST = int(os.environ.get("GITOPS_TEST_SEED", "1"))
CLONES = {
    "clone": (),
    "shallow": ("--depth=5",),
    "one commit": ("--depth=1",),
    "treeless": ("--filter=tree:0",),
    "blobless": ("--filter=blob:none", "--depth=30"),
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class World:
    """A history on a server, and the folder for clones and caches."""

    made: History
    repo: Repo
    url: str
    folder: Path

    def ask(self, location: str, *arguments: str, cache: Path | None = None) -> tuple[int, object]:
        """Return the exit code and the document, without the place and the time of day."""
        environ = {**os.environ, "GITOPS_REPO": location, "GITOPS_CACHE": str(cache or "off")}
        done = run_gitops([*arguments, "-o", "json"], self.folder, environ)
        text = done.out
        for place in (self.url, str(self.repo.path), location):
            text = text.replace(json.dumps(place)[1:-1], "PLACE")
        return done.code, json.loads(TIME.sub(_coarse, text))


def _coarse(found: re.Match[str]) -> str:
    """Leave out what is now: the histories are of 2023, or of no year at all."""
    return found[0] if found[0] < "2026" or found[0] > "2090" else "now"


@pytest.fixture(params=range(FIRST, FIRST + HISTORIES))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """One drawn history after the other, served over HTTP."""
    config = ASKING if request.param % 2 else CONFIG
    made = draw(request.param, 60 + request.param * 53 % 200, config)
    repo = Repo.bare(tmp_path / "m.git")
    made.write(repo)
    repo.git("config", "uploadpack.allowFilter", "true")
    with GitServer(tmp_path) as server:
        yield World(made, repo, f"{server.url}/m.git", tmp_path)


def calls(made: History, seed: int) -> list[tuple[str, ...]]:
    """Return what is asked: of the past, the way back, `after`, and of what a push brought."""
    some = random.Random(seed)
    line = made.line(made.tip)
    base = made.ids[line[min(len(line) - 1, some.randint(1, 20))]]
    tags = [f"shop/api:1.{some.randint(1, 40)}" for _ in range(2)]
    return [
        ("history", "prod", "--limit", "0"),
        ("history", "dev"),
        ("status",),
        ("rollback", "prod", "--dry-run", "--reason", "x"),
        ("rollback", "dev", "--dry-run", "--to", "previous", "--override", "x", "--reason", "x"),
        *(("deploy", tag, "--to", "prod", "--dry-run") for tag in tags),
        ("promote", "--to", "prod", "--dry-run"),
        ("check", f"{base}..{made.ids[made.tip]}"),
    ]


def places(world: World, seed: int) -> Mapping[str, str]:
    """Return name -> location of the server, and of two kinds of clones of this history."""
    found = {"url": world.url}
    names = list(CLONES)
    for name in (names[seed % len(names)], names[(seed + 2) % len(names)]):
        options = CLONES[name]
        found[name] = str(world.folder / name)
        world.repo.git("clone", "-q", *options, world.url, found[name])
    return found


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.timeout(240)
def test_same_answers(world: World, request: pytest.FixtureRequest) -> None:
    """By path, by URL with every state of the cache, in clones whole and cut: one answer.

    In every other history something waits for prod.
    """
    seed = request.node.callspec.params["world"]
    asked = calls(world.made, seed)
    expected = {call: world.ask(str(world.repo.path), *call) for call in asked}
    for name, location in places(world, seed).items():
        for call in asked:
            assert expected[call] == world.ask(location, *call), (name, call)
    cache = world.folder / "cache"
    for state in ("cold", "warm"):
        for call in asked:
            assert expected[call] == world.ask(world.url, *call, cache=cache), (state, call)
    world.repo.commit({DEV: pinned("later")}, "dev: later")
    for call in (("status",), ("history", "dev")):
        later = world.ask(str(world.repo.path), *call)
        assert later == world.ask(world.url, *call, cache=cache), ("later", call)
