"""`ports.Cluster` over the API server that keeps the Applications."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from msgspec.structs import replace

from gitops.adapters.argocd.collection import Collection, KubernetesCollection, api_path
from gitops.adapters.argocd.connection import Connection, ListAgain
from gitops.adapters.argocd.watches import Watcher
from gitops.core.argocd.application import (
    IN_CLUSTER,
    Application,
    ApplicationRef,
    Resource,
    briefly,
    read_application,
)
from gitops.core.argocd.diagnosis import Workloads, is_starting
from gitops.core.argocd.rollout import HASH_LABEL, Rollout, read_rollout, rollouts_in
from gitops.core.unstructured import newest_first, table, tables, text
from gitops.errors import GitopsError, NotFound
from gitops.ports.cluster import Reading

EVERYWHERE = "*"
"""As a namespace: Applications of all namespaces (Argo CD's "any namespace" mode)."""

_APPLICATIONS = "/apis/argoproj.io/v1alpha1"
_STREAM = 300.0  # seconds; each connection of a watch ends and is made anew
_PLURALS = {
    ("apps", "Deployment"): "deployments",
    ("apps", "StatefulSet"): "statefulsets",
    ("apps", "DaemonSet"): "daemonsets",
    ("argoproj.io", "Rollout"): "rollouts",
    ("batch", "Job"): "jobs",
}
_MOST_WORKLOADS = 20
_MOST_WORDS = 3
_LINES = "3"
_ABORTS = 3
_LOOKS = 5
_LOOK_AGAIN = 0.1  # seconds: the controller answers in a quarter of one


class KubernetesCluster:
    """One control plane, by its kubeconfig context and the namespace of its Applications."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._namespace = namespace
        self._watchers: list[Watcher] = []

    @property
    def name(self) -> str:
        """What messages call it."""
        return self._connection.name

    def applications(self) -> Reading:
        """Read every Application in the namespace, or in all of them."""
        self._connection.open()
        every = self._every(self._read_application)
        try:
            pages = list(every.listed())
        except ListAgain:  # the pages took longer than the server keeps a version
            pages = list(every.listed())
        found = (application for page in pages for _, application in page.items)
        return Reading(pages[0].time, tuple(found))

    def all_applications(self) -> Collection[Application]:
        """The same, to be followed: reduced to what is looked at."""
        return self._every(lambda told: briefly(self._read_application(told)))

    def all_rollouts(self) -> Collection[Rollout]:
        """The Rollouts of this API server; what only their ReplicaSets tell is left out."""
        return KubernetesCollection(
            self._connection,
            f"{_APPLICATIONS}/rollouts",
            lambda told: replace(read_rollout(told), window=0),
        )

    @property
    def _path(self) -> str:
        everywhere = self._namespace == EVERYWHERE
        return f"{_APPLICATIONS}/applications" if everywhere else _collection(self._namespace)

    def _read_application(self, told: Mapping[str, Any]) -> Application:
        return read_application(told, self.name)

    def _every(
        self, read: Callable[[Mapping[str, Any]], Application]
    ) -> KubernetesCollection[Application]:
        missing = NotFound(
            f"{self.name} has no Argo CD: no Applications in its API",
            hint="`clusters:` in gitops.yaml names the context and the namespace of Argo CD",
        )
        return KubernetesCollection(self._connection, self._path, read, missing)

    def application(self, ref: ApplicationRef) -> Reading:
        """Read one; a reading without any when it is gone."""
        try:
            answer = self._connection.get(_object(ref))
        except NotFound:
            return Reading(datetime.now(UTC).replace(microsecond=0), ())
        return Reading(answer.time, (read_application(answer.data, self.name),))

    def watch(self, refs: Sequence[ApplicationRef], wake: Callable[[], None]) -> None:
        """Hold a stream open for each of `refs`, or one for all."""
        streams: list[Callable[[], Iterator[bytes]]] = []
        for ref in refs:
            selector = f"metadata.name={ref.name}"
            streams.append(partial(self._changes, _collection(ref.namespace), selector))
        if not refs:
            streams.append(partial(self._changes, self._path, None))
        for stream in streams:
            watcher = Watcher(stream, wake)
            self._watchers.append(watcher)
            watcher.start()

    def _changes(self, path: str, selector: str | None) -> Iterator[bytes]:
        """Begin at the newest version: what was before is read, not watched."""
        newest = self._connection.get(path, [("limit", "1")])
        version = text(table(newest.data, "metadata"), "resourceVersion")
        longest = _STREAM * random.uniform(0.8, 1.0)  # noqa: S311 - jitter, no secret
        query = [("watch", "true"), ("resourceVersion", version)]
        query += [("timeoutSeconds", f"{longest:.0f}")]
        query += [("fieldSelector", selector)] if selector is not None else []
        yield from self._connection.stream(path, query, longest=longest)

    def annotate(self, ref: ApplicationRef, annotations: Mapping[str, str | None]) -> None:
        """Patch annotations, and nothing else."""
        self._connection.patch(_object(ref), {"metadata": {"annotations": dict(annotations)}})

    def workloads(self, application: Application) -> Workloads:
        """Read workloads and pods, when the Application deploys to this very API server."""
        if not self._is_here(application):
            where = application.server or "another cluster"
            return Workloads(unread=f"its objects are in {where}, which is not asked")
        objects: list[Mapping[str, Any]] = []
        sets: list[Mapping[str, Any]] = []
        pods: list[Mapping[str, Any]] = []
        unread: str | None = None
        try:
            for resource in application.resources[: _MOST_WORKLOADS * 10]:
                if len(objects) >= _MOST_WORKLOADS:
                    break
                self._read(application, resource, objects, sets, pods)
        except GitopsError as error:
            unread = error.message
        starting = [pod for pod in newest_first(pods) if is_starting(pod)]
        return Workloads(
            tuple(objects), tuple(sets), tuple(starting), self._last_words(starting), unread
        )

    def rollouts(self, application: Application) -> tuple[Rollout, ...]:
        """Read its Rollouts."""
        return rollouts_in(self.workloads(application))

    def _is_here(self, application: Application) -> bool:
        return application.server in (IN_CLUSTER, "in-cluster", self._connection.host)

    def _read(
        self,
        application: Application,
        resource: Resource,
        objects: list[Mapping[str, Any]],
        sets: list[Mapping[str, Any]],
        pods: list[Mapping[str, Any]],
    ) -> None:
        """Read one workload with its pods; other kinds of resources are passed over."""
        namespace = resource.namespace or application.namespace
        if (resource.group, resource.kind) == ("", "Pod"):
            path = api_path("api", "v1", "namespaces", namespace, "pods", resource.name)
            pods.append(self._connection.get(path).data)
            return
        plural = _PLURALS.get((resource.group, resource.kind))
        if plural is None:
            return
        group = ("apis", resource.group, resource.version, "namespaces", namespace)
        try:
            told = self._connection.get(api_path(*group, plural, resource.name)).data
        except NotFound:
            return  # it is missing: the Application says so
        objects.append(told)
        selector = _selector(told)
        if not selector:
            return
        query = [("labelSelector", selector)]
        if resource.kind == "Rollout":
            path = api_path("apis", "apps", "v1", "namespaces", namespace, "replicasets")
            found = self._connection.get(path, query)
            sets += [one for one in tables(found.data, "items") if _has_hash(one)]
        path = api_path("api", "v1", "namespaces", namespace, "pods")
        found = self._connection.get(path, query)
        pods += tables(found.data, "items")

    def _last_words(self, pods: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
        """Read what containers that ended printed last; a log that cannot be had is left out."""
        words: dict[tuple[str, str], str] = {}
        for pod in pods:
            meta = table(pod, "metadata")
            for status in tables(table(pod, "status"), "containerStatuses"):
                if not status.get("restartCount") or len(words) >= _MOST_WORDS:
                    continue
                container = text(status, "name")
                place = ("namespaces", text(meta, "namespace"), "pods", text(meta, "name"), "log")
                query = [("container", container), ("previous", "true"), ("tailLines", _LINES)]
                try:
                    words[text(meta, "name"), container] = self._connection.text(
                        api_path("api", "v1", *place), query
                    )
                except GitopsError:
                    return words
        return words

    def abort(self, application: Application, rollout: Resource) -> None:
        """Set `status.abort`, as `kubectl argo rollouts abort` does, until it was noticed.

        A patch right after the controller's own write may be kept by the API server and never be
        seen by the controller, which puts its own answer into its cache over it (argo-rollouts
        1.9.1). So the answer is looked at, and the patch is given again when there is none.
        """
        if not self._is_here(application):
            raise NotFound(f"{rollout} is in {application.server}, which is not asked")
        namespace = rollout.namespace or application.namespace
        group = ("apis", rollout.group, rollout.version, "namespaces", namespace)
        path = api_path(*group, "rollouts", rollout.name)
        for again in range(_ABORTS):
            if again:
                self._connection.patch(f"{path}/status", {"status": {"abort": False}})
            self._connection.patch(f"{path}/status", {"status": {"abort": True}})
            for _ in range(_LOOKS):
                time.sleep(_LOOK_AGAIN)
                if table(self._connection.get(path).data, "status").get("abortedAt"):
                    return

    def close(self) -> None:
        """Stop the watches."""
        for watcher in self._watchers:
            watcher.stop()


def _collection(namespace: str) -> str:
    return _APPLICATIONS + api_path("namespaces", namespace, "applications")


def _object(ref: ApplicationRef) -> str:
    return _collection(ref.namespace) + api_path(ref.name)


def _selector(told: Mapping[str, Any]) -> str:
    """The labels of a workload's pods, as a query; "" where they are not told."""
    labels = table(told, "spec", "selector", "matchLabels")
    return ",".join(f"{key}={value}" for key, value in labels.items() if isinstance(value, str))


def _has_hash(told: Mapping[str, Any]) -> bool:
    return bool(text(table(told, "metadata", "labels"), HASH_LABEL))
