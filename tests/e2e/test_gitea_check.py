"""`gitops check` and `validate --forge` beside a real Gitea: what people approved there counts."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from checking import DEV, PROD, messages, standing, told
from manifests import Manifests, Result
from servers.gitea import GiteaServer

STATUS = "gitops check"


@dataclass
class Shop:
    """The sample on a Gitea, with main protected: one approval and one check, CI may push."""

    server: GiteaServer
    name: str
    manifests: Manifests

    def git(self, *arguments: str) -> str:
        """Run git in the checkout."""
        return subprocess.check_output(
            ["git", *arguments], cwd=self.manifests.checkout, text=True, stderr=subprocess.STDOUT
        ).strip()

    def gitops(self, *arguments: str, user: str = "ci", repo: str | None = None) -> Result:
        """Run gitops as somebody with an account."""
        where = self.server.clone_url(self.name, user=user) if repo is None else repo
        env = {"GITOPS_AUTHOR": f"{user} <{user}@example.com>"}
        env["GITEA_TOKEN"] = self.server.users[user].token
        return self.manifests.gitops(*arguments, repo=where, env=env)

    def check(self, *arguments: str, repo: str | None = None) -> Any:
        """Run the check, as a CI job does that reads."""
        result = self.gitops("check", *arguments, "-o", "json", user="ben", repo=repo)
        assert result.code in (0, 1), result.err
        return result.json

    def push(self, files: dict[str, str], branch: str = "main") -> str:
        """Commit files on top of main as the CI system, and push them to a branch."""
        self.git("fetch", "-q", "origin")
        self.git("checkout", "-q", "-B", "work", "origin/main")
        for path, content in files.items():
            place = self.manifests.checkout / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"Change {', '.join(files)}")
        self.git("push", "-q", "-f" if branch != "main" else "-q", "origin", f"HEAD:{branch}")
        return self.git("rev-parse", "HEAD")

    def file(self, path: str, ref: str = "origin/main") -> str:
        """Return a file as the remote has it."""
        self.git("fetch", "-q", "origin")
        return self.git("show", f"{ref}:{path}") + "\n"

    def pull(self, branch: str) -> int:
        """Open a pull request into main as the CI system."""
        body = {"head": branch, "base": "main", "title": branch}
        return int(self.server.call("POST", f"/repos/{self.name}/pulls", body, user="ci")["number"])

    def approve(self, number: int) -> None:
        """Approve it as ben."""
        path = f"/repos/{self.name}/pulls/{number}/reviews"
        self.server.call("POST", path, {"event": "APPROVED"}, user="ben")

    def succeed(self, commit: str) -> None:
        """Report the status that main wants."""
        body = {"context": STATUS, "state": "success"}
        self.server.call("POST", f"/repos/{self.name}/statuses/{commit}", body, user="ci")

    def merge(self, number: int, how: str = "merge") -> tuple[int, Any]:
        """Press the button; return what the server said when it is sure."""
        path = f"/repos/{self.name}/pulls/{number}/merge"
        found: list[tuple[int, Any]] = []

        def decided() -> bool:
            found[:] = [self.server.ask("POST", path, {"Do": how}, user="ben")]
            return "try again later" not in str(found[0][1])

        self.server.wait_for(decided)
        return found[0]


@pytest.fixture
def shop(gitea: GiteaServer, manifests: Manifests) -> Shop:
    """A repository of the test's own."""
    name = gitea.new_repository("ana", writers=("ben", "ci"))
    made = Shop(gitea, name, manifests)
    made.git("remote", "set-url", "origin", gitea.clone_url(name, user="ci"))
    made.git("push", "-q", "origin", "main")
    gitea.settle(name)
    gitea.protect(
        name, required_approvals=1, enable_status_check=True, status_check_contexts=[STATUS]
    )
    return made


def test_smuggled_through_the_base(shop: Shop) -> None:
    """A pull request that changes prod through base/ is reported, until somebody approves it."""
    api = shop.file("base/api.yaml")
    head = shop.push({"base/api.yaml": api + "# more\n", DEV: shop.file(DEV)}, "feature")
    number = shop.pull("feature")
    before = shop.check(f"main..{head}")
    assert [("prod", "base/api.yaml")] == told(before)
    assert f"pull request {number} waits for an approval" in messages(before)
    assert "Gitea at" in before["proof"]

    shop.approve(number)
    after = shop.check(f"main..{head}")
    assert ([], ["approved"]) == (told(after), standing(after))

    shop.succeed(head)
    assert 200 == shop.merge(number)[0]
    landed = shop.check("main")
    assert ([], ["approved"]) == (landed["findings"], standing(landed))
    assert f"pull request {number}, approved by ben" == landed["commits"][0]["evidence"]


def test_smuggled_through_the_policy(shop: Shop) -> None:
    """So is one that takes prod's protection away in gitops.yaml."""
    config = shop.file("gitops.yaml").replace("change: pull-request ", "change: commit ")
    head = shop.push({"gitops.yaml": config}, "feature")
    shop.pull("feature")

    document = shop.check(f"main..{head}")

    assert [("prod", "gitops.yaml")] == told(document)
    assert "change of prod was pull-request, is commit" in messages(document)


def test_direct_push_of_who_may(shop: Shop) -> None:
    """Who may push to main may bump dev; a change of prod in the same push is reported."""
    shop.push({DEV: shop.file(DEV).replace("1.4.1", "1.4.2")})
    assert [] == shop.check("main")["findings"]

    shop.push({"base/api.yaml": shop.file("base/api.yaml") + "# more\n"})

    assert [("prod", "base/api.yaml")] == told(shop.check("main"))


