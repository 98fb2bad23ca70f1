"""`gitops check` with a forge: whose word counts, for what, before and after the merge."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from fake_archive import FakeArchive
from fake_forge import FakeForge
from fakes import FakeClock, FakeRepository, session_on
from gitops.actions.check import check
from gitops.core.audit.findings import CheckReport
from gitops.core.environments.environment import Config
from gitops.errors import Denied, Unavailable
from gitops.ports import (
    GatedForge,
    MergeMethod,
    NewCommit,
    NoForge,
    Protection,
    PullRequest,
    PullText,
)

CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: overlays/dev}
  - {name: prod, overlay: overlays/prod, change: pull-request}
"""
DEV = "overlays/dev/kustomization.yaml"
PROD = "overlays/prod/kustomization.yaml"
TEXT = PullText("title", "body")


def overlay(tag: str, more: str = "") -> bytes:
    """An overlay on the base that pins one image."""
    text = f"resources:\n  - ../../base\nimages:\n  - name: shop/api\n    newTag: {tag}\n{more}"
    return text.encode()


FILES: Mapping[str, bytes] = {
    "gitops.yaml": CONFIG.encode(),
    DEV: overlay("v1"),
    PROD: overlay("v1"),
    "base/kustomization.yaml": b"resources:\n  - api.yaml\n",
    "base/api.yaml": b"kind: Deployment\n",
}


class World:
    """A repository, its forge, and the check on them."""

    def __init__(self, config: str = CONFIG) -> None:
        self.repository = FakeRepository({**FILES, "gitops.yaml": config.encode()})
        self.forge = FakeForge(self.repository)
        self.asked: list[Config] = []

    def open(self, config: Config) -> GatedForge | NoForge:
        """Open the forge, and note with which policy."""
        self.asked.append(config)
        return self.forge

    def check(self, revision: str | None = None) -> CheckReport:
        """Run the check."""
        session = session_on(
            self.repository,
            intent="i",
            archive=lambda: FakeArchive(self.repository),
            forge=self.open,
        )
        return check(session, revision)

    def propose(
        self, files: Mapping[str, bytes | None], branch: str = "feature", *, start: str = "main"
    ) -> PullRequest:
        """Put `files` on a branch of their own, and open its pull request into main."""
        self.repository.branches[branch] = self.repository.branches[start]
        self.repository.commit(files, f"{branch}\n", branch=branch)
        return self.forge.open(branch, "main", TEXT)

    def merge(self, pull: PullRequest, method: MergeMethod = "merge") -> None:
        """Merge it, whoever approved it or did not."""
        self.forge.merge(pull.number, pull.head, method, "Merge", "")


def found(report: CheckReport, level: str = "error") -> list[str | None]:
    """Return the paths of what was found."""
    return [one.path for one in report.findings if one.level == level]


def standing(report: CheckReport) -> list[tuple[str, str | None]]:
    """Return how each commit stands, and why."""
    return [(one.standing, one.evidence) for one in report.commits]


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
@pytest.mark.parametrize("path", [PROD, "base/api.yaml"])
def test_approved_pull_request(method: MergeMethod, path: str) -> None:
    """What a second person approved in the forge may change prod, however it was merged."""
    world = World()
    pull = world.propose({path: FILES[path] + b"# more\n"})
    world.forge.approve(pull.number, "cara")
    world.merge(pull, method)
    report = world.check()

    assert () == report.findings
    assert [("approved", "pull request 1, approved by cara")] == standing(report)
    assert "a forge in memory" == report.proof


def test_merged_without_approval() -> None:
    """A merged pull request that nobody approved proves nothing."""
    world = World()
    pull = world.propose({"base/api.yaml": b"kind: List\n"})
    world.merge(pull)
    report = world.check()

    assert ["base/api.yaml"] == found(report)
    assert "pull request 1, approved by nobody, where 1 must" in report.findings[0].message


def test_direct_push() -> None:
    """A push beside the forge is reported; nothing is asked where nothing is touched."""
    world = World()
    world.repository.commit({PROD: overlay("v2")})
    assert [PROD] == found(world.check())

    world.repository.commit({DEV: overlay("v2")})

    assert () == world.check().findings


