"""The story of pull requests on a real Gitea, with a protected main, told by the command line.

`ci` is the account of the CI system: it bumps, proposes, and is let past the rule of main, so that
it may roll back. `ben` is a colleague: he may approve and merge what the rule lets in, and push
nothing.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from manifests import ROOT, Result, run_gitops
from servers.fault_proxy import Fault, FaultProxy
from servers.gitea import GiteaServer

PROD = "overlays/prod/kustomization.yaml"
STAGE = "overlays/stage/kustomization.yaml"
NAMES = {"ana": "Ana", "ben": "Ben", "ci": "shop CI"}
SCOPES = ["write:repository", "write:issue"]  # as docs/how-to/gitea.md says


@dataclass(frozen=True)
class Shop:
    """A manifest repository of the test's own on the server, and gitops as a subprocess."""

    server: GiteaServer
    repository: str
    folder: Path
    tokens: dict[str, str]
    through: str | None = None

    def url(self, user: str) -> str:
        """Return the URL of the repository with the user's token in it."""
        where = self.server.clone_url(self.repository)
        if self.through is not None:
            where = where.replace(self.server.url, self.through)
        return where.replace("://", f"://{user}:{self.tokens[user]}@")

    def environ(self, user: str, *, token: bool = True) -> dict[str, str]:
        """The environment of a call by `user`; without `token` only Git knows who it is."""
        environ = dict(os.environ)
        environ["GITOPS_AUTHOR"] = f"{NAMES[user]} <{user}@example.com>"
        if token:
            environ["GITOPS_REPO"] = self.url(user)
            environ["GITEA_TOKEN"] = self.tokens[user]
            return environ
        word = b64encode(f"{user}:{self.tokens[user]}".encode()).decode()
        config = self.folder / "gitconfig"
        config.write_text(f"[http]\n\textraHeader = Authorization: Basic {word}\n")
        environ["GITOPS_REPO"] = self.server.clone_url(self.repository)
        environ["GIT_CONFIG_GLOBAL"] = str(config)
        return environ

    def gitops(self, *arguments: str, user: str = "ci", token: bool = True) -> Result:
        """Run gitops as `user`, who has a token for the forge unless told otherwise."""
        result = run_gitops(arguments, self.folder, self.environ(user, token=token))
        for secret in self.tokens.values():
            assert secret not in result.out + result.err
        return result

    def api(self, method: str, path: str, body: Any = None, *, user: str = "ana") -> Any:
        """Ask the forge about this repository."""
        return self.server.call(method, f"/repos/{self.repository}{path}", body, user=user)

    def pull(self, number: int) -> Any:
        """Return a pull request as the forge has it."""
        return self.api("GET", f"/pulls/{number}")

    def open_pulls(self) -> list[int]:
        """Return the numbers of the open ones."""
        return [one["number"] for one in self.api("GET", "/pulls?state=open")]

    def comments(self, number: int) -> list[str]:
        """Return the comments of a pull request."""
        return [one["body"] for one in self.api("GET", f"/issues/{number}/comments")]

    def approve_in_the_page(self, number: int, user: str = "ben") -> None:
        """Approve with the button."""
        self.api("POST", f"/pulls/{number}/reviews", {"event": "APPROVED"}, user=user)

    def let_in(self, number: int, *arguments: str, approver: str = "ben") -> Result:
        """Approve in the page and run `gitops approve prod`, as Ben, until that is done.

        Gitea dismisses approvals up to some seconds after a push; a person approves again.
        """

        def attempt() -> Result | None:
            self.approve_in_the_page(number, approver)
            done = self.gitops("approve", "prod", *arguments, "-o", "json", user="ben")
            return done if done.code == 0 else None

        found = self.server.wait_for(attempt, seconds=60)
        assert isinstance(found, Result)
        return found

    def report(self, commit: str, state: str = "success") -> None:
        """Report the required check, as a CI system does."""
        body = {"context": "ci/test", "state": state, "description": "tests"}
        self.api("POST", f"/statuses/{commit}", body, user="ci")

    def head(self, branch: str) -> str | None:
        """Return the commit of a branch, None when it does not exist."""
        status, found = self.server.ask(
            "GET", f"/repos/{self.repository}/branches/{branch.replace('/', '%2F')}", user="ana"
        )
        return found["commit"]["id"] if status == 200 else None

    def file(self, path: str, branch: str = "main") -> str:
        """Return a file of a branch."""
        return self.git("show", f"origin/{branch}:{path}")

    def git(self, *arguments: str) -> str:
        """Run git in a clone that is up to date."""
        clone = self.folder / "checkout"
        run = ("git", "-C", str(clone))
        subprocess.run([*run, "fetch", "-q", "--prune", "origin"], check=True, capture_output=True)
        done = subprocess.run([*run, *arguments], check=True, capture_output=True, text=True)
        return done.stdout

    def stage(self, tag: str, *, passed: bool = True) -> None:
        """Release shop/api in stage, and have QA pass it."""
        done = self.gitops("deploy", f"shop/api:{tag}", "--ref", "release/1.5", "-o", "json")
        assert 0 == done.code, done.err
        if passed:
            release = done.json["commit"]
            said = self.gitops("qa", "stage", "--pass", "--release", release, user="ben")
            assert 0 == said.code, said.err


