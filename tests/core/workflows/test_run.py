"""Workflows as values, from objects that a server sent."""

from __future__ import annotations

from typing import Any

import pytest

from gitops.core.workflows.run import read_run

SUSPEND = {
    "name": "approve",
    "suspend": {},
    "inputs": {"parameters": [{"name": "decision", "default": "no", "enum": ["yes", "no"]}]},
    "outputs": {
        "parameters": [
            {"name": "decision", "valueFrom": {"supplied": {}}},
            {"name": "who", "valueFrom": {"supplied": {}, "default": "nobody"}},
            {"name": "why", "valueFrom": {"supplied": {}}},
        ]
    },
}


def workflow(**status: Any) -> dict[str, Any]:
    """A Workflow with a suspended step, as the controller v4.0.5 writes it."""
    return {
        "metadata": {
            "name": "w-1",
            "namespace": "argo",
            "resourceVersion": "7",
            "creationTimestamp": "2026-11-29T10:00:00Z",
            "labels": {"workflows.argoproj.io/phase": "Running"},
        },
        "spec": {
            "workflowTemplateRef": {"name": "w"},
            "arguments": {"parameters": [{"name": "tag", "value": "v2"}, {"name": "later"}]},
        },
        "status": {
            "phase": "Running",
            "startedAt": "2026-11-29T10:00:01Z",
            "storedWorkflowTemplateSpec": {"templates": [SUSPEND]},
            "nodes": {
                "w-1": {"id": "w-1", "type": "DAG", "phase": "Running", "children": ["a", "b"]},
                "b": {
                    "id": "b",
                    "type": "Suspend",
                    "displayName": "approve",
                    "templateName": "approve",
                    "phase": "Running",
                    "startedAt": "2026-11-29T10:00:09Z",
                    "inputs": {"parameters": [{"name": "environment", "value": "prod"}]},
                },
                "a": {
                    "id": "a",
                    "type": "Pod",
                    "displayName": "bump(0:dev)",
                    "phase": "Succeeded",
                    "startedAt": "2026-11-29T10:00:02Z",
                    "finishedAt": "2026-11-29T10:00:08Z",
                },
            },
            **status,
        },
    }


def test_steps_in_their_order() -> None:
    """What does something is a step, in the order of its beginning; what holds them is none."""
    run = read_run(workflow())

    assert ["bump(0:dev)", "approve"] == [one.name for one in run.steps]
    assert ("w-1", "argo", "w", "Running", {"tag": "v2"}) == (
        run.name,
        run.namespace,
        run.template,
        run.phase,
        run.parameters,
    )
    assert ["approve"] == [one.name for one in run.waiting]
    assert {"environment": "prod"} == run.waiting[0].inputs
    assert not run.ended


def test_what_a_suspended_step_asks_for() -> None:
    """Outputs to be supplied come from its template, each with the default that is meant."""
    (step,) = read_run(workflow()).waiting

    assert {"decision": "no", "who": "nobody", "why": None} == step.supplied


def test_an_ended_workflow_waits_for_nobody() -> None:
    """A suspended step of a workflow that was stopped waits no more."""
    assert () == read_run(workflow(phase="Failed")).waiting


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"metadata": [], "spec": 1, "status": "x"},
        {"status": {"nodes": ["a"], "phase": 3}},
        {"status": {"nodes": {"a": None, "b": {"type": "Pod", "startedAt": "yesterday"}}}},
        {"status": {"nodes": {"a": {"type": "Suspend", "inputs": 7, "outputs": []}}}},
        {"spec": {"arguments": {"parameters": {"name": 1}}, "templates": [None, 3]}},
    ],
)
def test_what_does_not_fit_is_left_out(told: dict[str, Any]) -> None:
    """Objects of any shape are read; a phase that nobody wrote is Pending."""
    run = read_run(told)

    assert "Pending" == run.phase
    assert () == run.waiting


def test_messages_are_one_line() -> None:
    """What a step says cannot move a terminal's cursor or make a second line."""
    told = workflow()
    told["status"]["nodes"]["a"]["message"] = "bad\n::error::\x1b[2J"

    assert "bad ::error:: [2J" == read_run(told).steps[0].message
