"""Every verb at once, as real processes on one server: what must hold is read from the history."""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

import warm
from manifests import Manifests
from servers.git_http import GitServer

LEDGER = "gitops/ledger"
WHO = {"ana": "Ana <ana@example.com>", "ben": "Ben <ben@example.com>"}
CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: overlays/dev, accepts: [main], deploy: auto}
  - {name: stage, overlay: overlays/stage, accepts: [main], deploy: auto, after: [dev]}
  - {name: prod, overlay: overlays/prod, accepts: [main], change: pull-request, after: [stage]}
"""
OVERLAY = "images:\n  - name: shop/api\n    newTag: 'r0' # a comment\n"
HELD = ("stage", "prod")
MADE = re.compile(r"\b[0-9a-f]{32}\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
"""What is of each call alone."""
REPOSITORIES = 10
ROUNDS = -(-int(os.environ.get("GITOPS_TEST_ROUNDS", "20")) // REPOSITORIES)
"""Of each repository: CI plays twenty in all, GITOPS_TEST_ROUNDS=100 a hundred."""


@dataclass
class Told:
    """What one process said."""

    verb: str
    code: int
    document: dict[str, object]


@dataclass
class World:
    """One repository on a server, and everything that was said of it."""

    manifests: Manifests
    url: str
    told: list[Told] = field(default_factory=list)

    def start(self, who: str, words: list[str]) -> warm.Calling:
        """Start one gitops."""
        return warm.start(
            [*words, "-o", "json", "--push-timeout", "110s"],
            self.manifests.elsewhere,
            {
                **warm.uncovered(os.environ),
                **{"GITOPS_REPO": self.url, "GITOPS_AUTHOR": WHO[who]},
                "GITOPS_CACHE": self.cache("shared"),
            },
        )

    def cache(self, name: str) -> str:
        """Return a cache of its own."""
        return str(self.manifests.elsewhere.with_name("caches") / name)

    def all_at_once(self, calls: list[tuple[str, list[str]]]) -> None:
        """Run all calls at once and keep what they said."""
        running = [(words[0], self.start(who, words)) for who, words in calls]
        for verb, process in running:
            out, err = process.communicate()
            assert b"Traceback" not in err
            assert process.returncode is not None
            self.told.append(Told(verb, process.returncode, json.loads(out)))

    def newest(self, path: str) -> str:
        """Return the newest commit that changed `path`."""
        return self.manifests.git("log", "-1", "--first-parent", "--format=%H", "main", "--", path)


@pytest.fixture
def world(request: pytest.FixtureRequest, manifests: Manifests) -> Iterator[World]:
    """Three environments: dev follows main, stage takes from dev by itself, prod is approved."""
    files = {f"overlays/{name}/kustomization.yaml": OVERLAY for name in ("dev", "stage", "prod")}
    manifests.commit("Three environments", {"gitops.yaml": CONFIG, **files})
    manifests.git("config", "http.receivepack", "true")
    if request.param == "path":
        yield World(manifests, str(manifests.path))
        return
    with GitServer(manifests.path.parent) as server:
        yield World(manifests, server.repo)


def calls_of(world: World, dice: random.Random, turn: int) -> list[tuple[str, list[str]]]:
    """Return what happens at once in one round: eight people and jobs who know nothing of it."""
    stage = world.newest("overlays/stage/kustomization.yaml").strip()
    held = dice.choice(HELD)
    calls = [
        ("ana", ["deploy", f"shop/api:r{turn}", "--ref", "main"]),
        ("ana", ["promote", "--eligible"]),
        ("ana", ["promote", "--to", "prod"]),
        ("ben", ["approve", "prod"]),
        ("ana", ["rollback", dice.choice(HELD), "--reason", f"INC-{turn}"]),
        ("ben", ["hold", held, "--reason", f"round {turn}"]),
        ("ben", ["resume", dice.choice(HELD)]),
        ("ben", ["qa", "stage", "--pass", "--release", stage, "--note", f"round {turn}"]),
    ]
    dice.shuffle(calls)
    return calls


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("seed", "world"),
    [(seed, "path" if seed % 2 else "http") for seed in range(REPOSITORIES)],
    indirect=["world"],
)
def test_every_verb_at_once(world: World, seed: int) -> None:
    """Nothing lost or doubled, no automation in a held environment, one proposal, all verdicts."""
    dice = random.Random(seed)
    manifests = world.manifests
    manifests.gitops("deploy", "shop/api:r00", "--to", "stage", "--override", "begin")
    for turn in range(1, ROUNDS + 1):
        world.all_at_once(calls_of(world, dice, turn))
        branches = manifests.git("for-each-ref", "--format=%(refname:short)", "refs/heads")
        assert set(branches.split()) <= {"main", LEDGER, "gitops/prod"}

    assert {told.code for told in world.told} <= {0, 1, 3}, world.told
    _check_reports(world)
    _check_verdicts(world)
    _check_holds(world)
    if seed == 0:
        _check_answers(world)
    manifests.git("fsck", "--strict")


def _check_answers(world: World) -> None:
    """Every verb answers the same with what the race left in the cache, with nothing, and off."""
    newest = world.newest("overlays/stage/kustomization.yaml").strip()
    planned = [
        *("rollback stage --reason x", "undo stage --reason x", "hold dev --reason x"),
        *("resume --all", "promote --to prod", "promote --eligible", "deploy shop/api:x --to dev"),
        "close prod",
        f"qa stage --fail --release {newest}",
    ]
    asked = ["status", "history stage", "history prod", "diff dev stage", "validate --no-build"]
    for words in [*asked, *(f"{one} --dry-run" for one in planned)]:
        told = [
            world.manifests.gitops(
                *words.split(), "-o", "json", repo=world.url, env={"GITOPS_CACHE": cache}
            )
            for cache in ("off", world.cache(words), world.cache("shared"))
        ]
        assert told[0].code in (0, 1, 3), told[0]
        assert len({(one.code, MADE.sub("", one.out)) for one in told}) == 1, (words, told)


def _check_reports(world: World) -> None:
    """What was reported as committed is in the history, each intent once."""
    known = set(world.manifests.git("rev-list", "main", LEDGER).split())
    committed = [
        told.document["commit"]
        for told in world.told
        if told.code == 0 and told.document["outcome"] == "committed"
    ]
    ids = world.manifests.git(
        "log", "--first-parent", "--format=%(trailers:key=Gitops-Id,valueonly)", "main"
    ).split()

    assert committed
    assert set(committed) <= known
    assert [] == [one for one, count in Counter(ids).items() if count > 1]


def _check_verdicts(world: World) -> None:
    """Every word of QA that was taken is a line of the ledger, once, and no line was changed."""
    lines = [json.loads(line) for line in world.manifests.file("stage.jsonl", LEDGER).splitlines()]
    notes = Counter(line["reason"] for line in lines if line["verdict"] == "qa-passed")
    said = [told for told in world.told if told.verb == "qa"]
    taken = [told for told in said if told.document["outcome"] == "committed"]

    assert [0] * ROUNDS == [told.code for told in said]
    assert len(taken) == len(notes)
    assert set(notes.values()) == {1}
    removed = world.manifests.git("log", "--numstat", "--format=", LEDGER).split("\n")
    assert {"0"} == {row.split("\t")[1] for row in removed if row}


def _check_holds(world: World) -> None:
    """Whatever automation or an approval brought in found no hold on the very commit before."""
    git = world.manifests.git
    for commit in git("rev-list", "--first-parent", "--min-parents=1", "main").split():
        action = git("log", "-1", "--format=%(trailers:key=Gitops-Action,valueonly)", commit)
        changed = git("diff-tree", "-r", "--name-only", "--no-commit-id", f"{commit}^1", commit)
        held = git("ls-tree", "-r", "--name-only", f"{commit}^1", ".gitops/holds").split()
        for name in HELD:
            if f"overlays/{name}/kustomization.yaml" not in changed.split():
                continue
            if f".gitops/holds/{name}.yaml" in held:
                assert "rollback" in action.split(), f"{commit}: {action} of {name}, which is held"
