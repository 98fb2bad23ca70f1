"""From a commit of main to prod and back, on bare repositories over HTTP and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitrepos import Repo
from manifests import QA_ROW, Manifests, Result
from servers.git_http import GitServer

PROD = "overlays/prod/kustomization.yaml"
STAGE = "overlays/stage/kustomization.yaml"
ANA = {"GITOPS_AUTHOR": "Ana <ana@example.com>"}
BEN = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}
CARA = {"GITOPS_AUTHOR": "Cara <cara@example.com>"}
FREEZE = """
freeze:
  - name: audit
    environments: [prod]
    from: "2020-01-01"
    to: "{end}"
    timezone: Asia/Seoul
    reason: auditors are here
"""


@dataclass
class World:
    """The manifests and the two source repositories, all on one server."""

    manifests: Manifests
    sources: dict[str, Repo]
    url: str

    def gitops(self, *arguments: str, who: dict[str, str] | None = None) -> Result:
        """Run gitops over HTTP, with JSON."""
        return self.manifests.gitops(*arguments, "-o", "json", repo=self.url, env=who)

    def does(self, *arguments: str, who: dict[str, str] | None = None) -> Result:
        """The same, and it must end 0."""
        result = self.gitops(*arguments, who=who)
        assert 0 == result.code, f"{arguments}: {result.out}{result.err}"
        return result

    def refuses(self, *arguments: str, who: dict[str, str] | None = None) -> str:
        """The same, and it must be refused; returns all reasons."""
        result = self.gitops(*arguments, who=who)
        assert (1, "refused") == (result.code, result.json["error"]["code"]), result.out
        return "\n".join([result.json["error"]["message"], *result.json["error"]["reasons"]])

    def head(self, source: str, branch: str) -> str:
        """Return the head of a branch of a source repository."""
        head = self.sources[source].head(branch)
        assert head is not None
        return head


@pytest.fixture
def world(manifests: Manifests, tmp_path: Path) -> Iterator[World]:
    """The sample with QA's word asked for prod, and a source repository for each image."""
    root = manifests.path.parent
    manifests.git("config", "http.receivepack", "true")
    sources = {}
    for name in ("api", "web"):
        sources[name] = Repo.bare(root / f"{name}.git")
        sources[name].git("config", "http.receivepack", "true")
        for number in range(3):
            sources[name].commit({"number": b"%d" % number}, f"commit {number}\n")
    with GitServer(root) as server:
        config = (manifests.checkout / "gitops.yaml").read_text()
        after = "    after: [stage]                # only what stage runs, or ran\n"
        assert after in config
        rows = "".join(
            f'  - {{name: shop/{name}, source: "{server.url}/{name}.git"}}\n' for name in sources
        )
        text = config.replace(after, after + QA_ROW) + f"\nimages:\n{rows}"
        manifests.commit("Ask QA, and name the sources", {"gitops.yaml": text})
        yield World(manifests, sources, server.repo)


