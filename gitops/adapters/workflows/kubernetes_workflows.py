"""`ports.workflows.Workflows` over the API server that the workflow controller watches.

No server of Argo Workflows is asked: all that gitops does is done to objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from gitops.adapters.argocd.collection import KubernetesCollection, api_path
from gitops.adapters.argocd.connection import Connection, KubernetesQuery
from gitops.core.unstructured import newest_first, table, text
from gitops.core.workflows.change import API
from gitops.core.workflows.run import LABEL
from gitops.errors import Denied, NotFound
from gitops.ports.jobs import LONGEST_LOG

_NODE = "workflows.argoproj.io/node-id"
RIGHTS = (
    "it needs: get, list, create and patch workflows (update to retry), get workflowtemplates, "
    "get, list and delete pods, get pods/log in that namespace (docs/how-to/workflows.md)"
)


class KubernetesWorkflows:
    """The workflows of one namespace.

    Args:
        connection: to its API server.
        namespace: None: the one of the kubeconfig's context, else `argo`.
    """

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._namespace = namespace
        connection.rights = RIGHTS

    @property
    def place(self) -> str:
        """What messages call it."""
        return f"{self._namespace} of {self._connection.name}"

    @property
    def namespace(self) -> str:
        """Where the workflows are."""
        return self._namespace

    def templates(self) -> Sequence[Mapping[str, Any]]:
        """Return the WorkflowTemplates there."""
        return self._all(self._objects("workflowtemplates"))

    def submit(self, workflow: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create a Workflow."""
        return self._connection.post(self._objects("workflows"), workflow).data

    def get(self, name: str) -> Mapping[str, Any]:
        """Read a Workflow."""
        return self._connection.get(self._objects("workflows", name)).data

    def newest(self, most: int) -> Sequence[Mapping[str, Any]]:
        """Return the newest Workflows."""
        return newest_first(self._all(self._objects("workflows")))[:most]

    def change(self, name: str, patch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Apply a merge patch to a Workflow."""
        return self._connection.patch(self._objects("workflows", name), patch).data

    def put(self, name: str, workflow: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a Workflow in place of the one that was read."""
        return self._connection.put(self._objects("workflows", name), workflow).data

    def drop_pods(self, name: str, nodes: frozenset[str]) -> None:
        """Delete the pods of these nodes."""
        for pod in self._pods(name):
            if text(table(pod, "metadata", "annotations"), _NODE) in nodes:
                with suppress(NotFound):
                    self._connection.delete(self._pod(text(table(pod, "metadata"), "name")))

    def log(self, name: str, node: str) -> str:
        """Return what the main container of a node said so far."""
        found = [
            pod
            for pod in self._pods(name)
            if text(table(pod, "metadata", "annotations"), _NODE) == node
        ]
        for pod in newest_first(found)[:1]:
            path = f"{self._pod(text(table(pod, 'metadata'), 'name'))}/log"
            query = [("container", "main"), ("limitBytes", str(LONGEST_LOG))]
            try:
                return self._connection.text(path, query, most=LONGEST_LOG)
            except (NotFound, Denied):
                return ""  # the container waits, or its log is not ours to read
        return ""

    def _pods(self, name: str) -> Sequence[Mapping[str, Any]]:
        path = f"/api/v1{api_path('namespaces', self._namespace, 'pods')}"
        return self._all(path, [("labelSelector", f"{LABEL}={name}")])

    def _pod(self, name: str) -> str:
        return f"/api/v1{api_path('namespaces', self._namespace, 'pods', name)}"

    def _objects(self, kind: str, *name: str) -> str:
        return f"/apis/{API}{api_path('namespaces', self._namespace, kind, *name)}"

    def _all(self, path: str, query: KubernetesQuery = ()) -> list[Mapping[str, Any]]:
        every = KubernetesCollection(self._connection, path, lambda told: told, query=query)
        return [one for page in every.listed() for _, one in page.items]
