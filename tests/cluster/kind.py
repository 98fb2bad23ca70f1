"""A kind cluster with the pinned Argo CD and Argo Rollouts, for machines with a container engine.

`start` runs in a keeper (servers/keeper.py), which deletes the cluster with the test run. Versions
are those of the processes: they are read from the same go.mod files.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import urllib.request
import uuid
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from cluster.handle import ALL_CAPABILITIES, ClusterHandle
from cluster.kube import Document, Kube
from cluster.objects import ARGOCD, ROLLOUTS, SETTINGS, rights
from servers.network import allow
from servers.processes import CannotStartError, Processes, free_port
from servers.programs import ARGOCD as ARGOCD_SET
from servers.programs import ROLLOUTS as ROLLOUTS_SET

_MANIFESTS = "https://raw.githubusercontent.com/argoproj"
_NODE_PORT = 30080
_WORKLOADS = ("Deployment", "StatefulSet")

_WEBHOOK_SECRET = uuid.uuid4().hex

# What runs in a pod: it answers the probes of the sample; where the tag says `broken` it ends.
_IMAGE = """\
FROM busybox:1.37
RUN mkdir /www && touch /www/healthz /www/readyz
CMD {command}
"""
_SERVES = ["httpd", "-f", "-p", "8080", "-h", "/www"]
_ENDS = ["false"]


def kind_options(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what `start` wants to be told; `environ` is what engine and kind are run with."""
    return {"name": f"gitops-tests-{uuid.uuid4().hex[:8]}", "environ": dict(environ)}


def start(processes: Processes, options: Mapping[str, Any]) -> dict[str, Any]:
    """Make a cluster, install everything, and return what `kind_handle` takes."""
    environ, name = dict(options["environ"]), options["name"]
    port = free_port(set())
    mapping = {"containerPort": _NODE_PORT, "hostPort": port, "listenAddress": "127.0.0.1"}
    settings = processes.folder / "kind.yaml"
    settings.write_text(
        yaml.safe_dump(
            {
                "kind": "Cluster",
                "apiVersion": "kind.x-k8s.io/v1alpha4",
                "nodes": [{"role": "control-plane", "extraPortMappings": [mapping]}],
            }
        )
    )
    kubeconfig = processes.folder / "admin.kubeconfig"
    command = [
        *("kind", "create", "cluster", "--name", name, "--config", str(settings)),
        *("--kubeconfig", str(kubeconfig), "--wait", "180s"),
    ]
    if image := environ.get("KIND_NODE_IMAGE"):
        command += ["--image", image]
    processes.run("kind", command, environ)
    kube = Kube(kubeconfig)
    _install(kube)
    _settle(processes, kube)
    secret = kube.get("v1", "Secret", "argocd-initial-admin-secret", ARGOCD)
    return {
        "kubeconfig": str(kubeconfig),
        "argocd": f"http://127.0.0.1:{port}",
        "password": _decoded(secret or {}, "password"),
        "webhook_secret": _WEBHOOK_SECRET,
        "git_host": _gateway(environ),
        "name": name,
        "environ": environ,
    }


def stopped(processes: Processes, options: Mapping[str, Any]) -> None:
    """Delete the cluster, after its last words have been kept beside the other logs."""
    environ, name = dict(options["environ"]), options["name"]
    with suppress(CannotStartError):
        processes.run("kind-delete", ["kind", "delete", "cluster", "--name", name], environ)


def kind_handle(record: Mapping[str, Any], folder: Path) -> ClusterHandle:
    """Return what tests see of the cluster."""
    allow(record["git_host"])
    return ClusterHandle(
        provider="kind",
        capabilities=ALL_CAPABILITIES - {"any-image", "components", "metrics"},
        kubeconfig=Path(record["kubeconfig"]),
        git_host=record["git_host"],
        folder=folder,
        argocd=record["argocd"],
        password=record["password"],
        webhook_secret=record["webhook_secret"],
        load_image=lambda image: _load(image, record["name"], dict(record["environ"])),
    )