def scoped_token(gitea: GiteaServer, user: str, name: str) -> str:
    """Return a token that may do what gitops needs, and no more."""
    word = b64encode(f"{user}:{gitea.users[user].password}".encode()).decode()
    request = urllib.request.Request(
        f"{gitea.url}/api/v1/users/{user}/tokens",
        data=json.dumps({"name": name, "scopes": SCOPES}).encode(),
        headers={"Authorization": f"Basic {word}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.loads(answer.read())["sha1"])


@pytest.fixture
def shop(gitea: GiteaServer, tmp_path: Path) -> Shop:
    """The sample on a protected main: one approval, one check, direct pushes by ci alone."""
    repository = gitea.new_repository("ana", writers=("ben", "ci"))
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("base", "overlays"):
        shutil.copytree(ROOT / name, checkout / name)
    config = (ROOT / "gitops.yaml").read_text()
    more = "forge: {kind: gitea}\npullRequest: {labels: [deploy], reviewers: [ben]}\n"
    (checkout / "gitops.yaml").write_text(config + more)
    for words in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        ("commit", "-q", "-m", "Start with the sample"),
        ("remote", "add", "origin", gitea.clone_url(repository, user="ana")),
        ("push", "-q", "-u", "origin", "main"),
    ):
        subprocess.run(["git", "-C", str(checkout), *words], check=True, capture_output=True)
    gitea.settle(repository)
    tokens = {name: scoped_token(gitea, name, repository) for name in ("ben", "ci")}
    made = Shop(gitea, repository, tmp_path, tokens)
    gitea.protect(
        repository,
        required_approvals=1,
        enable_status_check=True,
        status_check_contexts=["ci/test"],
        dismiss_stale_approvals=True,
        block_admin_merge_override=True,
    )
    return made


def test_the_story(shop: Shop) -> None:
    """Bump, promote, update in place, approve in the forge, merge, and the way back past it all."""
    # A release comes to stage, and is proposed for prod.
    shop.stage("1.5.0")
    first = shop.gitops("promote", "--to", "prod", "--reason", "the spring release", "-o", "json")
    assert 0 == first.code, first.err
    (proposal,) = first.json["proposals"]
    pull = shop.pull(1)
    assert ("proposed", 1, pull["html_url"]) == (
        first.json["outcome"],
        proposal["number"],
        proposal["url"],
    )
    assert "prod: shop/api 1.4.0 -> 1.5.0" == pull["title"]
    assert "- `stage`: `qa-passed` by `Ben`" in pull["body"]
    assert (["deploy"], ["ben"]) == (
        [label["name"] for label in pull["labels"]],
        [person["login"] for person in pull["requested_reviewers"]],
    )

    # Nobody approved it: refused, with what is missing.
    early = shop.gitops("approve", "prod", "-o", "json", user="ben")
    assert (1, "refused") == (early.code, early.json["error"]["code"])
    assert [
        "1 approval (the forge asks for 1)",
        "check ci/test, which nobody reported",
    ] == early.json["error"]["reasons"]
    shown = shop.gitops("status", "prod").out
    assert "#1 since 20" in shown
    assert f"{pull['html_url']} waits for 1 approval" in shown

    # The same again is nothing; something newer is the same pull request, twice.
    again = shop.gitops("promote", "--to", "prod", "-o", "json")
    assert ("unchanged", 1) == (again.json["outcome"], again.json["proposals"][0]["number"])
    shop.approve_in_the_page(1)
    for tag in ("1.5.1", "1.5.2"):
        shop.stage(tag)
        assert 0 == shop.gitops("promote", "--to", "prod").code
    assert [1] == shop.open_pulls()
    assert "prod: shop/api 1.4.0 -> 1.5.2" == shop.pull(1)["title"]
    assert ["| `shop/api` | `1.5.0` | `1.5.1` |", "| `shop/api` | `1.5.1` | `1.5.2` |"] == [
        text.splitlines()[-1] for text in shop.comments(1)
    ]

    # The approval was of the old head. With the check and a new approval it is merged.
    head = shop.head("gitops/prod") or ""
    shop.report(head)
    stale = shop.gitops("approve", "prod", "-o", "json", user="ben")
    assert ["1 approval (the forge asks for 1)"] == stale.json["error"]["reasons"]
    other = shop.gitops("approve", "prod", "--head", "1234567", "-o", "json", user="ben")
    assert (1, "refused") == (other.code, other.json["error"]["code"])
    done = shop.let_in(1, "--head", head)
    assert ("committed", shop.head("main")) == (done.json["outcome"], done.json["commit"])
    assert [("merged", 1)] == [(one["state"], one["number"]) for one in done.json["proposals"]]
    assert (True, None) == (shop.pull(1)["merged"], shop.head("gitops/prod"))
    assert "1.5.2" in shop.file(PROD)
    message = shop.git("log", "-1", "--format=%B", "origin/main")
    assert message.startswith("prod: shop/api 1.4.0 -> 1.5.2\n")
    assert "Gitops-Action: promote\nGitops-Environment: prod\n" in message
    assert "Gitops-Approved-By: ben\n" in message
    released = shop.gitops("history", "prod", "-o", "json").json["releases"][0]
    assert ("promote", done.json["commit"]) == (released["action"], released["commit"])

    # Another promotion waits when prod must go back.
    shop.stage("1.6.0")
    assert 2 == shop.gitops("promote", "--to", "prod", "-o", "json").json["proposals"][0]["number"]
    before = shop.head("main")
    refused = shop.gitops("rollback", "prod", "--reason", "INC-42", "-o", "json", user="ben")
    assert (3, "protected") == (refused.code, refused.json["error"]["code"])
    assert "Not allowed to push to protected branch main" in refused.json["error"]["message"]
    assert "rollback: pull-request" in refused.json["error"]["hint"]
    assert (before, [2]) == (shop.head("main"), shop.open_pulls())
    back = shop.gitops("rollback", "prod", "--reason", "INC-42", "-o", "json")
    assert 0 == back.code, back.err
    assert ("committed", shop.head("main")) == (back.json["outcome"], back.json["commit"])
    assert before == shop.git("rev-parse", "origin/main^").strip()
    assert '"1.4.0"' in shop.file(PROD)
    assert "INC-42" in shop.file(".gitops/holds/prod.yaml")
    assert ([], None) == (shop.open_pulls(), shop.head("gitops/prod"))
    assert ("closed", False) == (shop.pull(2)["state"], shop.pull(2)["merged"])
    (comment,) = shop.comments(2)
    assert "`shop CI` rolled back `prod`" in comment
    assert "`INC-42`" in comment

    # The way forward.
    held = shop.gitops("promote", "--to", "prod", "-o", "json")
    assert (1, "refused") == (held.code, held.json["error"]["code"])
    resumed = shop.gitops("resume", "prod", "-o", "json")
    assert any(
        "would carry from stage: shop/api 1.4.0 -> 1.6.0" in n for n in resumed.json["notes"]
    )
    assert 3 == shop.gitops("promote", "--to", "prod", "-o", "json").json["proposals"][0]["number"]


def test_two_at_once(shop: Shop) -> None:
    """Two CI jobs promote at the same moment: one pull request, and both say which."""
    shop.stage("1.5.0")
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(shop.gitops, "promote", "--to", "prod", "-o", "json") for _ in "ab"]
        done = [job.result() for job in jobs]

    assert [0, 0] == [one.code for one in done], [one.err for one in done]
    assert [1, 1] == [one.json["proposals"][0]["number"] for one in done]
    assert [1] == shop.open_pulls()
    assert len(shop.comments(1)) <= 1


