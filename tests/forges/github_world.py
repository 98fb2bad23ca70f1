"""The faked GitHub as a world of the contract test, and people who use its interface."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forges.asking import ask
from forges.github_fake import GithubFake
from forges.hands import RemoteHands
from forges.openapi import Description
from forges.state import shop_state
from forges.worlds import ProxyFaults, World
from gitops.adapters.forges.github import GithubForge, open_github
from gitops.adapters.local.clock import SystemClock
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from servers.fault_proxy import Fault, FaultProxy

REPOSITORY = "ana/shop"
WRITES = {
    "open": lambda method, path: method == "POST" and path.endswith("/pulls"),
    "merge": lambda method, path: method == "PUT" and path.endswith("/merge"),
    "comment": lambda method, path: method == "POST" and path.endswith("/comments"),
}


class GithubPeople:
    """`People` through GitHub's interface: `owner` administrates, `second` approves."""

    def __init__(self, api: str, repository: str, owner: str, second: str) -> None:
        self._root = f"{api}/repos/{repository}"
        self._owner = owner
        self._second = second

    def approve(self, number: int) -> None:
        """See `People`."""
        self._call("POST", f"/pulls/{number}/reviews", {"event": "APPROVE"}, self._second)

    def merge(self, number: int) -> None:
        """See `People`."""
        for _ in range(200):
            if self._call("GET", f"/pulls/{number}")["mergeable"] is not None:
                break
            time.sleep(0.05)
        self._call("PUT", f"/pulls/{number}/merge", {})

    def close(self, number: int) -> None:
        """See `People`."""
        self._call("PATCH", f"/pulls/{number}", {"state": "closed"})

    def ready(self, number: int) -> None:
        """See `People`. Only GitHub's other interface can do it."""
        node = self._call("GET", f"/pulls/{number}")["node_id"]
        inner = f'markPullRequestReadyForReview(input: {{pullRequestId: "{node}"}})'
        query = {"query": f"mutation {{ {inner} {{ clientMutationId }} }}"}
        api = self._root.partition("/repos/")[0].replace("/api/v3", "/api")
        ask("POST", f"{api}/graphql", query, f"bearer {self._owner}")

    def comments(self, number: int) -> list[str]:
        """See `People`."""
        return [one["body"] for one in self._call("GET", f"/issues/{number}/comments")]

    def labels(self, number: int) -> set[str]:
        """See `People`."""
        return {one["name"] for one in self._call("GET", f"/pulls/{number}")["labels"]}

    def reviewers(self, number: int) -> set[str]:
        """See `People`."""
        pull = self._call("GET", f"/pulls/{number}")
        return {one["login"] for one in pull["requested_reviewers"]}

    def require(self, branch: str, approvals: int, checks: tuple[str, ...]) -> None:
        """See `People`."""
        pulls = {
            "required_approving_review_count": approvals,
            "dismiss_stale_reviews_on_push": False,
            "require_code_owner_review": False,
            "require_last_push_approval": False,
            "required_review_thread_resolution": False,
        }
        status = {
            "strict_required_status_checks_policy": False,
            "required_status_checks": [{"context": name} for name in checks],
        }
        rules = [{"type": "pull_request", "parameters": pulls}]
        rules += [{"type": "required_status_checks", "parameters": status}] if checks else []
        ruleset = {
            "name": f"people: {branch}",
            "target": "branch",
            "enforcement": "active",
            "conditions": {"ref_name": {"include": [f"refs/heads/{branch}"], "exclude": []}},
            "rules": rules,
        }
        self._call("POST", "/rulesets", ruleset)

    def _call(self, verb: str, path: str, body: Any = None, token: str | None = None) -> Any:
        return ask(verb, self._root + path, body, f"token {token or self._owner}")


class _FakePeople(GithubPeople):
    """What the faked server has no requests for, done to what it knows."""

    def __init__(self, fake: GithubFake) -> None:
        state = fake.state
        super().__init__(f"{fake.url}/api/v3", REPOSITORY, state.token("ana"), state.token("ben"))
        self._state = state

    def ready(self, number: int) -> None:
        """See `People`."""
        self._state.pulls[number].draft = False


@contextmanager
def github_world(description: Description | None, folder: Path) -> Iterator[World]:
    """Yield a repository on a faked GitHub, in which ben and the CI system may write."""
    state = shop_state(folder)
    with (
        GithubFake(state, REPOSITORY, description) as fake,
        FaultProxy(fake.url) as proxy,
    ):
        assert isinstance(fake, GithubFake)

        def forge(user: str) -> GithubForge:
            address = ForgeAddress("github", proxy.url, REPOSITORY)
            return open_github(
                address, ForgeToken(state.token(user), "GITHUB_TOKEN"), SystemClock(), 60.0, {}
            )

        yield World(
            forge=forge("ci"),
            again=lambda: forge("ci"),
            owner=forge("ana"),
            hands=RemoteHands(str(state.repo.path), folder / "hands"),
            people=_FakePeople(fake),
            faults=ProxyFaults(proxy, WRITES, limit),
            bot="ci",
            second="ben",
            secrets=tuple(state.tokens),
        )
        assert not fake.faults, fake.faults


def limit(seconds: int) -> Fault:
    """Refuse as GitHub does."""
    headers = (
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-limit", "5000"),
        ("x-ratelimit-reset", str(int(time.time()) + seconds)),
    )
    body = b'{"message": "API rate limit exceeded for user ID 1."}'
    return Fault(lambda *_: True, status=403, headers=headers, body=body)
