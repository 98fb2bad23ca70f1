"""What is sent to the Kubernetes API to submit, stop, resume and retry a workflow.

Workflows have no status subresource, so `patch workflows` is enough for all of it, and no server of
Argo Workflows is asked. Requests and their effects were seen with the controller v4.0.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from gitops.core.unstructured import items, table, tables, text
from gitops.core.workflows.run import ENDED, WorkflowStep

COMPLETED = "workflows.argoproj.io/completed"
_PHASE = "workflows.argoproj.io/phase"
API = "argoproj.io/v1alpha1"
INTENT = "gitops.dev/intent"
"""Label of a workflow that gitops submitted: the id of the call."""

_GROUPS = frozenset({"DAG", "Steps", "StepGroup", "TaskGroup", "Retry"})
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?")


def is_name(text: str) -> bool:
    """Can a template have this name, and workflows the same with a suffix?"""
    return _NAME.fullmatch(text) is not None


def submission(
    template: str, parameters: Mapping[str, str], *, namespace: str, intent: str
) -> dict[str, Any]:
    """Return the Workflow that runs a WorkflowTemplate."""
    return {
        "apiVersion": API,
        "kind": "Workflow",
        "metadata": {
            "generateName": f"{template}-",
            "namespace": namespace,
            "labels": {INTENT: intent},
        },
        "spec": {
            "workflowTemplateRef": {"name": template},
            "arguments": {
                "parameters": [{"name": key, "value": value} for key, value in parameters.items()]
            },
        },
    }


def shutdown(*, terminate: bool) -> dict[str, Any]:
    """Return the merge patch that ends a workflow; `terminate`: without its exit handler."""
    return {"spec": {"shutdown": "Terminate" if terminate else "Stop"}}


def resumption(
    workflow: Mapping[str, Any],
    steps: Sequence[WorkflowStep],
    values: Mapping[str, Mapping[str, str]],
    *,
    message: str,
    now: str,
    refused: bool = False,
) -> dict[str, Any]:
    """Return the merge patch that ends suspended steps, and lets the whole go on.

    It carries the resourceVersion that was read: a workflow that changed meanwhile answers 409.

    Args:
        values: by the id of the step, what its outputs are to be: each of `supplied`.
        now: RFC 3339.
        refused: the steps fail.
    """
    nodes: dict[str, Any] = {}
    for step in steps:
        node: dict[str, Any] = {
            "phase": "Failed" if refused else "Succeeded",
            "message": message,
            "finishedAt": now,
        }
        given = values.get(step.id, {})
        if given and not refused:
            # A merge patch replaces the whole list.
            rows = [{"name": key, "value": value} for key, value in given.items()]
            node["outputs"] = {"parameters": rows}
        nodes[step.id] = node
    patch: dict[str, Any] = {
        "metadata": {"resourceVersion": text(table(workflow, "metadata"), "resourceVersion")}
    }
    if nodes:
        patch["status"] = {"nodes": nodes}
    if table(workflow, "spec").get("suspend") is True:
        patch["spec"] = {"suspend": None}
    return patch


def retried(workflow: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return a failed workflow as it is put back to run again, and the ids of nodes that go.

    What succeeded stays. Failed, omitted and exit nodes go, with their pods: a retried node has the
    id, and so the pod name, that it had. What holds nodes together runs again.
    """
    made: dict[str, Any] = deepcopy(dict(workflow))
    status = made["status"] = dict(table(made, "status"))
    nodes = {key: one for key, one in table(status, "nodes").items() if isinstance(one, dict)}
    name = text(table(made, "metadata"), "name")
    gone = {key for key, one in nodes.items() if _goes(one, name)}
    kept: dict[str, Any] = {}
    for key, one in nodes.items():
        if key in gone:
            continue
        for links in ("children", "outboundNodes"):
            if links in one:
                one[links] = [other for other in items(one, links) if other not in gone]
        if text(one, "phase") in ("Failed", "Error"):
            one["phase"] = "Running"
            one.pop("message", None)
            one.pop("finishedAt", None)
        kept[key] = one
    status["nodes"] = kept
    status["phase"] = ""
    for word in ("message", "finishedAt"):
        status.pop(word, None)
    conditions = tables(status, "conditions")
    status["conditions"] = [one for one in conditions if text(one, "type") != "Completed"]
    spec = made["spec"] = dict(table(made, "spec"))
    spec.pop("shutdown", None)
    labels = made["metadata"].get("labels")
    for word in (COMPLETED, _PHASE) if isinstance(labels, dict) else ():
        labels.pop(word, None)
    return made, frozenset(gone)


def _goes(node: Mapping[str, Any], workflow: str) -> bool:
    if text(node, "name").startswith(f"{workflow}.onExit"):
        return True
    phase, kind = text(node, "phase"), text(node, "type")
    if phase == "Omitted":
        return True
    return phase in ENDED - {"Succeeded"} and kind not in _GROUPS
