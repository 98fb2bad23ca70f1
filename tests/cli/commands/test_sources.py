"""Source repositories over HTTP: builds are held against their branches, releases are cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitrepos import Repo
from manifests import Manifests, Result
from servers.git_http import GitServer

DEV = "overlays/dev/kustomization.yaml"
STAGE = "overlays/stage/kustomization.yaml"
FILES: dict[str, bytes | None] = {"main.py": b"print()\n"}


@dataclass
class World:
    """The manifests, and the source repository that shop/api is built from."""

    manifests: Manifests
    api: Repo
    url: str

    def gitops(self, *arguments: str, env: dict[str, str] | None = None) -> Result:
        """Run gitops on the manifests."""
        return self.manifests.gitops(*arguments, env=env)

    def build(self, tag: str, ref: str, commit: str, *more: str) -> Result:
        """Tell gitops of a build, as CI does."""
        words = ("--ref", ref, "--commit", commit, "-o", "json")
        return self.gitops("deploy", f"shop/api:{tag}", *words, *more)


@pytest.fixture
def world(manifests: Manifests, tmp_path: Path) -> Iterator[World]:
    """Manifests that know where shop/api is built from: a repository on a server."""
    root = tmp_path / "sources"
    root.mkdir()
    api = Repo.bare(root / "api.git")
    api.git("config", "http.receivepack", "true")
    for number in range(3):
        api.commit({**FILES, "number": b"%d" % number}, f"commit {number}\n")
    with GitServer(root) as server:
        url = f"{server.url}/api.git"
        config = (manifests.checkout / "gitops.yaml").read_text()
        text = config + f'\nimages:\n  - {{name: shop/api, source: "{url}"}}\n'
        manifests.commit("Say where shop/api is built from", {"gitops.yaml": text})
        yield World(manifests, api, url)


def on(world: World, branch: str) -> str:
    """Return the head of a source branch."""
    head = world.api.head(branch)
    assert head is not None
    return head


def grow(world: World, branch: str, count: int = 1) -> list[str]:
    """Commit to a source branch."""
    changes = [({"number": b"%d" % n}, f"more {n}\n") for n in range(count)]
    return world.api.commits(changes, branch=branch)


def branch_off(world: World, branch: str, start: str = "main") -> str:
    """Make a source branch with one commit of its own."""
    world.api.git("update-ref", f"refs/heads/{branch}", on(world, start))
    return grow(world, branch)[-1]


def test_a_build_of_its_branch_is_deployed(world: World) -> None:
    """A commit on the branch goes in, an abbreviated one is recorded in full."""
    old = world.api.git("rev-parse", "main~1").strip()
    result = world.build("1.9.0", "main", old[:9])

    assert (0, "committed") == (result.code, result.json["outcome"]), result.err
    message = world.manifests.git("log", "-1", "--format=%B", "main")
    assert f"Source-Revision: main@sha1:{old}\n" in message


def test_a_commit_that_is_not_on_the_branch_is_refused(world: World) -> None:
    """A commit of another branch, or one that nobody has, does not go in as main's."""
    other = branch_off(world, "feature/x")
    results = [world.build("1.9.0", "main", commit) for commit in (other, "5f2c" * 10)]

    assert [(1, "refused")] * 2 == [(one.code, one.json["error"]["code"]) for one in results]
    message = results[0].json["error"]["message"]
    assert f"{other[:7]} is not on main of {world.url}" == message
    assert "1.9.0" not in world.manifests.file(DEV)


def test_a_deleted_branch_is_refused(world: World) -> None:
    """Nobody can say anything of a build whose branch is gone."""
    result = world.build("1.9.0", "release/1.4", on(world, "main"))

    assert (1, "refused") == (result.code, result.json["error"]["code"])
    assert "there is no branch release/1.4" in result.json["error"]["message"]


def test_an_older_build_that_finishes_last_is_skipped(world: World) -> None:
    """The newer build stays, the older one is listed as superseded with both commits, exit 0."""
    old, new = grow(world, "main", 60)[0], on(world, "main")
    first = world.build("2.0.0", "main", new)
    late = world.build("1.9.0", "main", old)

    assert (0, "committed") == (first.code, first.json["outcome"]), first.err
    assert (0, "unchanged", []) == (late.code, late.json["outcome"], late.json["changes"])
    reasons = {row["environment"]: row["reason"] for row in late.json["skipped"]}
    assert {"dev", "test"} == set(reasons)
    text = f"superseded: shop/api runs {new[:7]}, which is newer than {old[:7]}"
    assert text == reasons["dev"]
    assert "2.0.0" in world.manifests.file(DEV)


