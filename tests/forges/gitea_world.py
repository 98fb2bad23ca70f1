"""The real Gitea as a world of the contract test; every test has a repository of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forges.hands import RemoteHands
from forges.worlds import ProxyFaults, World
from gitops.adapters.clock import SystemClock
from gitops.adapters.forges.gitea import GiteaForge, open_gitea
from gitops.core.forge_address import ForgeAddress
from gitops.core.forge_token import Token
from servers.fault_proxy import Fault, FaultProxy
from servers.gitea import GiteaServer

WRITES = {
    "open": lambda method, path: method == "POST" and path.endswith("/pulls"),
    "merge": lambda method, path: method == "POST" and path.endswith("/merge"),
    "comment": lambda method, path: method == "POST" and path.endswith("/comments"),
}


class GiteaPeople:
    """`People` with accounts of their own: ana owns the repository, ben is the second person."""

    def __init__(self, server: GiteaServer, repository: str) -> None:
        self._server = server
        self._path = f"/repos/{repository}"

    def approve(self, number: int) -> None:
        """See `People`."""
        path = f"{self._path}/pulls/{number}/reviews"
        self._server.call("POST", path, {"event": "APPROVED"}, user="ben")

    def merge(self, number: int) -> None:
        """See `People`."""
        path = f"{self._path}/pulls/{number}/merge"
        self._server.wait_for(
            lambda: self._server.ask("POST", path, {"Do": "merge"}, user="ana")[0] == 200
        )

    def close(self, number: int) -> None:
        """See `People`."""
        self._edit(number, {"state": "closed"})

    def ready(self, number: int) -> None:
        """See `People`."""
        title = self._pull(number)["title"]
        self._edit(number, {"title": re.sub(r"^WIP:\s*", "", title)})

    def comments(self, number: int) -> list[str]:
        """See `People`."""
        path = f"{self._path}/issues/{number}/comments"
        return [one["body"] for one in self._server.call("GET", path, user="ana")]

    def labels(self, number: int) -> set[str]:
        """See `People`."""
        return {one["name"] for one in self._pull(number)["labels"]}

    def reviewers(self, number: int) -> set[str]:
        """See `People`."""
        return {one["login"] for one in self._pull(number)["requested_reviewers"]}

    def require(self, branch: str, approvals: int, checks: tuple[str, ...]) -> None:
        """See `People`."""
        rule = {
            "rule_name": branch,
            "required_approvals": approvals,
            "enable_status_check": bool(checks),
            "status_check_contexts": list(checks),
        }
        self._server.call("POST", f"{self._path}/branch_protections", rule, user="ana")

    def _pull(self, number: int) -> dict:  # type: ignore[type-arg]
        return self._server.call("GET", f"{self._path}/pulls/{number}", user="ana")

    def _edit(self, number: int, change: dict[str, str]) -> None:
        self._server.call("PATCH", f"{self._path}/pulls/{number}", change, user="ana")


@contextmanager
def gitea_world(server: GiteaServer, folder: Path) -> Iterator[World]:
    """Yield a repository of ana's, in which ben and the CI system may write."""
    repository = server.new_repository("ana", writers=("ben", "ci"), empty=False)
    hands = RemoteHands(server.clone_url(repository, user="ana"), folder / "hands")
    hands.commit("main", {"overlay.yaml": b"tag: 1\n", "other.yaml": b"1\n"})
    with FaultProxy(server.url) as proxy:

        def forge(user: str) -> GiteaForge:
            address = ForgeAddress("gitea", proxy.url, repository)
            token = Token(server.users[user].token, "GITEA_TOKEN")
            return open_gitea(address, token, SystemClock(), 60.0, {})

        yield World(
            forge=forge("ci"),
            again=lambda: forge("ci"),
            owner=forge("ana"),
            hands=hands,
            people=GiteaPeople(server, repository),
            faults=ProxyFaults(proxy, WRITES, limit),
            bot="ci",
            second="ben",
            secrets=tuple(one.token for one in server.users.values()),
        )


def limit(seconds: int) -> Fault:
    """Refuse as a proxy before a Gitea does; it has no limits of its own."""
    headers = (("Retry-After", str(seconds)),)
    return Fault(lambda *_: True, status=429, headers=headers, body=b'{"message": "slow down"}')
