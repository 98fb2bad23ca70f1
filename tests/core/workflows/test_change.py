"""What is sent to change a workflow."""

from __future__ import annotations

from typing import Any

from core.workflows.test_run import workflow
from gitops.core.workflows.change import resumption, retried, shutdown, submission
from gitops.core.workflows.run import read_run

NOW = "2026-11-29T10:05:00Z"


def test_submission() -> None:
    """A template is referred to, its parameters in order, under a label of the call."""
    made = submission("w", {"b": "1", "a": "$(x)"}, namespace="ci", intent="0190")

    assert {"generateName": "w-", "namespace": "ci", "labels": {"gitops.dev/intent": "0190"}} == (
        made["metadata"]
    )
    assert [{"name": "b", "value": "1"}, {"name": "a", "value": "$(x)"}] == (
        made["spec"]["arguments"]["parameters"]
    )


def test_resumption_names_what_was_read() -> None:
    """The patch carries the resourceVersion, every supplied output, and nothing of other nodes."""
    told = workflow()
    patch = resumption(
        told, read_run(told).waiting, {"b": {"who": "ana"}}, message="resumed by ana", now=NOW
    )

    assert "7" == patch["metadata"]["resourceVersion"]
    assert {
        "b": {
            "phase": "Succeeded",
            "message": "resumed by ana",
            "finishedAt": NOW,
            "outputs": {"parameters": [{"name": "who", "value": "ana"}]},
        }
    } == patch["status"]["nodes"]
    assert "spec" not in patch


def test_resumption_of_the_whole() -> None:
    """A workflow that is held as a whole is let go, without touching a node."""
    told = workflow()
    told["spec"]["suspend"] = True

    patch = resumption(told, (), {}, message="", now=NOW)

    assert {"suspend": None} == patch["spec"]
    assert "status" not in patch


def test_refusal() -> None:
    """A refused step fails, without outputs."""
    told = workflow()
    patch = resumption(
        told, read_run(told).waiting, {"b": {"who": "x"}}, message="no", now=NOW, refused=True
    )

    assert {"phase": "Failed", "message": "no", "finishedAt": NOW} == patch["status"]["nodes"]["b"]


def test_shutdown() -> None:
    """Stop lets the exit handler run, Terminate does not."""
    assert ["Stop", "Terminate"] == [
        shutdown(terminate=one)["spec"]["shutdown"] for one in (False, True)
    ]


def failed() -> dict[str, Any]:
    """A failed DAG of three tasks with an exit handler."""
    nodes = {
        "w-1": {
            "id": "w-1",
            "name": "w-1",
            "type": "DAG",
            "phase": "Failed",
            "message": "child failed",
            "finishedAt": NOW,
            "children": ["a"],
            "outboundNodes": ["c"],
        },
        "a": {
            "id": "a",
            "name": "w-1.a",
            "type": "Pod",
            "phase": "Succeeded",
            "children": ["b"],
        },
        "b": {"id": "b", "name": "w-1.b", "type": "Pod", "phase": "Failed", "children": ["c"]},
        "c": {"id": "c", "name": "w-1.c", "type": "Skipped", "phase": "Omitted"},
        "x": {"id": "x", "name": "w-1.onExit", "type": "Pod", "phase": "Succeeded"},
    }
    told = workflow(
        phase="Failed",
        message="child failed",
        finishedAt=NOW,
        nodes=nodes,
        conditions=[{"type": "Completed", "status": "True"}, {"type": "PodRunning"}],
    )
    told["metadata"]["labels"]["workflows.argoproj.io/completed"] = "true"
    told["spec"]["shutdown"] = "Stop"
    return told


def test_retry_keeps_what_went_well() -> None:
    """Failed, omitted and exit nodes go, with every mention; groups run again; the rest stays."""
    told = failed()
    made, gone = retried(told)

    assert {"b", "c", "x"} == gone
    nodes = made["status"]["nodes"]
    assert {"w-1", "a"} == set(nodes)
    assert ("Running", ["a"], []) == (
        nodes["w-1"]["phase"],
        nodes["w-1"]["children"],
        nodes["w-1"]["outboundNodes"],
    )
    assert not {"message", "finishedAt"} & set(nodes["w-1"])
    assert [] == nodes["a"]["children"]
    assert "" == made["status"]["phase"]
    assert [{"type": "PodRunning"}] == made["status"]["conditions"]
    assert {} == made["metadata"]["labels"]
    assert "shutdown" not in made["spec"]
    assert "Failed" == told["status"]["phase"], "what was read stays as it was"