def test_pull_request_of_another_branch() -> None:
    """A pull request into another branch says nothing about main."""
    world = World()
    world.repository.branches["other"] = world.repository.branches["main"]
    pull = world.propose({PROD: overlay("v2")})
    world.forge.pulls[pull.number].shown = replace(pull, base="other")
    world.forge.approve(pull.number, "cara")
    world.merge(pull)
    world.repository.branches["main"] = world.repository.branches["other"]

    assert [PROD] == found(world.check())


def test_more_in_the_merge_than_was_approved() -> None:
    """A merge commit that somebody pushed with more in it is reported for what is more."""
    world = World()
    pull = world.propose({PROD: overlay("v2")})
    world.forge.approve(pull.number, "cara")
    files = {PROD: overlay("v2"), "base/api.yaml": b"kind: List\n"}
    parents = [world.repository.branches["main"], pull.head]
    commit = world.repository.commit(files, "Merge\n", parents=parents)
    world.forge.pulls[pull.number].shown = replace(pull, state="merged", merged_as=commit)
    report = world.check()

    assert ["base/api.yaml"] == found(report)
    assert "but not with this in it" in report.findings[0].message


def test_both_sides_changed_the_overlay() -> None:
    """Edits of the same file on main and in the pull request are what a merge makes of them."""
    world = World()
    start = world.repository.branches["main"]
    pull = world.propose({PROD: overlay("v2")})
    world.forge.approve(pull.number, "cara")
    world.repository.commit({PROD: overlay("v1").replace(b"resources", b"components")})
    before = world.repository.branches["main"]
    assert start != before
    merged = overlay("v2").replace(b"resources", b"components")
    commit = world.repository.commit({PROD: merged}, "M\n", parents=[before, pull.head])
    world.forge.pulls[pull.number].shown = replace(pull, state="merged", merged_as=commit)

    assert () == world.check().findings

    evil = world.repository.commit({PROD: overlay("v2")}, "M\n", parents=[before, pull.head])
    world.forge.pulls[pull.number].shown = replace(pull, state="merged", merged_as=evil)

    assert [PROD] == found(world.check())


class Rebased(FakeForge):
    """A forge that knows commits of a pull request that was rebased: all, or the last one."""

    landed: tuple[str, ...] = ()
    merged_as = ""

    def merged_by(self, commit: str, base: str) -> PullRequest | None:
        """See `ports.Gates`."""
        pull = self.pulls[1].shown
        if commit not in self.landed:
            return None
        return replace(pull, state="merged", merged_as=self.merged_as)


@pytest.mark.parametrize("known", ["all", "last"])
@pytest.mark.parametrize("extra", [b"", b"# evil\n"])
def test_rebased_pull_request_of_two_commits(extra: bytes, known: str) -> None:
    """The commits of one pull request are looked at together, and hold no more than it had."""
    world = World()
    world.forge = Rebased(world.repository)
    before = world.repository.branches["main"]
    world.repository.branches["feature"] = before
    steps = (overlay("v2"), overlay("v3"))
    for content in steps:
        world.repository.commit({PROD: content}, "step\n", branch="feature")
    pull = world.forge.open("feature", "main", TEXT)
    world.forge.approve(1, "cara")
    world.repository.commit({DEV: overlay("v9")}, "Meanwhile\n")
    landed = [
        world.repository.commit({PROD: one}, "step\n") for one in (steps[0], steps[1] + extra)
    ]
    world.forge.landed = tuple(landed if known == "all" else landed[-1:])
    world.forge.merged_as = landed[-1]
    report = world.check(f"{before}..main")

    assert pull.head
    assert ([PROD, PROD] if extra else []) == found(report)


def test_two_must_approve() -> None:
    """An environment that asks for two wants two in the forge as well."""
    config = CONFIG.replace(
        "change: pull-request", "change: pull-request, approvals: {required: 2}"
    )
    world = World(config)
    pull = world.propose({PROD: overlay("v2")})
    world.forge.approve(pull.number, "cara")
    world.merge(pull)
    assert [PROD] == found(world.check())

    world.forge.approve(pull.number, "bo")

    assert () == world.check().findings


def test_author_counts_where_that_is_said() -> None:
    """With `self: true` merging one's own pull request is enough."""
    config = CONFIG.replace("change: pull-request", "change: pull-request, approvals: {self: true}")
    world = World(config)
    world.merge(world.propose({PROD: overlay("v2")}))

    assert [("approved", "pull request 1, approved by bot")] == standing(world.check())


