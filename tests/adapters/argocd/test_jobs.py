"""Jobs by the Kubernetes API, its answers played; the real one is in tests/cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from gitops.adapters.argocd.connection import KubernetesResponse
from gitops.adapters.argocd.jobs_api import KubernetesJobs
from gitops.errors import Conflict, Denied, NotFound

COMPLETE = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
FAILED = {
    "status": {
        "conditions": [
            {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "late"}
        ]
    }
}


def status(name: str, **state: Mapping[str, Any]) -> dict[str, Any]:
    """The status of one container."""
    return {"name": name, "state": state}


class Answers:
    """A connection that has an answer for each path, or an error."""

    name = "kind"
    rights = ""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.posted: list[str] = []

    def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> KubernetesResponse:
        """Answer by the last word of the path."""
        return KubernetesResponse(self._answer(path), datetime.now(UTC))

    def post(self, path: str, body: Mapping[str, Any]) -> KubernetesResponse:
        """Remember it."""
        self.posted.append(path)
        return KubernetesResponse(self._answer(path), datetime.now(UTC))

    def text(self, path: str, query: Sequence[tuple[str, str]] = (), *, most: int = 1) -> str:
        """Answer a log."""
        return str(self._answer(path))

    def _answer(self, path: str) -> Any:
        found = self.answers.get(path.rpartition("/")[2], {})
        if isinstance(found, Denied):
            found.hint = self.rights
        if isinstance(found, Exception):
            raise found
        return found


def jobs(**answers: Any) -> KubernetesJobs:
    return KubernetesJobs(Answers(**answers))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("job", "pod", "phase", "reason"),
    [
        ({}, None, "waiting", ""),
        (
            COMPLETE,
            {"containerStatuses": [status("a", terminated={"exitCode": 0})]},
            "succeeded",
            "",
        ),
        (FAILED, None, "failed", "DeadlineExceeded: late"),
        (
            FAILED,
            {"initContainerStatuses": [status("data-guard", terminated={"exitCode": 1})]},
            "failed",
            "container data-guard ended with 1",
        ),
        ({}, {"containerStatuses": [status("a", running={"startedAt": "x"})]}, "running", ""),
        (
            {},
            {
                "containerStatuses": [
                    status("a", waiting={"reason": "ImagePullBackOff", "message": "no\nsuch"})
                ]
            },
            "waiting",
            "ImagePullBackOff: no such",
        ),
        (
            {},
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]},
            "waiting",
            "0/3 nodes",
        ),
        ({"status": []}, {"containerStatuses": "x"}, "waiting", ""),
    ],
)
def test_states(job: Any, pod: Any, phase: str, reason: str) -> None:
    """Each answer is one of four phases, with a reason in one line; an odd one is none."""
    pods = {"items": [{"metadata": {"name": "p"}, "status": pod}] if pod is not None else []}
    found = jobs(x=job, pods=pods).state("dev", "x")

    assert (phase, reason) == (found.phase, found.reason)


def test_the_newest_pod_counts() -> None:
    """A Job may have had another one before."""
    made = [
        {"metadata": {"name": name, "creationTimestamp": f"2026-11-2{day}T00:00:00Z"}}
        for name, day in (("new", 2), ("old", 1))
    ]

    assert "new" == jobs(pods={"items": made}).state("dev", "x").pod


def test_what_is_there_and_what_may_not_be_done() -> None:
    """Ended Jobs are not present; a ConfigMap of this name stays; rights are told; no log is
    none yet."""
    listed = {"items": [{"metadata": {"name": "a"}, **COMPLETE}, {"metadata": {"name": "b"}}]}
    connection = Answers(jobs=listed, configmaps=Conflict("there"), log=NotFound("none yet"))
    api = KubernetesJobs(connection)  # type: ignore[arg-type]
    one = {"metadata": {"name": "c", "namespace": "dev"}}

    assert ("b",) == api.present("dev", "x=y")
    api.keep(one)
    assert "" == api.log("dev", "p", "c")
    connection.answers["jobs"] = Denied("forbidden")
    with pytest.raises(Denied) as told:
        api.create(one)
    assert "create and get jobs" in (told.value.hint or "")
    with pytest.raises(NotFound):
        api.state("..", "x")
