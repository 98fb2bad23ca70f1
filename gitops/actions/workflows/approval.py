"""Is the approval given that a suspended step stands for? Git is asked, not the workflow."""

from __future__ import annotations

from gitops.actions.context.named import find_overlay
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.context.view import view_of
from gitops.actions.proposals.find import look
from gitops.actions.workflows.steer import APP, ENVIRONMENT
from gitops.core.workflows.run import WorkflowStep
from gitops.errors import Refused


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
    words = f"gitops approve {overlay.environment.name}"
    if overlay.app:
        words += f" --app {overlay.app}"
    where = f" ({found.pull.url})" if found.pull is not None and found.pull.url else ""
    raise Refused(
        f"{step.name} stands for the approval of {overlay.label}, and its proposal waits{where}",
        hint=f"{words}, then resume again; --refuse REASON ends the step instead",
    )