def test_open_pull_request_that_smuggles() -> None:
    """Before the merge, what changes prod without being a proposal of it must be approved."""
    world = World()
    pull = world.propose({"base/api.yaml": b"kind: List\n", DEV: overlay("v2")})
    report = world.check("main..feature")
    assert ["base/api.yaml"] == found(report)
    assert "pull request 1 waits for an approval" in report.findings[0].message

    world.forge.approve(pull.number, "cara")

    assert [("approved", "pull request 1, approved by cara")] == standing(
        world.check("main..feature")
    )


def test_approval_of_an_older_head() -> None:
    """What was pushed after the approval nobody approved."""
    world = World()
    pull = world.propose({"base/api.yaml": b"kind: List\n"})
    world.forge.approve(pull.number, "cara")
    world.repository.commit({"base/api.yaml": b"kind: Other\n"}, branch="feature")

    assert ["base/api.yaml"] == found(world.check("main..feature"))


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        (Protection(protected=True, approvals=1), "notice"),
        (Protection(protected=True, approvals=None), "notice"),
        (Protection(protected=False, approvals=0), "error"),
    ],
)
def test_proposal_that_waits(rule: Protection, level: str) -> None:
    """A proposal of gitops may wait, unless the forge would let it in without anybody's word."""
    world = World()
    world.forge.rules["main"] = rule
    world.propose({PROD: overlay("v2")}, "gitops/prod")
    report = world.check("main..gitops/prod")

    assert [(PROD, level)] == [(one.path, one.level) for one in report.findings]
    assert "pull request 1 waits for an approval" in report.findings[0].message


def test_proposal_with_more_in_it() -> None:
    """A branch called like a proposal that changes more than images is none."""
    world = World()
    world.forge.rules["main"] = Protection(protected=True, approvals=1)
    world.propose({PROD: overlay("v2", "namespace: x\n")}, "gitops/prod")

    assert [PROD] == found(world.check("main..gitops/prod"))


def test_policy_of_the_branch_decides_who_is_asked() -> None:
    """The forge is opened as the policy before the change says, not as the change does."""
    world = World()
    config = CONFIG + "forge: {kind: none}\n"
    world.repository.commit({"gitops.yaml": config.encode(), PROD: overlay("v2")})

    assert sorted(["gitops.yaml", PROD]) == sorted(map(str, found(world.check())))
    assert [None] == list({one.forge for one in world.asked})


def test_policy_moves_on_with_what_was_approved() -> None:
    """In a range, an approved change of policy counts for the commits after it."""
    world = World()
    before = world.repository.branches["main"]
    moved = CONFIG.replace("overlay: overlays/prod", "overlay: prod")
    pull = world.propose(
        {"gitops.yaml": moved.encode(), PROD: None, "prod/kustomization.yaml": b""}
    )
    world.forge.approve(pull.number, "cara")
    world.merge(pull)
    commit = world.repository.commit({"prod/kustomization.yaml": b"resources: []\n"})
    report = world.check(f"{before}..main")

    assert [(commit, "prod/kustomization.yaml")] == [
        (one.commit, one.path) for one in report.findings
    ]


@pytest.mark.parametrize("trouble", [Unavailable("busy"), Denied("no token")])
def test_forge_that_does_not_answer(trouble: Unavailable | Denied) -> None:
    """When the forge cannot be asked, there is no answer, and none is made up."""
    world = World()
    world.merge(world.propose({PROD: overlay("v2")}))
    world.forge.trouble = trouble

    with pytest.raises(type(trouble)):
        world.check()


def test_no_token() -> None:
    """Without a token the way to get one is told beside what is reported."""
    world = World()
    world.repository.commit({PROD: overlay("v2")})
    world.open = lambda _: NoForge("set GITEA_TOKEN")  # type: ignore[method-assign]
    report = world.check()

    assert [PROD] == found(report)
    assert "set GITEA_TOKEN" in report.warnings[0]


def test_merge_without_a_forge_is_by_its_second_parent() -> None:
    """Without a forge a merge is asked after in the ledger, where nobody approved anything."""
    world = World()
    world.open = lambda _: NoForge()  # type: ignore[method-assign]
    world.repository.branches["side"] = world.repository.branches["main"]
    head = world.repository.commit({PROD: overlay("v2")}, branch="side")
    parents = (world.repository.branches["main"], head)
    merge = NewCommit(parents, {PROD: overlay("v2")}, "Merge\n", FakeClock().now())
    world.repository.branches["main"] = world.repository.create(merge)

    assert [PROD] == found(world.check())
