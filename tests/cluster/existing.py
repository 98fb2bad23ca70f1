"""A cluster that is there already, with Argo CD in it: nothing is installed, nothing is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from cluster.handle import ClusterHandle
from servers.network import allow


def existing_handle(
    kubeconfig: Path, context: str | None, namespace: str, git_host: str
) -> ClusterHandle:
    """Return what tests may do there, after a look at which kinds its API server knows."""
    handle = ClusterHandle(
        provider="existing",
        capabilities=frozenset(),
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        git_host=git_host,
    )
    allow(git_host, urlsplit(handle.kube.url).hostname or "")
    status, answer = handle.kube.ask("GET", "/apis/argoproj.io/v1alpha1")
    kinds = {one["kind"] for one in answer["resources"]} if status == 200 else set()
    assert "Application" in kinds, f"the cluster of {kubeconfig} knows no Argo CD Applications"
    found = frozenset({"rollouts"}) if "Rollout" in kinds else frozenset()
    return replace(handle, capabilities=found)
