"""`ports.lease.LeaseStore` over the Leases of Kubernetes.

https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gitops.adapters.argocd.collection import api_path
from gitops.adapters.argocd.connection import Connection
from gitops.core.unstructured import table, text
from gitops.errors import Conflict, NotFound
from gitops.ports.lease import LeaseRecord

_OWNER = "gitops/repository"  # annotation
_LONGEST = 3600


class KubernetesLease:
    """One Lease of a namespace."""

    def __init__(self, connection: Connection, namespace: str, name: str) -> None:
        self._connection = connection
        self._namespace = namespace
        self._lease = name
        self._all = f"/apis/coordination.k8s.io/v1{api_path('namespaces', namespace, 'leases')}"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"Lease {self._namespace}/{self._lease}"

    def read(self) -> LeaseRecord | None:
        """See `ports.lease.LeaseStore`."""
        try:
            return _record(self._connection.get(f"{self._all}{api_path(self._lease)}").data)
        except NotFound:
            self._connection.open()  # no cluster at all is another matter, and raises
            return None

    def write(
        self, holder: str, seconds: int, owner: str, over: LeaseRecord | None
    ) -> LeaseRecord | None:
        """See `ports.lease.LeaseStore`."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_same = over is not None and over.holder == holder
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self._lease,
                "namespace": self._namespace,
                "annotations": {_OWNER: owner},
                **({"resourceVersion": over.version} if over is not None else {}),
            },
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": seconds,
                "renewTime": now,
                "acquireTime": over.acquired if over is not None and is_same else now,
                "leaseTransitions": over.changes + (not is_same) if over is not None else 0,
            },
        }
        try:
            if over is None:
                return _record(self._connection.post(self._all, body).data)
            path = f"{self._all}{api_path(self._lease)}"
            return _record(self._connection.put(path, body).data)
        except Conflict:
            return None


def _record(answer: Mapping[str, Any]) -> LeaseRecord:
    metadata, spec = table(answer, "metadata"), table(answer, "spec")
    seconds, changes = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    return LeaseRecord(
        holder=text(spec, "holderIdentity"),
        seconds=float(seconds) if isinstance(seconds, int) and 0 < seconds <= _LONGEST else 15.0,
        renewed=text(spec, "renewTime"),
        owner=text(table(metadata, "annotations"), _OWNER),
        version=text(metadata, "resourceVersion"),
        changes=changes if isinstance(changes, int) and changes >= 0 else 0,
        acquired=text(spec, "acquireTime") or text(spec, "renewTime"),
    )