def test_an_older_build_goes_back_in_on_purpose(world: World) -> None:
    """--override puts the older build in, and is recorded."""
    old, new = grow(world, "main", 2)
    world.build("2.0.0", "main", new)
    result = world.build("1.9.0", "main", old, "--override", "2.0.0 eats data")

    assert 0 == result.code, result.err
    assert "1.9.0" in world.manifests.file(DEV)
    assert "superseded" in world.manifests.git("log", "-1", "--format=%B", "main")


def test_the_same_commit_may_be_built_again(world: World) -> None:
    """A second build of the deployed commit is not older than it."""
    head = on(world, "main")
    world.build("1.9.0", "main", head)
    result = world.build("1.9.0-rebuilt", "main", head)

    assert (0, []) == (result.code, result.json["skipped"])
    assert "1.9.0-rebuilt" in world.manifests.file(DEV)


def test_stage_follows_the_newest_release_branch(world: World) -> None:
    """With two live release branches stage takes the newer version only; 1.10 is after 1.9."""
    old, new = branch_off(world, "release/1.9"), branch_off(world, "release/1.10")
    kept = world.build("1.9.1", "release/1.9", old)
    taken = world.build("1.10.0", "release/1.10", new)
    by_hand = world.build("1.9.1", "release/1.9", old, "--to", "stage")

    assert (0, "unchanged") == (kept.code, kept.json["outcome"])
    assert ["follows release/1.10, the newest release branch, not release/1.9"] == [
        row["reason"] for row in kept.json["skipped"]
    ]
    assert (0, "committed") == (taken.code, taken.json["outcome"])
    assert (1, "refused") == (by_hand.code, by_hand.json["error"]["code"])


def test_a_newer_branch_does_not_stop_builds_silently(world: World) -> None:
    """A `release/9999` keeps builds out: status and validate say so, `followBelow` bounds it."""
    commit = branch_off(world, "release/1.9")
    assert world.build("1.9.1", "release/1.9", commit).json["outcome"] == "committed"
    quiet = world.gitops("status", "stage", "-o", "json")
    branch_off(world, "release/9999")
    skipped = world.build("1.9.2", "release/1.9", commit)
    said = [world.gitops("status", "-o", "json"), world.gitops("validate", "-o", "json")]
    config = world.manifests.file("gitops.yaml")
    bound = config.replace("    deploy: auto   ", '    followBelow: "100"\n    deploy: auto   ')
    assert bound != config
    world.manifests.commit("Bound what is followed", {"gitops.yaml": bound})
    taken = world.build("1.9.2", "release/1.9", commit)
    far = world.build("9999.0", "release/9999", on(world, "release/9999"))

    assert not any("release/9999" in one for one in quiet.json["warnings"])
    assert "release/9999" in skipped.json["skipped"][0]["reason"]
    warnings = [*said[0].json["warnings"], *(one["message"] for one in said[1].json["problems"])]
    told = [one for one in warnings if "release/9999" in one]
    assert ["stage: builds of release/1.9" in one for one in told] == [True, True]
    assert said[1].code == 0
    assert (0, "committed") == (taken.code, taken.json["outcome"]), taken.err
    assert "below 100" in far.json["skipped"][0]["reason"]
    after = world.gitops("status", "-o", "json")
    assert not any("release/9999" in one for one in after.json["warnings"])


def test_follow_any_takes_each_release_branch(world: World) -> None:
    """`follow: any` lets a build of an older release branch in, too."""
    config = world.manifests.file("gitops.yaml")
    text = config.replace("    deploy: auto   ", "    follow: any\n    deploy: auto   ")
    assert text != config
    world.manifests.commit("Take each release", {"gitops.yaml": text})
    old = branch_off(world, "release/1.9")
    branch_off(world, "release/1.10")
    result = world.build("1.9.1", "release/1.9", old)

    assert (0, "committed") == (result.code, result.json["outcome"]), result.err
    assert "1.9.1" in world.manifests.file(STAGE)


