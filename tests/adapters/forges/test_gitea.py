"""What only Gitea does: forks, unofficial reviews, rules with patterns. On a real one, or pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from forges.gitea_world import gitea_place, gitea_world
from forges.hands import RemoteHands
from gitops.adapters.forges.gitea import GiteaForge, open_gitea
from gitops.adapters.forges.gitea.answers import (
    protection,
    rule_for,
    seen_from_outside,
    spelled_out,
)
from gitops.adapters.local.clock import SystemClock
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.errors import Unavailable
from gitops.ports import CheckState, NotMerged, Protection, PullText
from servers.fault_proxy import Fault, FaultProxy
from servers.gitea import GiteaServer

TEXT = PullText("prod: api 1 -> 2", "text")


def test_a_forks_branch_of_the_same_name_is_not_ours(gitea: GiteaServer, tmp_path: Path) -> None:
    """Everybody may open a pull request from a fork: it is never found, updated or merged."""
    place = gitea_place(gitea, tmp_path)
    with gitea_world(place) as world:
        owner, name = place.repository.split("/")
        gitea.call("POST", f"/repos/{owner}/{name}/forks", {}, user="ben")
        fork = RemoteHands(gitea.clone_url(f"ben/{name}", user="ben"), tmp_path / "fork")
        gitea.settle(f"ben/{name}")
        fork.commit(world.branch, {"overlay.yaml": b"tag: evil\n"}, on=fork.head(world.base))
        theirs = gitea.call(
            "POST",
            f"/repos/{owner}/{name}/pulls",
            {"head": f"ben:{world.branch}", "base": world.base, "title": TEXT.title},
            user="ben",
        )

        assert world.forge.find(world.branch, world.base) is None
        world.propose()
        ours = world.forge.open(world.branch, world.base, TEXT)
        assert theirs["number"] != ours.number
        found = world.forge.find(world.branch, world.base)
        assert found is not None
        assert ours.number == found.number


def test_a_readers_approval_does_not_count(gitea: GiteaServer, tmp_path: Path) -> None:
    """Whoever may read may review; Gitea keeps it, and does not count it."""
    place = gitea_place(gitea, tmp_path)
    with gitea_world(place) as world:
        owner, name = place.repository.split("/")
        gitea.call("DELETE", f"/repos/{owner}/{name}/collaborators/ben", user="ana")
        world.people.require(world.base, 1, ())
        world.propose()
        pull = world.forge.open(world.branch, world.base, TEXT)
        world.people.approve(pull.number)

        assert () == world.forge.readiness(pull.number).approvals
        answer = world.forge.merge(pull.number, pull.head, "merge", "t", "m")
        assert isinstance(answer, NotMerged)
        assert ("refused", True) == (answer.kind, "approvals" in answer.words)


def test_a_push_that_is_not_noted_yet(gitea: GiteaServer, tmp_path: Path) -> None:
    """Gitea notes who pushed a while after it shows the head: until then nobody is told of."""
    place = gitea_place(gitea, tmp_path)
    with gitea_world(place) as world, FaultProxy(gitea.url) as proxy:
        world.propose()
        pull = world.forge.open(world.branch, world.base, TEXT)
        files = {"overlay.yaml": b"tag: 3\n"}
        mine = place.hands.commit(world.branch, files, on=pull.head, by="Zoe")  # whom nobody knows
        gitea.wait_for(lambda: ("ana", mine) in _told(world.forge, pull.number))

        address = ForgeAddress("gitea", proxy.url, place.repository)
        token = ForgeToken(gitea.users["ci"].token, "GITEA_TOKEN")
        behind = open_gitea(address, token, SystemClock(), 60.0, {})
        late = Fault(lambda _, path: "/timeline" in path, status=200, body=b"[]", times=3)
        proxy.faults.append(late)
        assert ("ana", mine) in _told(behind, pull.number)

        proxy.faults.append(replace(late, times=99))
        with pytest.raises(Unavailable, match="no note of who pushed"):
            behind.makers(pull.number)


def _told(forge: GiteaForge, number: int) -> set[tuple[str, str]]:
    return {(one.who, one.commit) for one in forge.makers(number)}


def test_the_owner_is_not_let_past_the_rule(gitea: GiteaServer, tmp_path: Path) -> None:
    """An administrator could force a merge: gitops never asks for that."""
    place = gitea_place(gitea, tmp_path)
    with gitea_world(place) as world:
        world.people.require(world.base, 1, ())
        world.propose()
        pull = world.owner.open(world.branch, world.base, TEXT)

        answer = world.owner.merge(pull.number, pull.head, "merge", "t", "m")
        assert isinstance(answer, NotMerged)
        assert "refused" == answer.kind


def test_a_base_with_slashes(gitea: GiteaServer, tmp_path: Path) -> None:
    """Names of branches with slashes go through every request."""
    place = gitea_place(gitea, tmp_path)
    with gitea_world(place) as world:
        base = "env/eu/production"
        place.hands.commit(base, {"overlay.yaml": b"tag: 1\n"})
        tip = place.hands.head(base)
        branch = f"{world.branch}/eu"
        place.hands.commit(branch, {"overlay.yaml": b"tag: 2\n"}, on=tip)
        pull = world.forge.open(branch, base, TEXT)
        world.forge.close(pull.number)
        world.owner.protect(base, 1, [])

        found = world.forge.find(branch, base)
        assert found is not None
        assert (pull.number, "closed", base) == (found.number, found.state, found.base)
        assert 1 == world.forge.protection(base).approvals
        assert 1 == world.owner.protection(base).approvals


def rule(name: str, **changes: Any) -> SimpleNamespace:
    """Return a rule as the library has it."""
    usual: dict[str, Any] = {
        "rule_name": name,
        "priority": 0,
        "enable_push": False,
        "enable_push_whitelist": False,
        "push_whitelist_usernames": [],
        "push_whitelist_teams": [],
        "enable_status_check": False,
        "status_check_contexts": ["ci/old"],
        "required_approvals": 0,
        "dismiss_stale_approvals": False,
        "ignore_stale_approvals": False,
    }
    return SimpleNamespace(**{**usual, **changes})


@pytest.mark.parametrize(
    ("branch", "names", "expected"),
    [
        ("main", ["release/*", "main"], "main"),
        ("release/1.4", ["main", "release/*"], "release/*"),
        ("release/1.4/fix", ["release/*"], None),
        ("release/1.4/fix", ["release/**"], "release/**"),
        ("release/1.4", ["release/*", "release/1.4"], "release/1.4"),
        ("main", ["ma?n"], "ma?n"),
        ("main", ["m.in"], None),
        ("main", [], None),
    ],
)
def test_which_rule_counts(branch: str, names: list[str], expected: str | None) -> None:
    """The rule of that very name, else the first pattern that matches."""
    found = rule_for(branch, [rule(name) for name in names])

    assert expected == (found.rule_name if found else None)


def test_the_order_of_patterns_counts() -> None:
    """Gitea has an order for them."""
    rules = [rule("rel*", priority=2), rule("*", priority=1)]

    assert "*" == rule_for("release", rules).rule_name


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (None, Protection(False, 0, (), ("*",))),
        (rule("main"), Protection(True, 0, (), ())),
        (rule("main", enable_push=True), Protection(True, 0, (), ("*",))),
        (
            rule(
                "main",
                enable_push=True,
                enable_push_whitelist=True,
                push_whitelist_usernames=["ci"],
                push_whitelist_teams=["ops"],
                enable_status_check=True,
                required_approvals=2,
                ignore_stale_approvals=True,
            ),
            Protection(True, 2, ("ci/old",), ("ci", "team:ops")),
        ),
    ],
)
def test_rules_become_values(one: Any, expected: Protection) -> None:
    """Names of checks count only where checks are asked for; nobody named is nobody."""
    assert expected == protection(one)


@pytest.mark.parametrize(
    ("branch", "expected"),
    [
        (None, Protection(None)),
        (SimpleNamespace(protected=False), Protection(False, 0, (), ("*",))),
        (
            SimpleNamespace(
                protected=True,
                required_approvals=1,
                enable_status_check=True,
                status_check_contexts=["ci/build"],
            ),
            Protection(True, 1, ("ci/build",)),
        ),
    ],
)
def test_what_a_writer_sees(branch: Any, expected: Protection) -> None:
    """Who may not read rules sees what the branch tells, and no more is claimed."""
    assert expected == seen_from_outside(branch)


def test_patterns_of_checks() -> None:
    """A pattern stands for what was reported, and for itself while nothing was."""
    checks: Mapping[str, CheckState] = {"ci/build": "success", "ci/lint": "pending", "x": "failure"}

    assert ("ci/build", "ci/lint") == spelled_out(["ci/*"], checks)
    assert ("sec/*", "x") == spelled_out(["sec/*", "x"], checks)
