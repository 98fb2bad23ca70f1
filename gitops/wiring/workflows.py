"""The workflows of a cluster, and the first files of a team's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops.actions.workflows.begin import WorkflowsReport
    from gitops.ports.clock import Clock
    from gitops.ports.workflows import Workflows

_WITHIN = 10.0  # seconds that one question to the API server may take


def open_workflows(context: str | None, namespace: str) -> tuple[Workflows, Clock]:
    """Return the workflows of a namespace, and the time; nothing is contacted yet.

    `context`: of the caller's kubeconfig; None: the current one, in a pod the pod's own account.
    """
    from gitops.adapters.argocd.connection import Connection
    from gitops.adapters.local.clock import SystemClock
    from gitops.adapters.workflows.kubernetes_workflows import KubernetesWorkflows

    name = context or "the current cluster"
    connection = Connection(name, context, os.environ, _WITHIN)
    return KubernetesWorkflows(connection, namespace), SystemClock()


def workflow_init(directory: str, settings: Mapping[str, str], *, dry_run: bool) -> WorkflowsReport:
    """Write the first workflows of a team. See `gitops.actions.workflows.begin`."""
    from gitops.actions.workflows.begin import begin
    from gitops.adapters.local.folder import LocalFolder
    from gitops.adapters.workflows.scaffold import workflow_files

    place = LocalFolder(directory)
    origin = place.origin() or LocalFolder(".").origin()
    return begin(place, settings, workflow_files, origin=origin, dry_run=dry_run)


def whoami() -> str:
    """Return who resumes a workflow: the author of a commit, else this machine's user."""
    import getpass

    from gitops.adapters.gitrepo.identity import find_identity
    from gitops.errors import NotFound

    try:
        return find_identity(os.environ, lambda _: None).text
    except NotFound:
        return getpass.getuser()
