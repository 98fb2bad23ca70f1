"""Who provides the cluster of a test run: kind, plain processes, one that is there, or nobody."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from cluster.existing import existing_handle
from cluster.handle import ClusterHandle
from cluster.kind import kind_handle, kind_options
from cluster.plane import plane_handle, plane_options
from cluster.wanted import NoClusterError, Wanted
from servers.lanes import absent
from servers.sharing import run_folder, share


def open_cluster(wanted: Wanted) -> ClusterHandle:
    """Return the cluster of this run, started when nobody has asked for it before.

    Raises NoClusterError, and CannotStartError when it should start and does not.
    """
    provider = choose(wanted.provider)
    if provider == "processes":
        if reason := absent("control-plane"):
            raise NoClusterError(reason)
        record = share("control-plane", "cluster.plane", plane_options())
        return plane_handle(record, run_folder() / "control-plane")
    if provider == "kind":
        if reason := without_kind():
            raise NoClusterError(reason)
        options = kind_options(wanted.environ)
        record = share("kind", "cluster.kind", options, seconds=900)
        return kind_handle(record, run_folder() / "kind")
    if provider == "existing":
        if not Path(wanted.kubeconfig).is_file():
            shown = wanted.kubeconfig or "none is named"
            raise NoClusterError(f"no kubeconfig ({shown}): give --cluster-kubeconfig FILE")
        if not wanted.git_host:
            raise NoClusterError("an existing cluster needs --cluster-git-host ADDRESS")
        return existing_handle(
            Path(wanted.kubeconfig), wanted.context or None, wanted.namespace, wanted.git_host
        )
    raise NoClusterError("--cluster-provider=none")


def choose(provider: str) -> str:
    """Return which provider `auto` means here.

    The processes, where they are built: they start in seconds and know the most. Else kind, where
    it can run. Else the processes, whose absence then is what the summary tells.
    """
    if provider != "auto":
        return provider
    if absent("control-plane") is not None and without_kind() is None:
        return "kind"
    return "processes"


def without_kind() -> str | None:
    """Return why kind cannot make a cluster here, None when it can."""
    if shutil.which("kind") is None:
        return "kind is not installed (https://kind.sigs.k8s.io)"
    if shutil.which("docker") is None:
        return "kind is installed, but docker is not"
    if subprocess.run(["docker", "info"], capture_output=True).returncode != 0:
        return "kind is installed, but docker does not run (`docker info` fails)"
    return None