def test_story(world: World) -> None:
    """main to dev and test, a release cut, QA, approval; moved, frozen, rolled back, left alone."""
    commit = world.head("api", "main")
    bump = world.does("deploy", "shop/api:1.5.0", "--ref", "main", "--commit", commit)
    assert ["dev", "test"] == [row["environment"] for row in bump.json["changes"]]

    # A release branch in both source repositories; CI builds it, stage follows.
    cut = world.does("release", "cut", "1.5", who=CARA)
    assert 2 == len(cut.json["branches"])
    builds = {name: world.head(name, "release/1.5") for name in world.sources}
    for name, tag in (("api", "1.5.0"), ("web", "2.5.0")):
        words = ("--ref", "refs/heads/release/1.5", "--commit", builds[name])
        staged = world.does("deploy", f"shop/{name}:{tag}", *words)
        assert ["stage"] == [row["environment"] for row in staged.json["changes"]]
    release = staged.json["commit"]

    # Nobody tested it; a word on the release before does not pass this one.
    reasons = world.refuses("promote", "--to", "prod", who=ANA)
    assert "stage has no qa-passed for shop/api 1.5.0, shop/web 2.5.0" in reasons
    before = world.does("history", "stage").json["releases"][1]["commit"]
    world.does("qa", "stage", "--pass", "--release", before, who=CARA)
    assert "shop/web 2.5.0" in world.refuses("promote", "--to", "prod", who=ANA)
    world.does("qa", "stage", "--pass", "--release", release, "--note", "plan 81", who=CARA)

    proposed = world.does("promote", "--to", "prod", who=ANA)
    assert ("proposed", []) == (proposed.json["outcome"], proposed.json["warnings"])
    assert "newTag: 1.4.0" in _plain(world.manifests.file(PROD))
    assert "an author of this proposal" in world.refuses("approve", "prod", who=ANA)
    waiting = world.does("status", "prod").json["environments"][0]["proposals"]
    assert [("gitops/prod", "open", "Ana")] == [
        (row["branch"], row["state"], row["by"]) for row in waiting
    ]
    approved = world.does("approve", "prod", who=BEN)
    assert "committed" == approved.json["outcome"]
    live = _plain(world.manifests.file(PROD))
    assert "newTag: 1.5.0" in live
    assert "newTag: 2.5.0" in live

    # A fix goes into the release branch after QA has passed a build: both commits are shown.
    world.sources["api"].commit({"fix": b"1"}, "fix\n", branch="release/1.5")
    fixed = world.head("api", "release/1.5")
    words = ("--ref", "release/1.5", "--commit", fixed)
    second = world.does("deploy", "shop/api:1.5.1", *words).json["commit"]
    world.does("qa", "stage", "--pass", "--release", second, who=CARA)
    world.sources["api"].commit({"fix": b"2"}, "fix again\n", branch="release/1.5")
    moved = world.head("api", "release/1.5")
    reasons = world.refuses("promote", "--to", "prod", who=ANA)
    assert f"release/1.5 moved from {fixed[:7]} (QA passed) to {moved[:7]}" in reasons

    # The new head is built and passed, but the audit has begun: no way in, a way back.
    words = ("--ref", "release/1.5", "--commit", moved)
    third = world.does("deploy", "shop/api:1.5.2", *words).json["commit"]
    world.does("qa", "stage", "--pass", "--release", third, who=CARA)
    config = world.manifests.file("gitops.yaml")
    end = datetime.now(UTC).date() + timedelta(days=30)
    frozen = config + FREEZE.format(end=end)
    world.manifests.commit("Freeze prod", {"gitops.yaml": frozen})
    reasons = world.refuses("promote", "--to", "prod", who=ANA)
    assert "auditors are here" in reasons
    assert f"opens {end}T15:00:00Z" in reasons  # the last day is over in Seoul
    back = world.does("rollback", "prod", "--reason", "INC-42", who=ANA)
    assert ("committed", "INC-42") == (back.json["outcome"], back.json["hold"]["reason"])
    assert "newTag: 1.4.0" in _plain(world.manifests.file(PROD))

    # With prod on automatic and the freeze over, the hold is what keeps automation out.
    text = config.replace("    deploy: manual\n    change: pull-request", "    deploy: auto")
    assert text != config
    world.manifests.commit("Promote by itself", {"gitops.yaml": text})
    left = world.does("promote", "--eligible")
    assert "unchanged" == left.json["outcome"]
    ((where, why),) = [(row["environment"], row["reason"]) for row in left.json["skipped"]]
    assert "prod" == where
    assert "held by Ana: INC-42" in why
    world.does("resume", "prod", who=ANA)
    assert "committed" == world.does("promote", "--eligible").json["outcome"]
    assert "newTag: 1.5.2" in _plain(world.manifests.file(PROD))
    world.manifests.git("fsck", "--strict")


def test_one_source_that_moved_stops_all(world: World) -> None:
    """Of several source repositories one has moved: the whole promotion is refused, by name."""
    world.does("release", "cut", "1.5")
    for name, tag in (("api", "1.5.0"), ("web", "2.5.0")):
        words = ("--ref", "release/1.5", "--commit", world.head(name, "release/1.5"))
        staged = world.does("deploy", f"shop/{name}:{tag}", *words)
    world.does("qa", "stage", "--pass", "--release", staged.json["commit"])
    old = world.head("web", "release/1.5")
    world.sources["web"].commit({"fix": b"1"}, "fix\n", branch="release/1.5")
    new = world.head("web", "release/1.5")
    reasons = world.refuses("promote", "--to", "prod")
    named = world.does("promote", "shop/api", "--to", "prod")

    assert f"moved from {old[:7]} (QA passed) to {new[:7]}" in reasons
    assert "shop/api" not in reasons.split("\n")[0]
    assert ["shop/api"] == [row["image"] for row in named.json["changes"]]


def test_two_approvals_of_two_people(world: World) -> None:
    """With `required: 2` one word waits, and does not count twice when it is said again."""
    config = world.manifests.file("gitops.yaml")
    text = config.replace(QA_ROW, "    approvals: {required: 2}\n")
    world.manifests.commit("Two must agree", {"gitops.yaml": text})
    world.does("deploy", "shop/api:1.5.0", "--to", "stage")
    world.does("promote", "--to", "prod", who=ANA)
    first = world.does("approve", "prod", who=BEN)
    again = world.does("approve", "prod", who=BEN)
    assert "newTag: 1.4.0" in _plain(world.manifests.file(PROD))
    last = world.does("approve", "prod", who=CARA)

    assert ("gitops/ledger", "open") == (
        first.json["branch"],
        first.json["proposals"][0]["state"],
    )
    assert "open" == again.json["proposals"][0]["state"]
    assert ("main", "merged") == (last.json["branch"], last.json["proposals"][0]["state"])
    assert "newTag: 1.5.0" in _plain(world.manifests.file(PROD))


def _plain(text: str) -> str:
    return text.replace('"', "").replace("'", "")
