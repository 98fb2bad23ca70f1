"""The faked GitLab as a world of the contract test, and people who use python-gitlab's objects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gitlab

from forges.gitlab_fake import GitlabFake
from forges.hands import RemoteHands
from forges.state import shop_state
from forges.worlds import ProxyFaults, World
from gitops.adapters.forges.gitlab import GitlabForge, open_gitlab
from gitops.adapters.local.clock import SystemClock
from gitops.core.forges.address import ForgeAddress
from gitops.core.forges.token import ForgeToken
from servers.fault_proxy import Fault, FaultProxy

REPOSITORY = "shop/platform/manifests"
WRITES = {
    "open": lambda method, path: method == "POST" and path.endswith("/merge_requests"),
    "merge": lambda method, path: method == "PUT" and path.endswith("/merge"),
    "comment": lambda method, path: method == "POST" and path.endswith("/notes"),
}


class GitlabPeople:
    """`People` through the library's own objects: `owner` administrates, `second` approves."""

    def __init__(self, url: str, repository: str, owner: str, second: str) -> None:
        self._owner = gitlab.Gitlab(url, oauth_token=owner).projects.get(repository)
        self._second = gitlab.Gitlab(url, oauth_token=second).projects.get(repository)

    def approve(self, number: int) -> None:
        """See `People`."""
        self._second.mergerequests.get(number).approve()

    def merge(self, number: int) -> None:
        """See `People`."""
        for _ in range(100):
            pull = self._pull(number)
            if pull.detailed_merge_status == "mergeable":
                break
            time.sleep(0.1)
        pull.merge(sha=pull.sha)

    def close(self, number: int) -> None:
        """See `People`."""
        pull = self._pull(number)
        pull.state_event = "close"
        pull.save()

    def ready(self, number: int) -> None:
        """See `People`."""
        pull = self._pull(number)
        pull.title = pull.title.removeprefix("Draft: ")
        pull.save()

    def comments(self, number: int) -> list[str]:
        """See `People`."""
        notes = self._pull(number).notes.list(get_all=True, sort="asc")
        return [note.body for note in sorted(notes, key=lambda one: one.id) if not note.system]

    def labels(self, number: int) -> set[str]:
        """See `People`."""
        return set(self._pull(number).labels)

    def reviewers(self, number: int) -> set[str]:
        """See `People`."""
        return {one["username"] for one in self._pull(number).reviewers}

    def require(self, branch: str, approvals: int, checks: tuple[str, ...]) -> None:
        """See `People`."""
        self._owner.protectedbranches.create({"name": branch, "push_access_level": 0})
        if approvals:
            rule = {"name": "All Members", "rule_type": "any_approver"}
            self._owner.approvalrules.create({**rule, "approvals_required": approvals})
        if checks:
            self._owner.only_allow_merge_if_pipeline_succeeds = True
            self._owner.save()

    def _pull(self, number: int) -> Any:
        return self._owner.mergerequests.get(number)


@contextmanager
def gitlab_world(folder: Path) -> Iterator[World]:
    """Yield a project on a faked GitLab, in which ben and the CI system may write."""
    state = shop_state(folder)
    with GitlabFake(state, REPOSITORY) as fake, FaultProxy(fake.url) as proxy:

        def forge(user: str) -> GitlabForge:
            address = ForgeAddress("gitlab", proxy.url, REPOSITORY)
            token = ForgeToken(state.token(user), "GITLAB_TOKEN")
            return open_gitlab(address, token, SystemClock(), 60.0, {})

        yield World(
            forge=forge("ci"),
            again=lambda: forge("ci"),
            owner=forge("ana"),
            hands=RemoteHands(str(state.repo.path), folder / "hands"),
            people=GitlabPeople(fake.url, REPOSITORY, state.token("ana"), state.token("ben")),
            faults=ProxyFaults(proxy, WRITES, limit),
            bot="ci",
            second="ben",
            check="pipeline",
            methods=("merge", "squash"),
            secrets=tuple(state.tokens),
        )
        assert not fake.faults, fake.faults


def limit(seconds: int) -> Fault:
    """Refuse as GitLab does."""
    headers = (("RateLimit-Reset", str(int(time.time()) + seconds)),)
    return Fault(lambda *_: True, status=429, headers=headers, body=b'{"message": "429"}')
