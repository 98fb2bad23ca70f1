"""What `gitops workflow` prints: steps as they come, and what became of a workflow."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gitops.actions.workflows.begin import WorkflowsReport
from gitops.cli.render.terminal import beside, line, minute, paint, print_columns, safe
from gitops.cli.render.text import print_json
from gitops.core.text.plain import short_age
from gitops.core.workflows.run import WorkflowRun, WorkflowStep
from gitops.documents.reports import JsonDocument, time_text

_SIGNS = {
    "Running": "…",
    "Succeeded": "✓",
    "Failed": "✗",
    "Error": "✗",
    "Skipped": "-",
    "Omitted": "-",
}
_STYLES = {"Succeeded": "green", "Failed": "red", "Error": "red", "Running": "yellow"}


def say_step(output: str) -> Callable[[WorkflowRun, WorkflowStep], None]:
    """Return what tells of a step: beside a document on standard error."""

    def say(run: WorkflowRun, step: WorkflowStep) -> None:
        stream = sys.stderr if output == "json" else sys.stdout
        words = [paint(_SIGNS.get(step.phase, "?"), _STYLES.get(step.phase, "dim"), stream)]
        words.append(safe(step.name))
        if step.waits:
            words.append(f"waits: gitops workflow resume {safe(run.name)}")
        elif step.phase == "Running":
            words.append("begins")
        else:
            words.append(step.phase.lower())
            if step.started is not None and step.finished is not None:
                words.append(f"after {short_age((step.finished - step.started).total_seconds())}")
        if step.message:
            words.append(f"({safe(step.message)})")
        beside(" ".join(words), output)

    return say


def print_run(
    action: str,
    outcome: str,
    run: WorkflowRun,
    output: str,
    *,
    steps: Sequence[str] = (),
    hint: str | None = None,
) -> int:
    """Print what was done to a workflow, and how it stands."""
    if output == "json":
        document = {"action": f"workflow {action}", "outcome": outcome, "steps": list(steps)}
        print_json({**document, "workflow": run_document(run)})
        return 0
    about = f": {', '.join(map(safe, steps))}" if steps else ""
    line(f"{safe(run.name)} {outcome}{about}")
    if hint:
        line(f"  {hint}")
    return 0


def print_planned(wanted: Mapping[str, Any], output: str) -> int:
    """Print the Workflow that would be submitted."""
    document = {"action": "workflow run", "outcome": "planned", "manifest": dict(wanted)}
    if output == "json":
        print_json(document)
        return 0
    from gitops.cli.render.terminal import json_text

    for text in json_text(wanted, 2).split("\n"):
        line(safe(text))
    return 0


def print_runs(runs: Sequence[WorkflowRun], place: str, output: str) -> int:
    """Print workflows, the newest first."""
    if output == "json":
        print_json({"workflows": [run_document(one) for one in runs]})
        return 0
    if not runs:
        line(f"no workflow ran in {safe(place)}: `gitops workflow run TEMPLATE` starts one")
        return 0
    rows = [
        (
            one.name,
            (one.stopping and not one.ended and "Stopping") or one.phase,
            minute(one.created, sys.stdout) if one.created is not None else "",
            _took(one),
            _note(one),
        )
        for one in runs
    ]
    print_columns([("WORKFLOW", "PHASE", "SUBMITTED", "TOOK", ""), *rows])
    return 0


def _took(run: WorkflowRun) -> str:
    if run.started is None:
        return ""
    return short_age(((run.finished or datetime.now(UTC)) - run.started).total_seconds())


def _note(run: WorkflowRun) -> str:
    if run.waiting:
        return f"waits at {', '.join(one.name for one in run.waiting)}"
    if run.suspended and not run.ended:
        return "suspended"
    return run.message


def print_files(report: WorkflowsReport, output: str) -> int:
    """Print what `workflow init` wrote."""
    if output == "json":
        print_json(
            {
                "action": "workflow init",
                "outcome": report.outcome,
                "directory": report.directory,
                "files": sorted(report.files),
            }
        )
        return 0
    verb = "wrote" if report.outcome == "written" else "would write"
    for name in sorted(report.files):
        line(f"{verb} {safe(report.directory)}/{name}")
    if report.outcome == "written":
        line("kubectl apply puts the YAML files there; to change one, edit definition.py, and")
        line(f"  python {safe(report.directory)}/definition.py")
    return 0


def run_document(run: WorkflowRun) -> JsonDocument:
    """A workflow in JSON."""
    return {
        "name": run.name,
        "namespace": run.namespace,
        "template": run.template or None,
        "phase": run.phase,
        "message": run.message or None,
        "parameters": dict(run.parameters),
        "created": time_text(run.created),
        "started": time_text(run.started),
        "finished": time_text(run.finished),
        "waiting": [one.name for one in run.waiting],
        "steps": [
            {
                "name": one.name,
                "template": one.template or None,
                "phase": one.phase,
                "message": one.message or None,
                "started": time_text(one.started),
                "finished": time_text(one.finished),
            }
            for one in run.steps
        ],
    }
