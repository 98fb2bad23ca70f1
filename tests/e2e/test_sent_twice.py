"""A push that the transport sends twice: every verb that writes knows it as landed, once.

The server takes the push and closes the kept connection without a word; libcurl then sends the same
request again on a new one, and the only answer that is seen says that the branch has moved.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from manifests import Manifests, Result
from servers.git_http import GitServer

ANA = {"GITOPS_AUTHOR": "Ana <ana@example.com>"}


@pytest.fixture
def call(manifests: Manifests, server: GitServer) -> Call:
    """Call gitops while the next push will be sent twice."""
    return Call(manifests, server)


class Call:
    """Calls gitops, and looks at what came of a push that was sent twice."""

    def __init__(self, manifests: Manifests, server: GitServer) -> None:
        self._manifests = manifests
        self._server = server

    def plainly(self, *arguments: str) -> Result:
        """Call gitops with nothing in its way."""
        url = self._server.repo
        done = self._manifests.gitops(*arguments, "-o", "json", repo=url)
        assert 0 == done.code, done.err
        return done

    def twice(self, *arguments: str, outcome: str | None = "committed", new: int = 1) -> Result:
        """Call gitops; `new` commits must come to be, and the document tell the outcome."""
        before = self._commits()
        self._server.requests.clear()
        self._server.behaviour.cut_once = True
        url = self._server.repo
        done = self._manifests.gitops(*arguments, "-o", "json", repo=url, env=ANA)
        pushes = [one.status for one in self._server.requests if one.push and one.method == "POST"]

        assert [0, 200] == pushes[:2], (pushes, done.err)
        assert 0 == done.code, done.err
        assert outcome == done.json["outcome"], done.out
        assert new == len(self._commits() - before)
        assert "trying again" not in done.err
        return done

    def _commits(self) -> set[str]:
        return set(self._manifests.git("rev-list", "--all").split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("deploy", "shop/api:1.5.0", "--to", "dev"),
        ("deploy", "shop/api:1.5.0", "--ref", "main"),
        ("promote", "--from", "dev", "--to", "test"),
        ("rollback", "stage", "--yes", "--reason", "INC-1"),
        ("hold", "dev", "--reason", "INC-1"),
        ("hold", "--all", "--reason", "INC-1"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_one_commit(call: Call, arguments: Sequence[str]) -> None:
    """What writes to the branch says `committed`, with the one commit that is there."""
    call.plainly("deploy", "shop/api:1.4.9", "--to", "stage", "--to", "dev")
    assert 1 == call.twice(*arguments).json["attempts"]


def test_resume(call: Call) -> None:
    """A hold that went is gone."""
    call.plainly("hold", "dev", "--reason", "INC-1")
    call.twice("resume", "dev")


def test_word(call: Call) -> None:
    """QA's word is said once, also the first one, which makes the ledger."""
    release = call.plainly("deploy", "shop/api:1.5.0", "--to", "stage").json["commit"]
    call.twice("qa", "stage", "--pass", "--release", release)
    call.twice("qa", "stage", "--fail", "--release", release)


def test_proposal(call: Call) -> None:
    """A proposal is made, made anew, merged or closed once."""
    call.plainly("deploy", "shop/api:1.5.0", "--to", "stage")
    call.twice("promote", "--to", "prod", outcome="proposed")
    call.plainly("deploy", "shop/api:1.5.1", "--to", "stage")
    call.twice("promote", "--to", "prod", outcome="proposed")
    call.twice("close", "prod", outcome="closed", new=0)
    call.plainly("promote", "--to", "prod")
    call.twice("approve", "prod", "--yes", new=2)  # and the word that it was approved