def test_lost_answers(shop: Shop) -> None:
    """The server opened, and merged, and its answer never came: both are found, each is one."""

    def lost(end: str) -> Fault:
        return Fault(lambda method, path: method == "POST" and path.endswith(end), cut=True)

    shop.stage("1.5.0")
    with FaultProxy(shop.server.url) as proxy:
        behind = replace(shop, through=proxy.url)
        proxy.faults.append(lost("/pulls"))
        opened = behind.gitops("promote", "--to", "prod", "-o", "json")
        assert [] == proxy.faults, opened.err
        shop.report(shop.head("gitops/prod") or "")
        shop.let_in(1, "--dry-run")
        proxy.faults.append(lost("/merge"))
        merged = behind.gitops("approve", "prod", "-o", "json", user="ben")
        assert [] == proxy.faults, merged.err

    assert ("proposed", 1) == (opened.json["outcome"], opened.json["proposals"][0]["number"])
    assert (0, "committed", shop.head("main")) == (
        merged.code,
        merged.json["outcome"],
        merged.json["commit"],
    )
    assert [1] == [one["number"] for one in shop.api("GET", "/pulls?state=all")]
    assert shop.head("gitops/prod") is None


def test_a_push_between_look_and_merge(shop: Shop) -> None:
    """Somebody pushes to the proposal while Ben reads what he approves: nothing is merged."""
    shop.stage("1.5.0")
    assert 0 == shop.gitops("promote", "--to", "prod").code
    shop.report(shop.head("gitops/prod") or "")
    shop.let_in(1, "--dry-run")
    before, seen = shop.head("main"), shop.head("gitops/prod") or ""

    def push() -> None:
        content = shop.file(PROD, "gitops/prod").replace("1.5.0", "6.6.6")
        shop.git("checkout", "-q", "--detach", "origin/gitops/prod")
        (shop.folder / "checkout" / PROD).write_text(content)
        shop.git("commit", "-q", "-a", "-m", "evil")
        shop.git("push", "-q", "origin", "HEAD:gitops/prod")

    code, text = answer(shop, "ben", ("approve", "prod"), push)

    assert (75, before) == (code, shop.head("main")), text
    assert f"gitops/prod moved from {seen[:7]}" in text
    assert "nothing was merged" in text
    assert not shop.pull(1)["merged"]