@pytest.mark.parametrize("how", ["squash", "rebase"])
def test_other_ways_to_merge(shop: Shop, how: str) -> None:
    """What was approved counts, whatever the merge made of its commits."""
    before = shop.git("rev-parse", "origin/main")
    prod = shop.file(PROD)
    shop.push({PROD: prod.replace("count: 4", "count: 5")}, "feature")
    shop.git("checkout", "-q", "-B", "work", "origin/feature")
    (shop.manifests.checkout / PROD).write_text(prod.replace("count: 4", "count: 6"))
    shop.git("commit", "-q", "-am", "Six")
    shop.git("push", "-q", "origin", "HEAD:feature")
    head = shop.git("rev-parse", "HEAD")
    shop.push({"docs/x.md": "x\n"})
    number = shop.pull("feature")
    shop.approve(number)
    shop.succeed(head)
    assert 200 == shop.merge(number, how)[0]

    document = shop.check(f"{before}..main")

    assert [] == document["findings"]
    assert "approved" in standing(document)


def test_evil_merge_beside_an_approved_pull_request(shop: Shop) -> None:
    """A merge that somebody pushes themselves, with more in it than was approved, is reported."""
    prod = shop.file(PROD)
    head = shop.push({PROD: prod.replace("count: 4", "count: 5")}, "feature")
    number = shop.pull("feature")
    shop.approve(number)
    shop.git("checkout", "-q", "-B", "work", "origin/main")
    shop.git("merge", "-q", "--no-ff", "--no-commit", head)
    (shop.manifests.checkout / "base/api.yaml").write_text("kind: List\n")
    shop.git("commit", "-q", "-am", "Merge")
    shop.git("push", "-q", "origin", "HEAD:main")

    assert ("prod", "base/api.yaml") in told(shop.check("main"))


def test_rollback_and_proposal(shop: Shop) -> None:
    """A promotion waits without being reported; a direct rollback of it needs nobody's word."""
    shop.gitops("deploy", "shop/api:1.5.0", "--ref", "release/1.5")
    stage = shop.gitops("history", "stage", "-o", "json").json["releases"][0]["commit"]
    shop.gitops("qa", "stage", "--pass", "--release", stage)
    made = shop.gitops("deploy", "shop/api:1.5.0", "--to", "prod", "-o", "json")
    assert 0 == made.code, made.err
    head = made.json["commit"]
    number = made.json["proposals"][0]["number"] or shop.pull("gitops/prod")
    waiting = shop.check(f"main..{head}")
    assert ([], ["waiting"]) == (told(waiting), standing(waiting))

    shop.approve(number)
    shop.succeed(head)
    assert 200 == shop.merge(number)[0]
    assert ["approved"] == standing(shop.check("main"))
    back = shop.gitops("rollback", "prod", "--reason", "INC-42")
    assert 0 == back.code, back.err

    assert ["rollback"] == standing(shop.check("main"))


def test_shallow_clone_of_a_pull_request(shop: Shop, tmp_path: Path) -> None:
    """A job that checked out one commit of a pull request checks all of it."""
    shop.push({"base/api.yaml": shop.file("base/api.yaml") + "# more\n"}, "feature")
    shop.pull("feature")
    url = shop.server.clone_url(shop.name, user="ben")
    place = tmp_path / "ci"
    command = ["git", "clone", "-q", "--depth", "1", "-b", "feature", url, str(place)]
    subprocess.run(command, check=True)

    document = shop.check(repo=str(place))

    assert ([("prod", "base/api.yaml")], False) == (told(document), document["landed"])


def test_rules_of_branches(shop: Shop) -> None:
    """Gaps between `branches:` and the real rules are listed by level, and closed with --fix."""
    rules = (
        "branches:\n"
        "  - {match: main, tests: required, checks: [gitops check, test], approvals: {count: 2}}\n"
        '  - {match: "release/*", approvals: {count: 1, level: advised}}\n'
    )
    shop.push({"gitops.yaml": shop.file("gitops.yaml") + rules})
    seen = shop.gitops("validate", "--forge", "-o", "json", user="ana")
    gaps = [(one["branch"], one["kind"], one["level"]) for one in seen.json["gaps"]]
    assert (1, [("main", "approvals", "required"), ("main", "tests", "required")]) == (
        seen.code,
        gaps[:2],
    )
    assert [("release/example", "approvals", "advised")] == gaps[2:]

    fixed = shop.gitops("validate", "--forge", "--fix", "-o", "json", user="ana")

    listed = shop.server.call("GET", f"/repos/{shop.name}/branch_protections", user="ana")
    found = {one["rule_name"]: one for one in listed}
    assert (0, []) == (fixed.code, fixed.json["gaps"])
    assert (2, {STATUS, "test"}, ["ci"]) == (
        found["main"]["required_approvals"],
        set(found["main"]["status_check_contexts"]),
        found["main"]["push_whitelist_usernames"],
    )
    assert 1 == found["release/*"]["required_approvals"]


def test_rules_seen_by_a_writer(shop: Shop) -> None:
    """Who may only write sees what the forge tells them, and cannot set rules."""
    rules = "branches:\n  - {match: main, approvals: {count: 2}}\n"
    shop.push({"gitops.yaml": shop.file("gitops.yaml") + rules})
    result = shop.gitops("validate", "--forge", "--fix", user="ben")

    assert 1 == result.code
    assert "2 approvals must be, 1 is asked for (required)" in result.out
    assert "stays as it is" in result.err
    for user in shop.server.users.values():
        assert user.token not in result.out + result.err