def test_images_without_a_source_are_believed(world: World) -> None:
    """shop/web has no source repository: what CI says of it is taken."""
    words = ("--ref", "main", "--commit", "5f2c" * 10)
    result = world.gitops("deploy", "shop/web:9.9.9", *words)

    assert 0 == result.code, result.err


def test_release_cut_makes_the_branch(world: World) -> None:
    """The head of main becomes release/1.5; a second time is refused and nothing moves."""
    planned = world.gitops("release", "cut", "1.5", "--dry-run", "-o", "json")
    assert ("planned", None) == (planned.json["outcome"], world.api.head("release/1.5"))
    result = world.gitops("release", "cut", "1.5", "-o", "json")
    head = on(world, "main")

    assert 0 == result.code, result.err
    assert [(world.url, ["shop/api"], "release/1.5", head)] == [
        (row["source"], row["images"], row["branch"], row["commit"])
        for row in result.json["branches"]
    ]
    assert head == on(world, "release/1.5")
    grow(world, "main")
    again = world.gitops("release", "cut", "1.5", "-o", "json")
    assert (1, "refused") == (again.code, again.json["error"]["code"])
    assert f"exists in {world.url}, at {head[:7]}" in again.json["error"]["message"]
    assert head == on(world, "release/1.5")


def test_release_cut_from_an_older_commit_of_main(world: World) -> None:
    """--commit names one on the branch; one that is not there is refused."""
    other = branch_off(world, "feature/x")
    old = world.api.git("rev-parse", "main~2").strip()
    refused = world.gitops("release", "cut", "1.5", "--commit", other, "-o", "json")
    result = world.gitops("release", "cut", "1.5", "--commit", old)

    assert (1, "refused") == (refused.code, refused.json["error"]["code"])
    assert 0 == result.code, result.err
    assert old == on(world, "release/1.5")


@pytest.mark.parametrize(
    ("words", "code"),
    [(("soon",), "usage"), (("1.5", "--source", "shop/else"), "not-found")],
)
def test_release_cut_of_nonsense(world: World, words: tuple[str, ...], code: str) -> None:
    """A version that does not parse and an unknown source are told apart; nothing is made."""
    result = world.gitops("release", "cut", *words, "-o", "json")

    assert code == result.json["error"]["code"]
    assert ["main"] == world.api.git("for-each-ref", "--format=%(refname:short)").split()


def test_release_list_shows_heads_and_what_runs(world: World) -> None:
    """Each release branch, newest first, with its head and the commit that stage runs."""
    first = branch_off(world, "release/1.9")
    newest = branch_off(world, "release/1.10")
    world.build("1.10.0", "release/1.10", newest)
    moved = grow(world, "release/1.10")[-1]
    rows = world.gitops("release", "list", "-o", "json").json["branches"]
    text = world.gitops("release", "list").out

    assert [("release/1.10", moved), ("release/1.9", first)] == [
        (row["branch"], row["head"]) for row in rows
    ]
    assert [("stage", "shop/api", newest, False)] == [
        (one["environment"], one["image"], one["commit"], one["is_head"])
        for one in rows[0]["running"]
    ]
    assert [] == rows[1]["running"]
    assert f"shop/api at {newest[:7]}, not its HEAD" in text


def test_release_list_shows_the_word_of_qa(world: World) -> None:
    """What QA said of the images that run stands beside them, and not beside what came later."""
    commit = branch_off(world, "release/1.5")
    release = world.build("1.5.0", "release/1.5", commit).json["commit"]
    world.gitops("qa", "stage", "--pass", "--release", release, "--note", "plan 81")
    passed = world.gitops("release", "list", "-o", "json").json
    text = world.gitops("release", "list").out
    world.build("1.5.1", "release/1.5", grow(world, "release/1.5")[-1])
    later = world.gitops("release", "list", "-o", "json").json

    ((running,),) = [row["running"] for row in passed["branches"]]
    assert [("qa-passed", "plan 81")] == [
        (word["verdict"], word["reason"]) for word in running["verdicts"]
    ]
    assert f"shop/api at {commit[:7]}  [qa-passed]" in text
    assert [] == later["branches"][0]["running"][0]["verdicts"]
    assert [] == passed["warnings"]