def test_by_hand_in_the_page(shop: Shop) -> None:
    """Closed and merged with the forge's buttons: gitops notices, and goes on."""
    shop.stage("1.5.0")
    shop.gitops("promote", "--to", "prod")
    shop.api("PATCH", "/pulls/1", {"state": "closed"}, user="ben")
    assert "#1 was closed in the forge" in shop.gitops("status", "prod").err
    anew = shop.gitops("promote", "--to", "prod", "-o", "json")
    assert ("proposed", 2) == (anew.json["outcome"], anew.json["proposals"][0]["number"])

    shop.report(shop.head("gitops/prod") or "")
    merge = {"Do": "squash", "merge_message_field": "with words of my own"}

    def button() -> bool:
        shop.approve_in_the_page(2)
        path = f"/repos/{shop.repository}/pulls/2/merge"
        return shop.server.ask("POST", path, merge, user="ben")[0] == 200

    shop.server.wait_for(button)
    status = shop.gitops("status", "prod", "-o", "json").json["environments"][0]
    late = shop.gitops("approve", "prod", "-o", "json", user="ben")
    assert [] == status["proposals"]
    assert (0, "unchanged", "merged") == (
        late.code,
        late.json["outcome"],
        late.json["proposals"][0]["state"],
    )
    assert shop.head("gitops/prod") is None


