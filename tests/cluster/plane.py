"""A Kubernetes control plane, Argo CD and Argo Rollouts as plain processes on the loopback.

`start` runs in a keeper (servers/keeper.py). etcd, API server, controller manager and scheduler are
the real ones; kwok plays the nodes and the kubelets: pods are Running at once, images are never
pulled, and a pod whose image has `broken` in it crash-loops. Argo CD and Rollouts are complete.

The first start of a build prepares a snapshot: an etcd folder that holds all of `objects.py`, and
the certificates. It is kept beside the built programs, and later starts take a copy of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cluster import objects
from cluster.certificates import make_certificates, write_kubeconfig
from cluster.components import argocd_components, kubernetes_components
from cluster.handle import ALL_CAPABILITIES, ClusterHandle
from cluster.kube import Kube
from servers.direct import is_there
from servers.processes import Processes, free_port
from servers.programs import ARGOCD, ETCD, GROUPS, KUBERNETES, KWOK, ROLLOUTS, TOOLS
from servers.store import folder_of, key, store

LAST = ("kube-apiserver", "etcd")
"""Stopped after all others, in this order: those would wait for them."""

_PREPARED_BY = ("plane", "objects", "certificates")

_PORTS = (
    *("etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"),
    *("redis", "repo-server", "repo-server-metrics", "server", "server-metrics"),
    *("application-controller-metrics", "applicationset-metrics", "applicationset-probe"),
    *("applicationset-webhook", "rollouts-metrics", "rollouts-health"),
)


def plane_options() -> dict[str, Any]:
    """Return what `start` wants to be told: the folders of the built programs, and the snapshot."""
    sets = {
        "etcd": ETCD,
        "k8s": KUBERNETES,
        "kwok": KWOK,
        "tools": TOOLS,
        "argocd": ARGOCD,
        "rollouts": ROLLOUTS,
    }
    built = {name: str(folder_of(one)) for name, one in sets.items()}
    return {"built": built, "snapshot": str(_snapshot_folder())}


def plane_handle(record: Mapping[str, Any], folder: Path) -> ClusterHandle:
    """Return what tests see of a control plane that runs in `folder`."""
    return ClusterHandle(
        provider="processes",
        capabilities=ALL_CAPABILITIES,
        kubeconfig=Path(record["kubeconfig"]),
        folder=folder,
        argocd=record["argocd"],
        metrics=record["metrics"],
        password=record["password"],
        webhook_secret=record["webhook_secret"],
    )


def _snapshot_folder() -> Path:
    """Return the place of the snapshot: named by the builds and by what is put into it."""
    digest = hashlib.sha256()
    for one in GROUPS["control-plane"]:
        digest.update(key(one).encode())
    here = Path(__file__).parent
    for path in (*(here / f"{name}.py" for name in _PREPARED_BY), objects.RIGHTS):
        digest.update(path.read_bytes())
    return store() / f"snapshot-{digest.hexdigest()[:20]}"


class Plane:
    """The places, ports and environment of one start."""

    def __init__(self, processes: Processes, options: Mapping[str, Any]) -> None:
        self.processes = processes
        self.built = {name: Path(path) for name, path in options["built"].items()}
        self.snapshot = Path(options["snapshot"])
        self.folder = processes.folder
        taken: set[int] = set()
        self.ports = {name: free_port(taken) for name in _PORTS}
        self.certificates = self.folder / "certificates"
        self.kubeconfig = self.folder / "admin.kubeconfig"
        self.tools = self.folder / "bin"
        self.home = self.folder / "home"
        for folder in (self.tools, self.home, self.folder / "tmp"):
            folder.mkdir(mode=0o700)
        (self.tools / "kustomize").symlink_to(self.program("kustomize"))
        self.environ = {
            "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "TMPDIR": str(self.folder / "tmp"),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GOGC": "300",  # there is more memory than processor time (decision 207)
        }

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return f"https://127.0.0.1:{self.ports['kube-apiserver']}"

    def program(self, name: str) -> Path:
        """Return the file of a built program."""
        found = (folder / "bin" / name for folder in self.built.values())
        return next(path for path in found if path.exists())

    def start(
        self, name: str, command: list[str], environ: Mapping[str, str] | None = None
    ) -> None:
        """Start a component."""
        self.processes.start(name, command, {**self.environ, **(environ or {})})

    def await_page(self, name: str, port: str, path: str) -> None:
        """Wait until a component answers 200 at its port for health or metrics."""
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        self.processes.wait(name, lambda: is_there(url))

    def api_server(self) -> Kube:
        """Start etcd and the API server, and return a client of it that may do everything."""
        commands = kubernetes_components(self)
        self.start("etcd", commands["etcd"])
        # Started beside it, the API server would miss etcd by a moment and wait a whole second.
        self.await_page("etcd", "etcd", "/health")
        self.start("kube-apiserver", commands["kube-apiserver"])
        write_kubeconfig(self.kubeconfig, self.url, self.certificates, "admin")
        kube = Kube(self.kubeconfig)
        self.processes.wait("kube-apiserver", lambda: _ready(kube))
        return kube


def start(processes: Processes, options: Mapping[str, Any]) -> dict[str, Any]:
    """Start everything; return what `ClusterHandle` is made from. Raises CannotStartError."""
    plane = Plane(processes, options)
    _ensure_snapshot(plane)
    shutil.copytree(plane.snapshot / "certificates", plane.certificates)
    shutil.copytree(plane.snapshot / "etcd", plane.folder / "etcd")
    known = json.loads((plane.snapshot / "known.json").read_text())
    plane.start(
        "redis",
        [
            *("redis-server", "--bind", "127.0.0.1", "--port", str(plane.ports["redis"])),
            *("--save", "", "--appendonly", "no", "--dir", str(plane.folder / "tmp")),
        ],
    )
    plane.api_server()
    for name, command in kubernetes_components(plane).items():
        if name not in ("etcd", "kube-apiserver"):
            if name != "kwok":
                write_kubeconfig(
                    plane.folder / f"{name}.kubeconfig", plane.url, plane.certificates, name
                )
            plane.start(name, command)
    _argo(plane)
    return {
        "kubeconfig": str(plane.kubeconfig),
        "argocd": f"http://127.0.0.1:{plane.ports['server']}",
        "metrics": plane.ports["application-controller-metrics"],
        "password": known["password"],
        "webhook_secret": known["webhook"],
    }


def _argo(plane: Plane) -> None:
    """Start Argo CD and Rollouts, and wait until each says that it is there."""
    commands, environ = argocd_components(plane)
    for name, command in commands.items():
        plane.start(name, command, environ)
    plane.await_page("argocd-repo-server", "repo-server-metrics", "/healthz")
    plane.await_page("argocd-server", "server", "/healthz")
    # Its probe answers 404 to /healthz, so its metrics say that it runs.
    plane.await_page("argocd-applicationset-controller", "applicationset-metrics", "/metrics")
    plane.await_page("argocd-application-controller", "application-controller-metrics", "/healthz")
    plane.await_page("argo-rollouts", "rollouts-health", "/healthz")


def _ensure_snapshot(plane: Plane) -> None:
    """Make the snapshot when it is not there, once, also beside another run."""
    if plane.snapshot.is_dir():
        return
    above = plane.snapshot.parent
    with (above / f".{plane.snapshot.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if plane.snapshot.is_dir():
            return
        made = Path(tempfile.mkdtemp(prefix=".snapshot-", dir=above))
        try:
            _prepare(plane, made)
            made.rename(plane.snapshot)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _prepare(plane: Plane, made: Path) -> None:
    """Fill `made` with certificates, an etcd folder that holds all objects, and the secrets."""
    make_certificates(plane.processes, plane.certificates, plane.environ)
    kube = plane.api_server()
    known = {"password": secrets.token_urlsafe(16), "webhook": secrets.token_urlsafe(16)}
    bcrypt = plane.processes.run(
        "bcrypt",
        [str(_link(plane, "argocd")), "account", "bcrypt", "--password", known["password"]],
        plane.environ,
    ).strip()
    secret = {
        "admin.password": bcrypt,
        "admin.passwordMtime": "2026-01-01T00:00:00Z",
        "server.secretkey": secrets.token_urlsafe(32),
        "webhook.github.secret": known["webhook"],
    }
    for folder in (plane.built["argocd"] / "crds", plane.built["rollouts"] / "crds"):
        for document in objects.crds(folder):
            kube.apply(document)
    for document in (
        *objects.namespaces(),
        *objects.nodes(),
        *objects.settings(plane.built["argocd"] / "config", secret),
        *objects.rights(),
    ):
        kube.apply(document)
    plane.processes.wait("kube-apiserver", lambda: _serves(kube, "argoproj.io/v1alpha1"))
    for document in objects.projects():
        kube.apply(document)
    for name in LAST:
        plane.processes.stop(name)
    shutil.move(plane.folder / "etcd", made / "etcd")
    shutil.move(plane.certificates, made / "certificates")
    plane.kubeconfig.unlink()
    (made / "known.json").write_text(json.dumps(known))


def _link(plane: Plane, name: str) -> Path:
    """Return Argo CD's one program under the name of a component, which is how it is chosen."""
    link = plane.tools / name
    if not link.exists():
        link.symlink_to(plane.program("argocd"))
    return link


def _ready(kube: Kube) -> bool:
    with suppress(Exception):
        return kube.ask("GET", "/readyz")[0] == 200
    return False


def _serves(kube: Kube, api: str) -> bool:
    """Say whether the API server has all kinds of Argo CD by now; it learns of them one by one."""
    status, answer = kube.ask("GET", f"/apis/{api}")
    kinds = {one["kind"] for one in answer["resources"]} if status == 200 else set()
    return {"Application", "ApplicationSet", "AppProject", "Rollout"} <= kinds
