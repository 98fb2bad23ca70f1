"""The words of workloads and pods."""

from __future__ import annotations

from typing import Any

import pytest

from gitops.core.argocd.diagnosis import Workloads, diagnose, diagnose_workload, is_starting

DEADLINE = {
    "kind": "Deployment",
    "metadata": {"name": "api"},
    "status": {
        "conditions": [
            {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
            {
                "type": "Progressing",
                "status": "False",
                "reason": "ProgressDeadlineExceeded",
                "message": 'ReplicaSet "api-1" has timed out progressing.',
            },
        ]
    },
}


def pod(name: str, *statuses: dict[str, Any], **status: Any) -> dict[str, Any]:
    """Return a pod with these container statuses."""
    return {"metadata": {"name": name}, "status": {"containerStatuses": list(statuses), **status}}


CRASHING = {
    "name": "api",
    "ready": False,
    "restartCount": 3,
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "no database"}},
}
PULLING = {"name": "web", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no x"}}}


def test_workload() -> None:
    """A workload that is past its deadline says so."""
    trouble = diagnose_workload(DEADLINE)

    assert (
        'Deployment api: ProgressDeadlineExceeded, ReplicaSet "api-1" has timed out progressing.'
        == str(trouble)
    )


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}, "FailedCreate"),
        ({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}, "BackoffLimit"),
        ({"type": "InvalidSpec", "status": "True"}, "InvalidSpec"),
    ],
)
def test_other_conditions(condition: dict[str, Any], reason: str) -> None:
    """Quotas, failed Jobs and specs that a controller refuses are told, too."""
    found = diagnose_workload({"kind": "Job", "status": {"conditions": [condition]}})

    assert found is not None
    assert found.reason.startswith(reason)


def test_what_is_well_says_nothing() -> None:
    """A workload without trouble, and one without a status, are passed over."""
    fine = {"status": {"conditions": [{"type": "Progressing", "status": "True"}]}}

    assert None is diagnose_workload(fine)
    assert None is diagnose_workload({})
    assert () == diagnose(Workloads())


def test_pods_tell_with_last_words() -> None:
    """Containers tell what they wait for, how they ended, and what they printed last."""
    words = {("api-1", "api"): "line one\nconnection refused\n"}
    found = diagnose(Workloads((DEADLINE,), (), (pod("api-1", CRASHING, PULLING),), words))

    assert [
        'Deployment api: ProgressDeadlineExceeded, ReplicaSet "api-1" has timed out progressing.',
        "Pod api-1/api: CrashLoopBackOff, back-off 40s, exit code 1 (its last words: line one "
        "connection refused)",
        "Pod api-1/web: ImagePullBackOff, no x",
    ] == [str(one) for one in found]


def test_same_trouble_of_many_replicas_is_told_once() -> None:
    """Ten pods that crash in the same way are one trouble."""
    pods = tuple(pod(f"api-{number}", CRASHING) for number in range(10))

    assert 1 == len(diagnose(Workloads((), (), pods)))


def test_termination_message_and_scheduling() -> None:
    """Without a log the termination message is told; a pod without a node says why."""
    unschedulable = pod(
        "api-2",
        conditions=[
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes are available",
            }
        ],
    )
    found = diagnose(Workloads((), (), (pod("api-1", CRASHING), unschedulable)))

    assert "no database" == found[0].words
    assert "Pod api-2: Unschedulable, 0/3 nodes are available" == str(found[1])


def test_a_reason_that_is_no_text_is_none() -> None:
    """What a server sends may be anything."""
    odd = pod("a", {"name": "a", "state": {"waiting": {"reason": ["x"], "message": {}}}})

    assert () == diagnose(Workloads((), (), (odd,)))


def test_starting_containers_are_no_trouble() -> None:
    """A container that is being created, or ended well, is not told about."""
    creating = {"name": "a", "state": {"waiting": {"reason": "ContainerCreating"}}}
    done = {"name": "b", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    killed = {"name": "c", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    found = diagnose(Workloads((), (), (pod("api-1", creating, done, killed),)))

    assert ["OOMKilled"] == [one.reason for one in found]


def test_readiness() -> None:
    """A pod is starting until its Ready condition is true."""
    assert is_starting({})
    assert is_starting({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    assert not is_starting({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})


def test_escape_sequences_do_not_get_through() -> None:
    """What a container printed is one printable line."""
    found = diagnose(
        Workloads((), (), (pod("api-1", CRASHING),), {("api-1", "api"): "\x1b[31mred\x07\nnext"})
    )

    assert found[0].words.isprintable()