def test_without_a_token(shop: Shop) -> None:
    """No token: a branch, as ever, and how to get pull requests; with one it is opened later."""
    shop.stage("1.5.0")
    alone = shop.gitops("promote", "--to", "prod", "-o", "json", token=False)
    said = shop.gitops("promote", "--to", "prod", token=False)

    assert ("proposed", None) == (alone.json["outcome"], alone.json["proposals"][0]["number"])
    assert "GITEA_TOKEN" in said.err
    later = shop.gitops("promote", "--to", "prod", "-o", "json")
    assert ("unchanged", 1) == (later.json["outcome"], later.json["proposals"][0]["number"])


def test_a_rollback_by_pull_request(shop: Shop) -> None:
    """`rollback: pull-request`: whoever may not push proposes it, past the promotion that waits."""
    content = shop.file("gitops.yaml").replace("rollback: commit ", "rollback: pull-request ")
    ci = shop.url("ci")
    (shop.folder / "checkout" / "gitops.yaml").write_text(content)
    shop.git("commit", "-q", "-a", "-m", "Propose rollbacks")
    shop.git("push", "-q", ci, "HEAD:main")
    bumped = (shop.folder / "checkout" / PROD).read_text().replace("1.4.0", "1.4.1")
    (shop.folder / "checkout" / PROD).write_text(bumped)
    shop.git("commit", "-q", "-a", "-m", "prod: by hand")
    shop.git("push", "-q", ci, "HEAD:main")
    shop.stage("1.5.0")
    shop.gitops("promote", "--to", "prod")
    back = shop.gitops("rollback", "prod", "--reason", "INC-42", "-o", "json", user="ben")

    assert ("proposed", 2) == (back.json["outcome"], back.json["proposals"][0]["number"]), back.err
    assert [2] == shop.open_pulls()
    assert "`Ben` asked for a rollback of `prod`" in shop.comments(1)[0]
    shop.report(shop.head("gitops/prod") or "")
    shop.let_in(2, approver="ana")
    assert '"1.4.0"' in shop.file(PROD)
    assert "INC-42" in shop.file(".gitops/holds/prod.yaml")
    newest = shop.gitops("history", "prod", "-o", "json").json["releases"][0]
    assert "rollback" == newest["action"]


def answer(
    shop: Shop, user: str, arguments: tuple[str, ...], meanwhile: Callable[[], object]
) -> tuple[int, str]:
    """Run gitops on a terminal, do `meanwhile` at its question, say yes; code and what it said."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gitops", *arguments],
        cwd=shop.folder,
        env=shop.environ(user),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = ""
    asked = False
    while select.select([ours], [], [], 60)[0]:
        try:
            read = os.read(ours, 65536)
        except OSError:  # Linux says so at the end
            break
        if not read:
            break
        text += read.decode()
        if not asked and re.search(r"\[y/N\]: ?$", text):
            asked = True
            meanwhile()
            os.write(ours, b"y\n")
    os.close(ours)
    assert asked, text
    return process.wait(60), text
