"""The real Gitea as a world of the contract test."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forges.asking import ask
from forges.hands import RemoteHands
from forges.worlds import ProxyFaults, World
from gitops.adapters.forges.gitea import GiteaForge, open_gitea
from gitops.adapters.local.clock import SystemClock
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from servers.fault_proxy import Fault, FaultProxy
from servers.gitea import GiteaServer

WRITES = {
    "open": lambda method, path: method == "POST" and path.endswith("/pulls"),
    "merge": lambda method, path: method == "POST" and path.endswith("/merge"),
    "comment": lambda method, path: method == "POST" and path.endswith("/comments"),
}


class GiteaPeople:
    """`People` through Gitea's interface: `owner` administrates, `second` approves."""

    def __init__(self, url: str, repository: str, owner: str, second: str) -> None:
        self._root = f"{url}/api/v1/repos/{repository}"
        self._owner = owner
        self._second = second

    def approve(self, number: int) -> None:
        """See `People`."""
        self._call("POST", f"/pulls/{number}/reviews", {"event": "APPROVED"}, self._second)

    def merge(self, number: int) -> None:
        """See `People`."""
        for turn in range(100):
            if self._pull(number)["mergeable"]:
                break
            time.sleep(min(0.05 * 2**turn, 0.4))
        self._call("POST", f"/pulls/{number}/merge", {"Do": "merge"})

    def close(self, number: int) -> None:
        """See `People`."""
        self._call("PATCH", f"/pulls/{number}", {"state": "closed"})

    def ready(self, number: int) -> None:
        """See `People`."""
        title = self._pull(number)["title"]
        self._call("PATCH", f"/pulls/{number}", {"title": re.sub(r"^WIP:\s*", "", title)})

    def comments(self, number: int) -> list[str]:
        """See `People`."""
        return [one["body"] for one in self._call("GET", f"/issues/{number}/comments")]

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
        self._call("POST", "/branch_protections", rule)

    def _pull(self, number: int) -> Any:
        return self._call("GET", f"/pulls/{number}")

    def _call(self, verb: str, path: str, body: Any = None, token: str | None = None) -> Any:
        return ask(verb, self._root + path, body, f"token {token or self._owner}")


@dataclass
class GiteaPlace:
    """One repository of ana's for many tests, in which ben and the CI system may write."""

    server: GiteaServer
    repository: str
    hands: RemoteHands
    used: int = 0


def gitea_place(server: GiteaServer, folder: Path) -> GiteaPlace:
    """Make a repository."""
    repository = server.new_repository("ana", writers=("ben", "ci"), empty=False)
    hands = RemoteHands(server.clone_url(repository, user="ana"), folder / "hands")
    return GiteaPlace(server, repository, hands)


@contextmanager
def gitea_world(place: GiteaPlace) -> Iterator[World]:
    """Yield two branches that no other test uses: a repository for each would cost a second."""
    place.used += 1
    base = f"main-{place.used}"
    place.hands.commit(base, {"overlay.yaml": b"tag: 1\n", "other.yaml": b"1\n"})
    server = place.server
    with FaultProxy(server.url) as proxy:

        def forge(user: str) -> GiteaForge:
            address = ForgeAddress("gitea", proxy.url, place.repository)
            token = ForgeToken(server.users[user].token, "GITEA_TOKEN")
            return open_gitea(address, token, SystemClock(), 60.0, {})

        yield World(
            forge=forge("ci"),
            again=lambda: forge("ci"),
            owner=forge("ana"),
            hands=place.hands,
            people=GiteaPeople(
                server.url, place.repository, server.users["ana"].token, server.users["ben"].token
            ),
            faults=ProxyFaults(proxy, WRITES, limit),
            bot="ci",
            second="ben",
            base=base,
            branch=f"gitops/prod-{place.used}",
            secrets=tuple(one.token for one in server.users.values()),
        )


def limit(seconds: int) -> Fault:
    """Refuse as a proxy before a Gitea does; it has no limits of its own."""
    headers = (("Retry-After", str(seconds)),)
    return Fault(lambda *_: True, status=429, headers=headers, body=b'{"message": "slow down"}')
