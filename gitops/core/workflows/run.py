"""A workflow as values: its phase, its steps, and which of them wait for a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from gitops.core.text.plain import one_line
from gitops.core.unstructured import table, tables, text, time

ENDED = frozenset({"Succeeded", "Failed", "Error"})
"""Phases of a workflow, and of a node, after which nothing follows."""

LABEL = "workflows.argoproj.io/workflow"
"""On the pods of a workflow: its name."""

_SHOWN = frozenset({"Pod", "Suspend", "Skipped", "Plugin", "HTTP", "Container"})
"""Types of nodes that do something themselves; the others only hold nodes together."""


class WorkflowStep(Struct, frozen=True):
    """One node of a workflow that does something, or waits.

    Attributes:
        id: of the node.
        name: as the workflow's author called it, within its loop (`bump(0:dev)`).
        kind: Pod, Suspend, Skipped…
        phase: Pending, Running, Succeeded, Failed, Error, Skipped, Omitted.
        message: why, in one line; "" where nobody says.
        started: None before it began.
        finished: None before it ended.
        template: what it is made from.
        inputs: its parameters; empty where they are not known yet.
        supplied: names of the outputs that whoever resumes it must give, with what they default to.
    """

    id: str
    name: str
    kind: str
    phase: str
    message: str
    started: datetime | None
    finished: datetime | None
    template: str
    inputs: Mapping[str, str]
    supplied: Mapping[str, str | None]

    @property
    def waits(self) -> bool:
        """Does it wait for somebody to resume it?"""
        return self.kind == "Suspend" and self.phase == "Running"


class WorkflowRun(Struct, frozen=True):
    """One Workflow object.

    Attributes:
        name: of the object.
        namespace: it is in.
        template: the WorkflowTemplate that it was submitted from; "" for none.
        phase: Pending, Running, Succeeded, Failed, Error.
        message: why, in one line.
        suspended: is the whole of it held (`spec.suspend`)?
        stopping: `Stop` or `Terminate` once somebody asked for it, else "".
        created: when it was submitted.
        started: None before it began.
        finished: None before it ended.
        parameters: its arguments.
        steps: in the order in which they began; those that have not come last.
    """

    name: str
    namespace: str
    template: str
    phase: str
    message: str
    suspended: bool
    stopping: str
    created: datetime | None
    started: datetime | None
    finished: datetime | None
    parameters: Mapping[str, str]
    steps: tuple[WorkflowStep, ...]

    @property
    def ended(self) -> bool:
        """Has it ended?"""
        return self.phase in ENDED

    @property
    def waiting(self) -> tuple[WorkflowStep, ...]:
        """The steps that wait for somebody."""
        return () if self.ended else tuple(one for one in self.steps if one.waits)

    @property
    def failed(self) -> tuple[WorkflowStep, ...]:
        """The steps that failed: also of a workflow that went on after it."""
        return tuple(one for one in self.steps if one.phase in ("Failed", "Error"))


def read_run(told: Mapping[str, Any]) -> WorkflowRun:
    """Read a Workflow; what does not fit is as if left out."""
    metadata, spec, status = table(told, "metadata"), table(told, "spec"), table(told, "status")
    stored = table(status, "storedTemplates")
    nodes = [one for one in table(status, "nodes").values() if isinstance(one, Mapping)]
    steps = [_step(one, told, stored) for one in nodes if text(one, "type") in _SHOWN]
    return WorkflowRun(
        name=text(metadata, "name"),
        namespace=text(metadata, "namespace"),
        template=text(table(spec, "workflowTemplateRef"), "name"),
        phase=text(status, "phase") or "Pending",
        message=one_line(text(status, "message"), 300),
        suspended=spec.get("suspend") is True,
        stopping=text(spec, "shutdown"),
        created=time(metadata, "creationTimestamp"),
        started=time(status, "startedAt"),
        finished=time(status, "finishedAt"),
        parameters=_parameters(table(spec, "arguments")),
        steps=tuple(sorted(steps, key=_order)),
    )


def _step(
    node: Mapping[str, Any], workflow: Mapping[str, Any], stored: Mapping[str, Any]
) -> WorkflowStep:
    template = text(node, "templateName") or text(table(node, "templateRef"), "template")
    kind = text(node, "type")
    return WorkflowStep(
        id=text(node, "id"),
        name=one_line(text(node, "displayName") or text(node, "name"), 120),
        kind=kind,
        phase=text(node, "phase") or "Pending",
        message=one_line(text(node, "message"), 300),
        started=time(node, "startedAt"),
        finished=time(node, "finishedAt"),
        template=template,
        inputs=_parameters(table(node, "inputs")),
        supplied=_supplied(node, template, workflow, stored) if kind == "Suspend" else {},
    )


def _supplied(
    node: Mapping[str, Any],
    template: str,
    workflow: Mapping[str, Any],
    stored: Mapping[str, Any],
) -> dict[str, str | None]:
    """The outputs that whoever resumes gives: of the node, else of the template it was made from.

    A node that is resumed without one of them keeps its workflow Running for ever, without a
    message: only Argo's own client fills in defaults (seen with v4.0.5).
    """
    spec = table(workflow, "status").get("storedWorkflowTemplateSpec")
    known = [
        *tables(table(workflow, "spec"), "templates"),
        *(tables(spec, "templates") if isinstance(spec, Mapping) else ()),
        *(one for one in stored.values() if isinstance(one, Mapping)),
    ]
    sources = [node, *(one for one in known if text(one, "name") == template)]
    found: dict[str, str | None] = {}
    for source in sources:
        for one in tables(table(source, "outputs"), "parameters"):
            asked = table(one, "valueFrom")
            if "supplied" in asked and text(one, "name"):
                default = asked.get("default")
                found.setdefault(text(one, "name"), default if isinstance(default, str) else None)
    inputs = {text(one, "name"): one for source in sources for one in _inputs(source)}
    for name, default in found.items():
        if default is None and name in inputs:
            row = inputs[name]
            value = row.get("value", row.get("default"))
            found[name] = value if isinstance(value, str) else None
    return found


def _inputs(source: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return tables(table(source, "inputs"), "parameters")


def _parameters(told: Mapping[str, Any]) -> dict[str, str]:
    rows = tables(told, "parameters")
    return {
        text(one, "name"): text(one, "value") for one in rows if isinstance(one.get("value"), str)
    }


def _order(step: WorkflowStep) -> tuple[bool, float, str]:
    began = step.started
    return (began is None, began.timestamp() if began is not None else 0.0, step.id)
