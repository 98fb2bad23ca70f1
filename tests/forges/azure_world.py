"""The faked Azure DevOps as a world of the contract test."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forges.asking import ask
from forges.azure_fake import AzureFake
from forges.hands import RemoteHands
from forges.state import shop_state
from forges.worlds import ProxyFaults, World
from gitops.adapters.forges.azure import open_azure
from gitops.adapters.local.clock import SystemClock
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from gitops.ports import GatedForge
from servers.fault_proxy import Fault, FaultProxy

REPOSITORY = "shop/platform/manifests"
WRITES = {
    "open": lambda method, path: method == "POST" and "/pullrequests?" in path,
    "merge": lambda method, path: method == "PATCH",
    "comment": lambda method, path: method == "POST" and "/threads" in path,
}
_REVIEWERS = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
_STATUS = "cbdc66da-9728-4af8-aada-9a5a32e4a226"


class AzurePeople:
    """`People` who use the interface themselves: `owner` administrates, `second` approves."""

    def __init__(self, fake: AzureFake, owner: str, second: str) -> None:
        self._fake = fake
        self._names = (owner, second)
        organisation, project, name = REPOSITORY.split("/")
        self._project = f"{fake.url}/{organisation}/{project}/_apis"
        self._root = f"{self._project}/git/repositories/{name}"

    def _ask(self, verb: str, url: str, body: Any = None, who: int = 0) -> Any:
        secret = self._fake.state.token(self._names[who])
        word = base64.b64encode(f":{secret}".encode()).decode()
        return ask(verb, f"{url}?api-version=7.1", body, f"Basic {word}")

    def approve(self, number: int) -> None:
        """See `People`."""
        person = self._fake.id_of(self._names[1])
        where = f"{self._root}/pullRequests/{number}/reviewers/{person}"
        self._ask("PUT", where, {"vote": 10}, who=1)

    def merge(self, number: int) -> None:
        """See `People`."""
        where = f"{self._root}/pullrequests/{number}"
        head = self._ask("GET", where)["lastMergeSourceCommit"]
        options = {"mergeStrategy": "noFastForward", "mergeCommitMessage": "Merged"}
        body = {"status": "completed", "lastMergeSourceCommit": head, "completionOptions": options}
        self._ask("PATCH", where, body)

    def close(self, number: int) -> None:
        """See `People`."""
        self._ask("PATCH", f"{self._root}/pullrequests/{number}", {"status": "abandoned"})

    def ready(self, number: int) -> None:
        """See `People`."""
        self._ask("PATCH", f"{self._root}/pullrequests/{number}", {"isDraft": False})

    def comments(self, number: int) -> list[str]:
        """See `People`."""
        threads = self._ask("GET", f"{self._root}/pullRequests/{number}/threads")["value"]
        said = [one["comments"][0] for one in threads]
        return [one["content"] for one in said if one.get("commentType") != "system"]

    def labels(self, number: int) -> set[str]:
        """See `People`."""
        pull = self._ask("GET", f"{self._root}/pullrequests/{number}")
        return {one["name"] for one in pull["labels"]}

    def reviewers(self, number: int) -> set[str]:
        """See `People`."""
        pull = self._ask("GET", f"{self._root}/pullrequests/{number}")
        return {one["uniqueName"] for one in pull["reviewers"]}

    def require(self, branch: str, approvals: int, checks: tuple[str, ...]) -> None:
        """See `People`."""
        scope = {"refName": f"refs/heads/{branch}", "matchKind": "Exact", "repositoryId": "repo-7"}
        settings: list[tuple[str, dict[str, Any]]] = []
        if approvals:
            settings.append((_REVIEWERS, {"minimumApproverCount": approvals}))
        for name in checks:
            genre, _, rest = name.rpartition("/")
            settings.append((_STATUS, {"statusGenre": genre, "statusName": rest}))
        for kind, wanted in settings:
            body = {"isEnabled": True, "isBlocking": True, "type": {"id": kind}}
            body |= {"settings": {**wanted, "scope": [scope]}}
            self._ask("POST", f"{self._project}/policy/configurations", body)


@contextmanager
def azure_world(folder: Path) -> Iterator[World]:
    """Yield a repository on a faked Azure DevOps, in which ben and the CI system may write."""
    state = shop_state(folder)
    with AzureFake(state, REPOSITORY) as fake, FaultProxy(fake.url) as proxy:

        def forge(user: str) -> GatedForge:
            address = ForgeAddress("azure-devops", proxy.url, REPOSITORY)
            token = ForgeToken(state.token(user), "AZURE_DEVOPS_TOKEN")
            return open_azure(address, token, SystemClock(), 60.0, {})

        yield World(
            forge=forge("ci"),
            again=lambda: forge("ci"),
            owner=forge("ana"),
            hands=RemoteHands(str(state.repo.path), folder / "hands"),
            people=AzurePeople(fake, "ana", "ben"),
            faults=ProxyFaults(proxy, WRITES, limit),
            bot="ci",
            second="ben",
            secrets=tuple(state.tokens),
        )
        assert not fake.faults, fake.faults


def limit(seconds: int) -> Fault:
    """Refuse as Azure DevOps does."""
    headers = (
        ("Retry-After", str(seconds)),
        ("X-RateLimit-Reset", str(int(time.time()) + seconds)),
    )
    return Fault(lambda *_: True, status=429, headers=headers, body=b'{"message": "TF400733"}')
