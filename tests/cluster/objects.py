"""What a new control plane holds before Argo CD starts: nodes, CRDs, settings, rights."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ARGOCD = "argocd"
ROLLOUTS = "argo-rollouts"
RIGHTS = Path(__file__).parents[2] / "deploy" / "argocd-rights.yaml"
NODES = 2

ACCOUNTS = ("gitops", "viewer", "nobody")
"""Accounts of Argo CD's own API: may get Applications, and what `Rollout` actions are needed; may
get Applications; may do nothing. The Kubernetes service accounts of these names have the rights of
`deploy/argocd-rights.yaml`; the same without patch; none."""

_POLICY = """\
p, role:viewer, applications, get, */*, allow
p, role:gitops, applications, get, */*, allow
p, role:gitops, applications, action/argoproj.io/Rollout/abort, */*, allow
g, gitops, role:gitops
g, viewer, role:viewer
"""

SETTINGS: dict[str, dict[str, str]] = {
    "argocd-cm": {
        # Tests cannot wait for the default of two to three minutes.
        "timeout.reconciliation": "10s",
        "timeout.reconciliation.jitter": "0s",
        **{f"accounts.{name}": "apiKey" for name in ACCOUNTS},
    },
    "argocd-rbac-cm": {"policy.csv": _POLICY},
    "argocd-ssh-known-hosts-cm": {"ssh_known_hosts": ""},
}


def crds(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the custom resource definitions of a folder of YAML files."""
    for path in sorted(folder.glob("*.yaml")):
        yield from documents(path)


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the documents of a YAML file that are not empty."""
    with path.open("rb") as file:
        yield from (found for found in yaml.load_all(file, yaml.CSafeLoader) if found)


def settings(folder: Path, secret: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield Argo CD's ConfigMaps and its Secret from the files of its release, with ours on top."""
    for path in sorted(folder.glob("argocd-*.yaml")):
        for found in documents(path):
            found["metadata"]["namespace"] = ARGOCD
            name = found["metadata"]["name"]
            if name in SETTINGS:
                found["data"] = {**found.get("data", {}), **SETTINGS[name]}
            if found["kind"] == "Secret":
                found["data"] = {
                    key: b64encode(value.encode()).decode() for key, value in secret.items()
                }
            yield found


def namespaces() -> Iterator[dict[str, Any]]:
    """Yield the namespaces of Argo CD and Rollouts."""
    for name in (ARGOCD, ROLLOUTS):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def nodes() -> Iterator[dict[str, Any]]:
    """Yield nodes that kwok plays."""
    capacity = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
    for number in range(1, NODES + 1):
        name = f"node-{number}"
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"}
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {"kwok.x-k8s.io/node": "fake"},
            },
            "status": {"allocatable": capacity, "capacity": capacity},
        }


def projects() -> Iterator[dict[str, Any]]:
    """Yield the project `default` as Argo CD itself would make it."""
    everything = [{"group": "*", "kind": "*"}]
    yield {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "default", "namespace": ARGOCD},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"namespace": "*", "server": "*"}],
            "clusterResourceWhitelist": everything,
        },
    }


def rights() -> Iterator[dict[str, Any]]:
    """Yield the shipped rights, and the accounts beside it: one that only reads, one without."""
    yield from documents(RIGHTS)
    for name in ("viewer", "nobody"):
        metadata = {"name": name, "namespace": ARGOCD}
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    group = "rbac.authorization.k8s.io"
    metadata = {"name": "viewer", "namespace": ARGOCD}
    rule = {
        "apiGroups": ["argoproj.io"],
        "resources": ["applications"],
        "verbs": ["get", "list", "watch"],
    }
    yield {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "viewer"},
        "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": ARGOCD}],
    }
