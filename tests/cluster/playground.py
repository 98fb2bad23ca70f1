"""The playground of `scripts/cluster`: the control plane, a Git server, and the sample in both."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cluster import plane
from cluster.handle import APPLICATION, ClusterHandle
from cluster.kube import Document
from cluster.objects import documents
from cluster.shop import with_patience
from servers.processes import CannotStartError, Processes, free_port
from servers.sharing import TESTS

LAST = plane.LAST

PATIENCE = 20
"""Seconds after which a Deployment of the playground that does not get ready is Degraded."""


def start(processes: Processes, options: Mapping[str, Any]) -> dict[str, Any]:
    """Start the Git server and the control plane; runs in a keeper."""
    port = free_port(set())
    command = [sys.executable, "-P", "-m", "servers.git_http", options["repositories"], str(port)]
    processes.start("git", command, {**os.environ, "PYTHONPATH": str(TESTS)})
    processes.wait("git", lambda: _listens(port))
    record = plane.start(processes, options)
    return {**record, "repository": f"http://127.0.0.1:{port}/manifests.git"}


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def write_sample(checkout: Path, bare: Path, url: str) -> None:
    """Make the manifest repository as its users do, by `gitops init`, and push it to `bare`.

    Raises CannotStartError.
    """

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
        if done.returncode != 0:
            raise CannotStartError(f"{' '.join(command)}: {done.stderr}")

    git = ("git", "-c", "user.name=gitops", "-c", "user.email=gitops@example.com")
    checkout.mkdir()
    run("git", "init", "-q", "-b", "main")
    run(sys.executable, "-P", "-m", "gitops", "init", ".", "--repo-url", url)
    run(*git, "add", "-A")
    run(*git, "commit", "-q", "-m", "gitops init")
    for name in ("api", "web"):
        path = checkout / "base" / f"{name}.yaml"
        path.write_text(with_patience(path.read_text(), PATIENCE))
    # `gitops init` leaves `local` out: it is a developer's own machine. This one is.
    dev = (checkout / "argocd" / "dev.yaml").read_text()
    local = dev.replace("shop-dev", "shop-local").replace("/dev", "/local")
    local = local.replace("namespace: shop-local", "namespace: shop")
    (checkout / "argocd" / "local.yaml").write_text(local)
    run(*git, "add", "-A")
    run(*git, "commit", "-q", "-m", "Follow local as well, and be impatient")
    run("git", "clone", "-q", "--bare", ".", str(bare))
    subprocess.run(["git", "-C", str(bare), "config", "http.receivepack", "true"], check=True)
    run("git", "remote", "add", "origin", url)


def follow(cluster: ClusterHandle, checkout: Path) -> list[str]:
    """Apply the sample's Applications; return their names."""
    names = []
    for path in sorted((checkout / "argocd").glob("*.yaml")):
        for document in documents(path):
            cluster.kube.apply(document)
            names.append(str(document["metadata"]["name"]))
    return names


def health_of(application: Document) -> tuple[str, str, str]:
    """Return sync, health and revision of an Application, in words."""
    status = application.get("status", {})
    sync = status.get("sync", {})
    return (
        sync.get("status") or "new",
        status.get("health", {}).get("status") or "unknown",
        str(sync.get("revision") or "")[:7],
    )


def applications(cluster: ClusterHandle) -> dict[str, tuple[str, str, str]]:
    """Return how every Application is, by name."""
    found = cluster.kube.list(*APPLICATION, cluster.namespace)
    return {one["metadata"]["name"]: health_of(one) for one in found}


def await_health(
    cluster: ClusterHandle, names: list[str], say: Callable[[str], None], *, seconds: float = 120
) -> None:
    """Wait until all of these are Synced and Healthy, telling of each when it is.

    Raises CannotStartError when time is up.
    """
    waiting = set(names)

    def all_healthy() -> bool:
        for name, (sync, health, _) in applications(cluster).items():
            if name in waiting and (sync, health) == ("Synced", "Healthy"):
                waiting.discard(name)
                say(f"  {name} is Synced and Healthy")
        return not waiting

    try:
        cluster.wait_for(all_healthy, seconds=seconds)
    except AssertionError:
        left = ", ".join(sorted(waiting))
        raise CannotStartError(f"not Healthy after {seconds:.0f} s: {left}") from None


def remove(folder: Path) -> None:
    """Delete what is left of a playground."""
    shutil.rmtree(folder, ignore_errors=True)
