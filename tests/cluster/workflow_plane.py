"""The real controller of Argo Workflows beside the cluster, and somebody to play its pods."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.handle import ClusterHandle
from cluster.kube import Document
from cluster.objects import crds
from cluster.process_kubelet import IGNORED_BY_KWOK
from cluster.workflow_kubelet import PROGRAMS, WorkflowKubelet
from servers.lanes import absent, leave_out
from servers.processes import Processes, free_port
from servers.programs import WORKFLOWS
from servers.store import folder_of, program

_SETTINGS = "workflow-controller-configmap"


class WorkflowPlane:
    """A namespace that a controller of its own looks after.

    Attributes:
        namespace: where workflows run.
        kubelet: what plays their pods.
    """

    def __init__(self, cluster: ClusterHandle, namespace: str, kubelet: WorkflowKubelet) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.kubelet = kubelet

    def apply(self, documents: list[Document]) -> None:
        """Make objects so."""
        for one in documents:
            self.cluster.kube.apply(one)


@contextmanager
def open_workflow_plane(
    cluster: ClusterHandle, folder: Path, stand_ins: Path
) -> Iterator[WorkflowPlane]:
    """Start the controller for a namespace of its own; leaves the test out where it is not built.

    Its two settings of time are what tests live on: a chain of five steps takes 50 s by default.
    `stand_ins`: a folder of programs that steps find first.
    """
    cluster.needs("any-image")
    if reason := absent("workflows"):
        leave_out("workflows", reason)
    kube = cluster.kube
    for document in crds(folder_of(WORKFLOWS) / "crds"):
        kube.apply(document)
    namespace = f"workflows-{uuid.uuid4().hex[:8]}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    processes = Processes(folder / "controller")
    with WorkflowKubelet(cluster, folder / "kubelet", [stand_ins, *PROGRAMS]) as kubelet:
        kube.apply(_settings(namespace, kubelet.node))
        cluster.wait_for(lambda: _serves(cluster))
        processes.start(
            "workflow-controller",
            [
                str(program("workflow-controller")),
                *("--kubeconfig", str(cluster.kubeconfig), "--namespace", namespace),
                *("--namespaced", "--qps", "100", "--burst", "200", "--log-format", "json"),
            ],
            {
                "PATH": "/usr/bin:/bin",
                "HOME": str(folder),
                "LEADER_ELECTION_DISABLE": "true",
                "INFORMER_WRITE_BACK": "true",
                "DEFAULT_REQUEUE_TIME": "100ms",
            },
        )
        try:
            yield WorkflowPlane(cluster, namespace, kubelet)
        finally:
            processes.stop("workflow-controller", kill=True)  # it does not end on SIGTERM
            kube.delete("v1", "Namespace", namespace)


def _settings(namespace: str, node: str) -> Document:
    port = free_port(set())
    defaults = {
        "spec": {
            "podMetadata": {"annotations": IGNORED_BY_KWOK},
            "podSpecPatch": json.dumps({"nodeName": node}),
        }
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _SETTINGS, "namespace": namespace},
        "data": {
            "metricsConfig": f"enabled: true\nport: {port}\nsecure: false",
            "executor": "image: local/argoexec:none\nimagePullPolicy: Never",
            "podGCDeleteDelayDuration": "0s",
            "workflowDefaults": json.dumps(defaults),
        },
    }


def _serves(cluster: ClusterHandle) -> bool:
    status, answer = cluster.kube.ask("GET", "/apis/argoproj.io/v1alpha1")
    kinds = {one["kind"] for one in answer["resources"]} if status == 200 else set()
    return {"Workflow", "WorkflowTemplate", "CronWorkflow", "WorkflowTaskResult"} <= kinds
