"""The faked Bitbuckets, Cloud and Data Center, as worlds of the contract test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forges.asking import ask
from forges.bitbucket_cloud_fake import BitbucketCloudFake
from forges.bitbucket_server_fake import BitbucketServerFake
from forges.hands import RemoteHands
from forges.state import ForgeState, shop_state
from forges.worlds import ProxyFaults, World
from gitops.adapters.forges.bitbucket import open_bitbucket
from gitops.adapters.forges.bitbucket.cloud import BitbucketCloud, words_of_cloud
from gitops.adapters.forges.transport.rest import RestApi, open_calls
from gitops.adapters.local.clock import SystemClock
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.ports import GatedForge
from servers.fault_proxy import Fault, FaultProxy

REPOSITORY = "shop/manifests"
CLOUD_WRITES = {
    "open": lambda method, path: method == "POST" and path.endswith("/pullrequests"),
    "merge": lambda method, path: method == "POST" and path.endswith("/merge"),
    "comment": lambda method, path: method == "POST" and path.endswith("/comments"),
}
SERVER_WRITES = {
    "open": lambda method, path: method == "POST" and path.endswith("/pull-requests"),
    "merge": lambda method, path: method == "POST" and "/merge?" in path,
    "comment": lambda method, path: method == "POST" and path.endswith("/comments"),
}


class _People:
    """Who uses the interface themselves: `owner` administrates, `second` approves."""

    def __init__(self, state: ForgeState, root: str, owner: str, second: str) -> None:
        self._state = state
        self._root = root
        self._names = (owner, second)

    def _ask(self, verb: str, path: str, body: Any = None, who: int = 0) -> Any:
        url = path if path.startswith("http") else f"{self._root}{path}"
        return ask(verb, url, body, f"Bearer {self._state.token(self._names[who])}")

    def labels(self, number: int) -> set[str]:
        """See `People`."""
        return set()


class CloudPeople(_People):
    """`People` on Bitbucket Cloud."""

    def approve(self, number: int) -> None:
        """See `People`."""
        self._ask("POST", f"/pullrequests/{number}/approve", {}, who=1)

    def merge(self, number: int) -> None:
        """See `People`."""
        body = {"message": "Merged", "merge_strategy": "merge_commit"}
        self._ask("POST", f"/pullrequests/{number}/merge", body)

    def close(self, number: int) -> None:
        """See `People`."""
        self._ask("POST", f"/pullrequests/{number}/decline", {})

    def ready(self, number: int) -> None:
        """See `People`."""
        title = self._ask("GET", f"/pullrequests/{number}")["title"]
        self._ask("PUT", f"/pullrequests/{number}", {"title": title, "draft": False})

    def comments(self, number: int) -> list[str]:
        """See `People`."""
        found = self._ask("GET", f"/pullrequests/{number}/comments")["values"]
        return [one["content"]["raw"] for one in found]

    def reviewers(self, number: int) -> set[str]:
        """See `People`."""
        found = self._ask("GET", f"/pullrequests/{number}")["reviewers"]
        return {one["nickname"] for one in found}

    def require(self, branch: str, approvals: int, checks: tuple[str, ...]) -> None:
        """See `People`."""
        wanted: dict[str, int | None] = {"push": None}
        if approvals:
            wanted["require_approvals_to_merge"] = approvals
        if checks:
            wanted["require_passing_builds_to_merge"] = len(checks)
        for kind, value in wanted.items():
            rule = {"kind": kind, "branch_match_kind": "glob", "pattern": branch, "value": value}
            self._ask("POST", "/branch-restrictions", rule)


class ServerPeople(_People):
    """`People` on Bitbucket Data Center."""

    def approve(self, number: int) -> None:
        """See `People`."""
        where = f"/pull-requests/{number}/participants/{self._names[1]}"
        self._ask("PUT", where, {"status": "APPROVED"}, who=1)

    def _version(self, number: int) -> int:
        return int(self._ask("GET", f"/pull-requests/{number}")["version"])

    def merge(self, number: int) -> None:
        """See `People`."""
        body = {"message": "Merged", "strategyId": "no-ff"}
        self._ask("POST", f"/pull-requests/{number}/merge?version={self._version(number)}", body)

    def close(self, number: int) -> None:
        """See `People`."""
        self._ask("POST", f"/pull-requests/{number}/decline?version={self._version(number)}", {})

    def ready(self, number: int) -> None:
        """See `People`."""
        body = {"version": self._version(number), "draft": False}
        self._ask("PUT", f"/pull-requests/{number}", body)

    def comments(self, number: int) -> list[str]:
        """See `People`."""
        found = self._ask("GET", f"/pull-requests/{number}/activities")["values"]
        return [one["comment"]["text"] for one in found if one["action"] == "COMMENTED"]

    def reviewers(self, number: int) -> set[str]:
        """See `People`."""
        found = self._ask("GET", f"/pull-requests/{number}")["reviewers"]
        return {one["user"]["name"] for one in found}

    def require(self, branch: str, approvals: int, checks: tuple[str, ...]) -> None:
        """See `People`."""
        matcher = {"id": f"refs/heads/{branch}", "type": {"id": "BRANCH"}, "active": True}
        rule = {"type": "pull-request-only", "matcher": matcher, "users": []}
        server = self._root.partition("/rest/")[0]
        place = self._root.partition("/api/1.0/")[2]
        where = f"{server}/rest/branch-permissions/2.0/{place}/restrictions"
        self._ask("POST", where, rule)
        settings = {
            "requiredApprovers": {"enable": bool(approvals), "count": approvals},
            "requiredSuccessfulBuilds": {"enable": bool(checks), "count": len(checks)},
        }
        self._ask("POST", "/settings/pull-requests", settings)


@contextmanager
def bitbucket_cloud_world(folder: Path) -> Iterator[World]:
    """Yield a repository on a faked Bitbucket Cloud, in which ben and the CI system may write."""
    state = shop_state(folder)
    with BitbucketCloudFake(state, REPOSITORY) as fake, FaultProxy(fake.url) as proxy:

        def forge(user: str) -> GatedForge:
            address = ForgeAddress("bitbucket", "https://bitbucket.org", REPOSITORY)
            token = ForgeToken(state.token(user), "BITBUCKET_TOKEN")
            calls = open_calls(address, token, SystemClock(), 60.0)
            base = f"{proxy.url}/2.0"
            root = f"{base}/repositories/{REPOSITORY}"
            header = f"Bearer {token.secret}"
            return BitbucketCloud(calls, RestApi(calls, root, {}, header, words_of_cloud), base)

        yield World(
            forge=forge("ci"),
            again=lambda: forge("ci"),
            owner=forge("ana"),
            hands=RemoteHands(str(state.repo.path), folder / "hands"),
            people=CloudPeople(state, f"{fake.url}/2.0/repositories/{REPOSITORY}", "ana", "ben"),
            faults=ProxyFaults(proxy, CLOUD_WRITES, limit),
            bot="ci",
            second="ben",
            check="builds",
            labels=False,
            tells_gates=False,
            tells_rules=False,
            secrets=tuple(state.tokens),
        )
        assert not fake.faults, fake.faults


@contextmanager
def bitbucket_server_world(folder: Path) -> Iterator[World]:
    """Yield a repository on a faked Data Center, in which ben and the CI system may write."""
    state = shop_state(folder)
    project, slug = REPOSITORY.split("/")
    with BitbucketServerFake(state, project, slug) as fake, FaultProxy(fake.url) as proxy:

        def forge(user: str) -> GatedForge:
            address = ForgeAddress("bitbucket", proxy.url, REPOSITORY)
            token = ForgeToken(state.token(user), "BITBUCKET_TOKEN")
            return open_bitbucket(address, token, SystemClock(), 60.0, {})

        root = f"{fake.url}/rest/api/1.0/projects/{project}/repos/{slug}"
        yield World(
            forge=forge("ci"),
            again=lambda: forge("ci"),
            owner=forge("ana"),
            hands=RemoteHands(str(state.repo.path), folder / "hands"),
            people=ServerPeople(state, root, "ana", "ben"),
            faults=ProxyFaults(proxy, SERVER_WRITES, limit),
            bot="ci",
            second="ben",
            check="builds",
            labels=False,
            tells_rules=False,
            secrets=tuple(state.tokens),
        )
        assert not fake.faults, fake.faults


def limit(seconds: int) -> Fault:
    """Refuse as Bitbucket does."""
    headers = (("Retry-After", str(seconds)),)
    return Fault(
        lambda *_: True, status=429, headers=headers, body=b'{"error": {"message": "429"}}'
    )
