"""Which control planes to ask: `clusters:` in `gitops.yaml`, and what the caller's machine has.

`gitops.yaml` comes from a repository, so it may only choose among what the caller has set up:
contexts of the kubeconfig. The address of an Argo CD server and its token come from the
environment alone; a repository that could name the server would be sent the token.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gitops.core.environments.environment import ClusterRow, Config, Environment
from gitops.errors import GitopsError, NotFound, UsageError

if TYPE_CHECKING:
    from gitops.adapters.argocd.followed import FollowedCluster
    from gitops.adapters.argocd.jobs_api import KubernetesJobs
    from gitops.adapters.argocd.kubernetes_api import KubernetesCluster
    from gitops.adapters.argocd.server_api import ServerCluster
    from gitops.ports.cluster import Cluster

SERVER = "ARGOCD_SERVER"
TOKEN = "ARGOCD_AUTH_TOKEN"  # noqa: S105 - the name of a variable
REPOSITORY = "GITOPS_ARGOCD_REPO"


class ThreadWakeup:
    """`ports.Bell` over an event of the threading module."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        """End the present sleep, or the next one."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleep until it rings (True) or `seconds` have passed (False)."""
        rang = self._event.wait(max(seconds, 0.0))
        self._event.clear()
        return rang


class ArgoClusters:
    """`ports.Clusters`; a context manager that stops its watches.

    Args:
        environ: the caller's environment.
        repository: URL or absolute path of the manifest repository.
        news: called from other threads when Applications change: then all of them are followed
            (`FollowedCluster`), for whoever looks again and again. None: each call is a question.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        repository: str,
        news: Callable[[], None] | None = None,
    ) -> None:
        self._environ = environ
        self._repository = repository
        self._news = news
        self._made: dict[object, KubernetesCluster | ServerCluster | FollowedCluster] = {}
        self.bell = ThreadWakeup()

    def __enter__(self) -> ArgoClusters:
        return self

    def __exit__(self, *_: object) -> None:
        for cluster in self._made.values():
            cluster.close()

    @property
    def repositories(self) -> tuple[str, ...]:
        """The repository, and what `GITOPS_ARGOCD_REPO` says that Argo CD calls it."""
        other = self._environ.get(REPOSITORY, "").strip()
        return (self._repository, other) if other else (self._repository,)

    def is_named(self, config: Config) -> bool:
        """Is there a row in `clusters:`, or a server in the environment?"""
        return bool(config.clusters or self._environ.get(SERVER))

    def of(self, config: Config, environment: Environment, *, within: float) -> tuple[Cluster, ...]:
        """Return the control planes of an environment. Raises NotFound, UsageError."""
        if self._environ.get(SERVER):
            return (self._server(within),)
        rows = config.clusters_of(environment)
        if not rows:
            raise NotFound(
                f"no cluster runs {environment.name}: `clusters:` in gitops.yaml names none for it"
            )
        if find_spec("kubernetes") is None:
            from gitops.adapters.argocd.connection import INSTALL

            raise NotFound(
                "the Kubernetes client is not installed, so no cluster can be asked",
                hint=f"{INSTALL}, or set {SERVER} and {TOKEN}",
            )
        return tuple(self._kubernetes(row, within) for row in rows)

    def at_hand(
        self, config: Config, environment: Environment, *, within: float
    ) -> tuple[Cluster, ...]:
        """Return the same where something is set up for it, else ()."""
        meant = self.is_named(config)
        if not meant and (environment.change == "work-tree" or not self._has_kubeconfig()):
            return ()
        if not self._environ.get(SERVER) and not config.clusters_of(environment):
            return ()
        try:
            return self.of(config, environment, within=within)
        except GitopsError:
            if meant:
                raise
            return ()

    def jobs_of(
        self, config: Config, environment: Environment, context: str | None, *, within: float
    ) -> KubernetesJobs:
        """Return the cluster that runs an environment. Raises NotFound, UsageError."""
        contexts = {row.context for row in config.clusters_of(environment)}
        if context is None and len(contexts) > 1:
            names = ", ".join(sorted(one or "the current one" for one in contexts))
            raise UsageError(
                f"{environment.name} runs in several clusters: {names}",
                hint="say which: --context NAME",
            )
        if context is None and not contexts:
            raise NotFound(
                f"no cluster runs {environment.name}: `clusters:` in gitops.yaml names none for it",
                hint="say which: --context NAME",
            )
        if find_spec("kubernetes") is None:
            from gitops.adapters.argocd.connection import INSTALL

            raise NotFound(
                "the Kubernetes client is not installed, so no Job can be run", hint=INSTALL
            )
        from gitops.adapters.argocd.connection import Connection
        from gitops.adapters.argocd.jobs_api import KubernetesJobs

        chosen = context or next(iter(contexts))
        name = chosen or "the current cluster"
        return KubernetesJobs(Connection(name, chosen, self._environ, within))

    def _has_kubeconfig(self) -> bool:
        """Is there anything that a Kubernetes client would find?"""
        environ = self._environ
        if environ.get("KUBECONFIG"):
            return any(map(os.path.exists, environ["KUBECONFIG"].split(os.pathsep)))
        home = os.path.join(os.path.expanduser("~"), ".kube", "config")
        return os.path.exists(home) or bool(environ.get("KUBERNETES_SERVICE_HOST"))

    def close_others(self, wanted: Collection[Cluster]) -> None:
        """Follow no more but `wanted`: `gitops.yaml` may not name the others any more."""
        for key, cluster in list(self._made.items()):
            if cluster not in wanted:
                del self._made[key]
                cluster.close()

    def _follow(
        self, key: object, made: KubernetesCluster | ServerCluster
    ) -> KubernetesCluster | ServerCluster | FollowedCluster:
        if self._news is None:
            self._made[key] = made
        else:
            from gitops.adapters.argocd.followed import FollowedCluster

            self._made[key] = FollowedCluster(made, self._news)
        return self._made[key]

    def _server(self, within: float) -> Cluster:
        from gitops.adapters.argocd.server_api import ServerCluster
        from gitops.adapters.argocd.server_http import ServerConnection, ServerToken, server_url

        url = server_url(self._environ[SERVER])
        token = self._environ.get(TOKEN, "").strip()
        if "\n" in token or "\r" in token:  # or the error of a library would quote it
            raise UsageError(f"{TOKEN} is no token: it has a line end in it")
        if not token:
            raise NotFound(
                f"{SERVER} is set, and {TOKEN} is not",
                hint="`argocd account generate-token`, or a role's token of an AppProject",
            )
        key = (url, within)
        if key in self._made:
            return self._made[key]
        return self._follow(key, ServerCluster(ServerConnection(url, ServerToken(token), within)))

    def _kubernetes(self, row: ClusterRow, within: float) -> Cluster:
        from gitops.adapters.argocd.connection import Connection
        from gitops.adapters.argocd.kubernetes_api import KubernetesCluster

        key = (row.context, row.namespace, within)
        if key in self._made:
            return self._made[key]
        name = row.context or "the current cluster"
        connection = Connection(name, row.context, self._environ, within)
        return self._follow(key, KubernetesCluster(connection, row.namespace))


def open_clusters(
    environ: Mapping[str, str],
    repository: str,
    location: str,
    news: Callable[[], None] | None = None,
) -> ArgoClusters:
    """Return what leads to the control planes; nothing is imported or contacted yet.

    Args:
        repository: what the repository calls itself: its URL, or the path as the caller gave it.
        location: that path.
        news: see `ArgoClusters`.
    """
    named = repository if "://" in repository or repository != location else None
    return ArgoClusters(environ, named or os.path.abspath(location), news)
