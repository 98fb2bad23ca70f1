"""Which cluster a test run asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PROVIDERS = ("auto", "kind", "processes", "existing", "none")
STARTED = ("control-plane", "kind")
"""What a cluster that was started is called among the servers of a run."""


@dataclass(frozen=True)
class Wanted:
    """What the command line says about the cluster.

    Attributes:
        provider: of `PROVIDERS`.
        kubeconfig: of the existing cluster.
        context: of that kubeconfig; empty for its current one.
        namespace: where Argo CD is in the existing cluster.
        git_host: the address of this machine as the existing cluster sees it.
        environ: what kind and a container engine are run with.
    """

    provider: str = "auto"
    kubeconfig: str = ""
    context: str = ""
    namespace: str = "argocd"
    git_host: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)


class NoClusterError(Exception):
    """There is no cluster to be had; says what is missing and the way out."""


def of_engines(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of kind and of container engines: their settings, contexts, proxies."""
    named = ("HOME", "PATH", "DOCKER_", "KIND_", "XDG_", "HTTP", "http", "NO_PROXY", "no_proxy")
    return {name: value for name, value in environ.items() if name.startswith(named)}