def _install(kube: Kube) -> None:
    """Apply the manifests of the pinned releases, and our settings."""
    for namespace in (ARGOCD, ROLLOUTS):
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    releases = {
        ARGOCD: f"{_MANIFESTS}/argo-cd/{ARGOCD_SET.version}/manifests/install.yaml",
        ROLLOUTS: f"{_MANIFESTS}/argo-rollouts/{ROLLOUTS_SET.version}/manifests/install.yaml",
    }
    for namespace, url in releases.items():
        documents = list(_download(url))
        # Definitions first: what comes after may be of their kind.
        for document in sorted(
            documents, key=lambda one: one["kind"] != "CustomResourceDefinition"
        ):
            if document["kind"] in _NAMESPACED:
                document["metadata"]["namespace"] = namespace
            for subject in document.get("subjects", ()):
                subject.setdefault("namespace", namespace)
            kube.apply(document)
    for name, data in SETTINGS.items():
        if name != "argocd-ssh-known-hosts-cm":
            kube.patch({"data": data}, "v1", "ConfigMap", name, namespace=ARGOCD)
    plain = {"data": {"server.insecure": "true"}}
    kube.patch(plain, "v1", "ConfigMap", "argocd-cmd-params-cm", namespace=ARGOCD)
    secret = {"stringData": {"webhook.github.secret": _WEBHOOK_SECRET}}
    kube.patch(secret, "v1", "Secret", "argocd-secret", namespace=ARGOCD)
    reach = {"type": "NodePort", "ports": [{"name": "http", "port": 80, "nodePort": _NODE_PORT}]}
    kube.patch({"spec": reach}, "v1", "Service", "argocd-server", namespace=ARGOCD)
    for document in rights():
        kube.apply(document)


_NAMESPACED = {
    *("ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Secret", "Service", "NetworkPolicy"),
    *_WORKLOADS,
}


def _settle(processes: Processes, kube: Kube) -> None:
    """Restart the API so that it serves without TLS, and wait until every workload is there."""
    note = {"spec": {"template": {"metadata": {"annotations": {"gitops/restarted": "1"}}}}}
    kube.patch(note, "apps/v1", "Deployment", "argocd-server", namespace=ARGOCD)

    def settled() -> bool:
        found = [
            one
            for namespace in (ARGOCD, ROLLOUTS)
            for kind in _WORKLOADS
            for one in kube.list("apps/v1", kind, namespace)
        ]
        return all(
            one["status"].get("observedGeneration") == one["metadata"]["generation"]
            and one["status"].get("readyReplicas", 0) >= one["spec"]["replicas"]
            and one["status"].get("updatedReplicas", 0) >= one["spec"]["replicas"]
            for one in found
        )

    processes.wait_for("the workloads of Argo CD", settled, seconds=600)


def _download(url: str) -> Iterator[Document]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        yield from (one for one in yaml.load_all(answer.read(), yaml.CSafeLoader) if one)


def _decoded(secret: Mapping[str, Any], name: str) -> str:
    return b64decode(secret.get("data", {}).get(name, "")).decode()


def _gateway(environ: Mapping[str, str]) -> str:
    """Return the address of this machine on the network that kind made for its nodes."""
    template = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
    asked = subprocess.run(
        ["docker", "network", "inspect", "kind", "-f", template],
        env=dict(environ),
        capture_output=True,
        text=True,
    )
    found = [word for word in asked.stdout.split() if "." in word]
    if not found:
        raise CannotStartError(f"the network `kind` has no IPv4 gateway: {asked.stderr.strip()}")
    return found[0]


def _load(image: str, cluster: str, environ: Mapping[str, str]) -> None:
    """Build an image of this name and put it into the cluster's node."""
    command = json.dumps(_ENDS if "broken" in image else _SERVES)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(_IMAGE.format(command=command))
        for words in (
            ["docker", "build", "-q", "-t", image, folder],
            ["kind", "load", "docker-image", image, "--name", cluster],
        ):
            done = subprocess.run(words, env=dict(environ), capture_output=True, text=True)
            assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
