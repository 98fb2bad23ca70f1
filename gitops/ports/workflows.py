"""Workflows of Argo Workflows: submitted, looked at, changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Workflows(Protocol):
    """The workflows of one namespace of one cluster.

    Objects are as the Kubernetes API has them, and may hold anything. All calls may raise NotFound
    (no such object, namespace or context, or no Argo Workflows there), Denied, Conflict,
    Unavailable and TimedOut.
    """

    @property
    def place(self) -> str:
        """What messages call the cluster and the namespace."""
        ...

    @property
    def namespace(self) -> str:
        """Where the workflows are."""
        ...

    def templates(self) -> Sequence[Mapping[str, Any]]:
        """Return the WorkflowTemplates there."""
        ...

    def submit(self, workflow: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create a Workflow, and return what was made of it."""
        ...

    def get(self, name: str) -> Mapping[str, Any]:
        """Read a Workflow."""
        ...

    def newest(self, most: int) -> Sequence[Mapping[str, Any]]:
        """Return the newest Workflows, at most `most`, the newest first."""
        ...

    def change(self, name: str, patch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Apply a merge patch to a Workflow, and return what it is then.

        Raises Conflict where the patch names a resourceVersion that is not the newest.
        """
        ...

    def put(self, name: str, workflow: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a Workflow in place of the one that was read. Raises Conflict when it changed."""
        ...

    def drop_pods(self, name: str, nodes: frozenset[str]) -> None:
        """Delete the pods of these nodes of a Workflow; those that are gone do not matter."""
        ...

    def log(self, name: str, node: str) -> str:
        """Return what the main container of a node said so far; "" while there is none."""
        ...
