"""A workflow that runs, or did: stopped, retried, resumed where it waits for somebody."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitops.actions.context.named import find_overlay
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.context.view import view_of
from gitops.actions.proposals.find import look
from gitops.core.text.plain import timestamp
from gitops.core.workflows.change import resumption, retried, shutdown
from gitops.core.workflows.run import WorkflowRun, WorkflowStep, read_run
from gitops.errors import Conflict, Refused, UsageError
from gitops.ports.clock import Clock
from gitops.ports.workflows import Workflows

ENVIRONMENT = "environment"
"""Input of a suspended step: the environment whose approval it stands for."""

APP = "app"
"""Input of the same: the app, where each has overlays of its own."""

_TRIES = 4


def stop(workflows: Workflows, name: str, *, terminate: bool) -> tuple[WorkflowRun, bool]:
    """Ask a workflow to end; return it, and whether there was something to ask for.

    `terminate`: at once, without its exit handler.
    """
    run = read_run(workflows.get(name))
    wanted = "Terminate" if terminate else "Stop"
    if run.ended or run.stopping in (wanted, "Terminate"):
        return run, False
    return read_run(workflows.change(name, shutdown(terminate=terminate))), True


def retry(workflows: Workflows, name: str) -> tuple[WorkflowRun, tuple[str, ...]]:
    """Run a failed workflow again from where it failed; return it, and the names of those steps.

    Raises Refused for one that runs or went well, Conflict when it changes all the time.
    """
    for _ in range(_TRIES):
        found = workflows.get(name)
        run = read_run(found)
        if not run.ended:
            raise Refused(f"workflow {name} runs", hint=f"gitops workflow watch {name}")
        if run.phase == "Succeeded":
            raise Refused(
                f"workflow {name} succeeded: there is nothing to retry",
                hint="`gitops workflow run TEMPLATE` starts a new one",
            )
        made, gone = retried(found)
        workflows.drop_pods(name, gone)
        try:
            again = read_run(workflows.put(name, made))
        except Conflict:
            continue
        return again, tuple(one.name for one in run.steps if one.id in gone)
    raise Conflict(f"workflow {name} changes all the time", hint="try again")


def resume(
    workflows: Workflows,
    clock: Clock,
    name: str,
    *,
    step: str | None,
    values: Mapping[str, str],
    by: str,
    refuse: str | None,
    check: Callable[[WorkflowStep], None],
) -> tuple[WorkflowRun, tuple[WorkflowStep, ...]]:
    """Let a workflow go on where it waits; return it, and the steps that waited.

    Args:
        step: by name, where several wait; None: the only one.
        values: what its outputs are to be.
        by: who resumes it, for its message.
        refuse: why the step is to fail; None: it goes well.
        check: asked about each step that stands for the approval of an environment; raises Refused
            while it is not given. A workflow is not what protects an environment, since whoever may
            patch it can end any step: Git and the forge are.

    Raises Refused (nothing waits, not approved), UsageError (several wait; outputs without values),
    Conflict.
    """
    for _ in range(_TRIES):
        found = workflows.get(name)
        run = read_run(found)
        steps = _chosen(run, step)
        for one in steps:
            if refuse is None and one.inputs.get(ENVIRONMENT):
                check(one)
        message = f"{'refused' if refuse is not None else 'resumed'} by {by}"
        patch = resumption(
            found,
            steps,
            {} if refuse is not None else {one.id: _outputs(one, values) for one in steps},
            message=f"{message}: {refuse}" if refuse else message,
            now=timestamp(clock.now()),
            refused=refuse is not None,
        )
        try:
            return read_run(workflows.change(name, patch)), steps
        except Conflict:
            continue
    raise Conflict(f"workflow {name} changes all the time", hint="try again")


def _chosen(run: WorkflowRun, step: str | None) -> tuple[WorkflowStep, ...]:
    waiting = run.waiting
    if step is not None:
        chosen = tuple(one for one in waiting if one.name == step)
        if not chosen:
            names = ", ".join(one.name for one in waiting) or "none"
            raise Refused(f"step {step} of {run.name} does not wait", hint=f"those wait: {names}")
        return chosen
    if len(waiting) > 1:
        names = ", ".join(one.name for one in waiting)
        raise UsageError(
            f"several steps of {run.name} wait: {names}", hint="say which: --step NAME"
        )
    if not waiting and not (run.suspended and not run.ended):
        state = run.phase if run.ended else "no step of it waits for anybody"
        raise Refused(f"workflow {run.name} has nothing to resume: {state}")
    return waiting


def _outputs(step: WorkflowStep, values: Mapping[str, str]) -> dict[str, str]:
    """Every output that is wanted: without one of them the workflow would stay there for ever."""
    for name in values:
        if name not in step.supplied:
            takes = ", ".join(step.supplied) or "no values"
            raise UsageError(f"{step.name} takes no {name}", hint=f"it takes {takes}")
    made = {name: values.get(name, default) for name, default in step.supplied.items()}
    lacking = [name for name, value in made.items() if value is None]
    if lacking:
        raise UsageError(
            f"{step.name} needs {', '.join(lacking)}",
            hint=" ".join(f"-p {name}=…" for name in lacking),
        )
    return {name: value for name, value in made.items() if value is not None}


def require_approved(session: Session, step: WorkflowStep) -> None:
    """Raise Refused while a proposal waits for the environment of a step.

    Raises NotFound for an environment that `gitops.yaml` does not have.
    """
    tip = open_tip(session)
    app = step.inputs.get(APP) or None
    overlay = find_overlay(tip, step.inputs[ENVIRONMENT], app)
    found = look(view_of(session, tip, overlay))
    if found.present is None:
        return
    where = f" ({found.pull.url})" if found.pull is not None and found.pull.url else ""
    raise Refused(
        f"{step.name} stands for the approval of {overlay.label}, and its proposal waits{where}",
        hint=f"gitops approve {overlay.typed}, then resume again; "
        "--refuse REASON ends the step instead",
    )
