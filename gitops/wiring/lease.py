"""The lease by which replicas of the server agree who tells people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops.ports.lease import LeaseStore

_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LEASE = "gitops-notify"
"""What it is called where nobody said; deploy/server/ has the rights for it."""

_WITHIN = 3.0  # seconds for one request: less than what is left when a renewal is missed


def open_lease(
    name: str | None, namespace: str | None, context: str | None, *, wanted: bool
) -> LeaseStore | None:
    """Return where the lease is kept; None: nothing was said, and this is no pod with an account.

    Args:
        wanted: the settings ask for it; else only in a pod that has a token.
        context: of the kubeconfig; None: the pod's own account, else the current context.
    """
    if not wanted and not ("KUBERNETES_SERVICE_HOST" in os.environ and (_POD / "token").exists()):
        return None
    from gitops.adapters.argocd.connection import Connection
    from gitops.adapters.argocd.lease_api import KubernetesLease

    connection = Connection(context or "the cluster", context, os.environ, _WITHIN)
    return KubernetesLease(connection, namespace or _namespace(), name or LEASE)


def _namespace() -> str:
    try:
        return (_POD / "namespace").read_text(encoding="utf-8").strip() or "gitops"
    except OSError:
        return "gitops"