def test_release_list_looks_at_branches_of_environments(world: World) -> None:
    """What runs on stage's own branch is shown; a branch that is not there is a warning."""
    commit = branch_off(world, "release/1.5")
    text = (world.manifests.checkout / "gitops.yaml").read_text()
    own = text.replace("  - name: stage\n", "  - name: stage\n    branch: staging\n")
    world.manifests.commit("Put stage on a branch of its own", {"gitops.yaml": own})
    missing = world.gitops("release", "list", "-o", "json").json
    world.manifests.git("branch", "staging", "main")
    world.build("1.5.0", "release/1.5", commit)
    shown = world.gitops("release", "list", "-o", "json").json

    assert ["stage lives on a branch of its own: no branch staging"] == [
        warning.partition(" in ")[0] for warning in missing["warnings"]
    ]
    assert [("stage", commit)] == [
        (one["environment"], one["commit"]) for one in shown["branches"][0]["running"]
    ]
    assert [] == shown["warnings"]


def test_release_without_source_repositories(manifests: Manifests) -> None:
    """Where gitops.yaml names none, the error says which key to write."""
    result = manifests.gitops("release", "list", "-o", "json")

    assert (2, "config") == (result.code, result.json["error"]["code"])
    assert "images:" in result.json["error"]["hint"]


@pytest.mark.parametrize(
    ("variables", "branch"),
    [
        ({"GITHUB_REF_NAME": "main", "GITHUB_REF_TYPE": "branch"}, "main"),
        ({"GITHUB_REF_NAME": "7/merge", "GITHUB_HEAD_REF": "main"}, "main"),
        ({"CI_COMMIT_BRANCH": "main"}, "main"),
        ({"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "main", "CI_COMMIT_REF_NAME": "x"}, "main"),
    ],
)
def test_ref_auto(manifests: Manifests, variables: dict[str, str], branch: str) -> None:
    """--ref auto takes the branch from the words of GitHub and GitLab."""
    words = ("deploy", "shop/api:1.9.0", "--ref", "auto", "-o", "json")
    result = manifests.gitops(*words, env=variables)

    assert 0 == result.code, result.err
    message = manifests.git("log", "-1", "--format=%B", "main")
    assert f"Source-Revision: {branch}\n" in message


@pytest.mark.parametrize(
    ("variables", "ref", "words"),
    [
        ({}, "auto", "no branch"),
        ({"GITHUB_REF_NAME": "v1", "GITHUB_REF_TYPE": "tag"}, "auto", "v1 is a tag"),
        ({"CI_COMMIT_TAG": "v1"}, "auto", "v1 is a tag"),
        ({}, "refs/tags/v1", "v1 is a tag"),
        ({}, "refs/pull/7/head", "is no branch"),
    ],
)
def test_what_is_no_branch(
    manifests: Manifests, variables: dict[str, str], ref: str, words: str
) -> None:
    """Outside of CI, and for a tag, --ref says so instead of guessing."""
    result = manifests.gitops("deploy", "shop/api:1", "--ref", ref, "-o", "json", env=variables)

    assert (2, "usage") == (result.code, result.json["error"]["code"])
    assert words in result.json["error"]["message"]


def test_a_release_branch_that_moves_before_the_approval(world: World) -> None:
    """A commit pushed after the promotion was proposed stops promotion and approval, both shown."""
    passed = branch_off(world, "release/1.5")
    world.build("1.5.0", "release/1.5", passed)
    proposed = world.gitops("promote", "shop/api", "--to", "prod", "--override", "no QA here")
    moved = grow(world, "release/1.5")[-1]
    ben = {"GITOPS_AUTHOR": "Ben <ben@example.com>"}
    refused = world.gitops("approve", "prod", "-o", "json", env=ben)
    again = world.gitops("promote", "shop/api", "--to", "prod", "-o", "json")

    assert 0 == proposed.code, proposed.err
    for result in (refused, again):
        assert (1, "refused") == (result.code, result.json["error"]["code"])
        reasons = " ".join(result.json["error"]["reasons"])
        assert passed[:7] in reasons
        assert moved[:7] in reasons
