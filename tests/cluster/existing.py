"""A cluster that is there already, with Argo CD in it: nothing is installed, nothing is kept."""

from __future__ import annotations

from pathlib import Path

from cluster.handle import ClusterHandle


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
    status, answer = handle.kube.ask("GET", "/apis/argoproj.io/v1alpha1")
    kinds = {one["kind"] for one in answer["resources"]} if status == 200 else set()
    assert "Application" in kinds, f"the cluster of {kubeconfig} knows no Argo CD Applications"
    found = frozenset({"rollouts"}) if "Rollout" in kinds else frozenset()
    return ClusterHandle(
        provider=handle.provider,
        capabilities=found,
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        git_host=git_host,
    )
