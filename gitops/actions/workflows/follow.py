"""A workflow followed until it has ended: each step told as it begins and ends, with its log."""

from __future__ import annotations

from collections.abc import Callable

from gitops.core.text.plain import split_lines
from gitops.core.workflows.run import ENDED, WorkflowRun, WorkflowStep, read_run
from gitops.errors import TimedOut, TryAgain
from gitops.ports.clock import Clock
from gitops.ports.workflows import Workflows

_PAUSE = 0.5  # seconds between two looks: what the controller wrote is seen within a second
_PATIENCE = 30.0  # seconds that an API server may be away
_LAST_LINES = 20


class WorkflowTeller:
    """Tells what is new about a workflow: once each.

    Args:
        said: takes a line about the workflow or one of its steps.
        logged: takes a line of a step's log.
        logs: tell the logs of steps that went well, too.
    """

    def __init__(
        self,
        workflows: Workflows,
        said: Callable[[WorkflowRun, WorkflowStep], None],
        logged: Callable[[str], None],
        *,
        logs: bool,
    ) -> None:
        self._workflows = workflows
        self._said = said
        self._logged = logged
        self._logs = logs
        self._told: dict[str, str] = {}

    def tell(self, run: WorkflowRun) -> None:
        """Tell of each step that is in another phase than it was told in."""
        for step in run.steps:
            # A node between two looks of the controller may have no phase that says anything yet.
            if step.phase == "Pending" or self._told.get(step.id) == step.phase:
                continue
            self._told[step.id] = step.phase
            self._said(run, step)
            if step.kind == "Pod" and step.phase in ENDED:
                self._log(run, step)

    def _log(self, run: WorkflowRun, step: WorkflowStep) -> None:
        good = step.phase == "Succeeded"
        if good and not self._logs:
            return
        lines = split_lines(self._workflows.log(run.name, step.id))
        if not self._logs and len(lines) > _LAST_LINES:
            self._logged(f"({len(lines) - _LAST_LINES} lines before these; --logs shows all)")
            lines = lines[-_LAST_LINES:]
        for line in lines:
            self._logged(line)


def follow(
    workflows: Workflows,
    clock: Clock,
    name: str,
    timeout: float,
    teller: WorkflowTeller,
) -> WorkflowRun:
    """Look at a workflow until it has ended, and return how it ended.

    A step that waits for a person is told, and waited for.

    Raises TimedOut after `timeout` seconds, and what the port raises; an API server that is away
    for a moment is asked again.
    """
    deadline = clock.monotonic() + timeout
    reached = clock.monotonic()
    while True:
        try:
            run = read_run(workflows.get(name))
        except TryAgain:
            if clock.monotonic() - reached > _PATIENCE or clock.monotonic() >= deadline:
                raise
        else:
            reached = clock.monotonic()
            teller.tell(run)
            if run.ended:
                return run
            if clock.monotonic() >= deadline:
                raise _late(run, timeout)
        clock.pause(min(_PAUSE, max(deadline - clock.monotonic(), 0.0)), _PAUSE / 5)


def _late(run: WorkflowRun, timeout: float) -> TimedOut:
    now = [one.name for one in run.steps if one.phase == "Running"]
    about = f": {', '.join(now[:5])}" if now else ""
    waits = run.waiting
    hint = f"gitops workflow watch {run.name}"
    if waits:
        hint = f"{waits[0].name} waits for somebody: gitops workflow resume {run.name}"
    return TimedOut(f"workflow {run.name} has not ended after {timeout:g} s{about}", hint=hint)
