"""`ports.Cluster` over Argo CD's own API, with a token.

The right `get` on Applications is enough for all but an abort and notices. It also reaches objects
in other clusters, which the Kubernetes API of the control plane cannot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from gitops.adapters.argocd.collection import (
    Collection,
    CollectionChange,
    CollectionPage,
    ObjectKey,
    api_path,
)
from gitops.adapters.argocd.connection import ListAgain
from gitops.adapters.argocd.server_http import ServerConnection
from gitops.adapters.argocd.watches import Watcher
from gitops.core.argocd.application import (
    REFRESH,
    Application,
    ApplicationRef,
    Resource,
    briefly,
    read_application,
    read_resource,
)
from gitops.core.argocd.diagnosis import Workloads, is_starting
from gitops.core.argocd.rollout import HASH_LABEL, Rollout, rollouts_in
from gitops.core.unstructured import table, tables, text
from gitops.errors import GitopsError, NotFound, TimedOut, Unavailable
from gitops.ports.cluster import Reading

_PATH = "/api/v1/applications"
_STREAM_PATH = "/api/v1/stream/applications"
_STREAM = 300.0
_KINDS = {"Deployment", "StatefulSet", "DaemonSet", "Rollout", "Job"}
_MOST = 20
_MOST_WORDS = 3


class ServerCluster:
    """One Argo CD server."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._watchers: list[Watcher] = []
        self._projects: dict[ApplicationRef, str] = {}

    @property
    def name(self) -> str:
        """What messages call it."""
        return self._connection.name

    def applications(self) -> Reading:
        """Read every Application that the token may see."""
        answer = self._connection.get(_PATH)
        found = tuple(read_application(one, self.name) for one in tables(answer.data, "items"))
        self._projects |= {one.ref: one.project for one in found}
        return Reading(answer.time, found)

    def all_applications(self) -> Collection[Application]:
        """The same, to be followed."""
        return _EveryApplication(self, self._connection)

    def all_rollouts(self) -> None:
        """Argo CD's API lists none."""

    def application(self, ref: ApplicationRef) -> Reading:
        """Read one; a reading without any when it is gone."""
        try:
            answer = self._connection.get(_path(ref), self._query(ref))
        except NotFound:
            return Reading(self._connection.get("/api/version").time, ())
        return Reading(answer.time, (read_application(answer.data, self.name),))

    def _query(self, ref: ApplicationRef) -> list[tuple[str, str]]:
        """With its project named, a missing Application is 404; without, 403."""
        query = [("appNamespace", ref.namespace)]
        return query + ([("project", self._projects[ref])] if ref in self._projects else [])

    def watch(self, refs: Sequence[ApplicationRef], wake: Callable[[], None]) -> None:
        """Hold a stream open for each of `refs`, or one for all; each begins with a replay."""
        queries = [[("name", ref.name), ("appNamespace", ref.namespace)] for ref in refs] or [[]]
        for query in queries:
            stream = partial(self._connection.stream, _STREAM_PATH, query, longest=_STREAM)
            watcher = Watcher(stream, wake)
            self._watchers.append(watcher)
            watcher.start()

    def annotate(self, ref: ApplicationRef, annotations: Mapping[str, str | None]) -> None:
        """Patch annotations; a refresh alone is a read, and needs no right to write."""
        if set(annotations) == {REFRESH}:
            query = [*self._query(ref), ("refresh", str(annotations[REFRESH]))]
            try:
                self._connection.get(_path(ref), query)
            except TimedOut:
                return  # it answers when the refresh is done; it was asked for all the same
            return
        body = {
            "name": ref.name,
            "appNamespace": ref.namespace,
            **({"project": self._projects[ref]} if ref in self._projects else {}),
            "patchType": "merge",
            "patch": json.dumps({"metadata": {"annotations": dict(annotations)}}),
        }
        self._connection.send("PATCH", _path(ref), body)

    def workloads(self, application: Application) -> Workloads:
        """Read workloads and those of their pods that are not ready."""
        ref = application.ref
        objects: list[Mapping[str, Any]] = []
        sets: list[Mapping[str, Any]] = []
        pods: list[Mapping[str, Any]] = []
        words: dict[tuple[str, str], str] = {}
        try:
            wanted = [one for one in application.resources if one.kind in _KINDS][:_MOST]
            objects += [self._object(ref, one) for one in wanted]
            tree = self._connection.get(f"{_path(ref)}/resource-tree", self._query(ref))
            nodes = [read_resource(one) for one in tables(tree.data, "nodes")]
            if any(one.kind == "Rollout" for one in wanted):
                found = [one for one in nodes if one.kind == "ReplicaSet"][:_MOST]
                told = (self._object(ref, one) for one in found)
                sets += [one for one in told if text(table(one, "metadata", "labels"), HASH_LABEL)]
            unwell = [one for one in nodes if one.kind == "Pod" and one.health != "Healthy"]
            for one in unwell[:_MOST_WORDS]:
                pod = self._object(ref, one)
                if is_starting(pod):
                    pods.append(pod)
                    words |= self._last_words(ref, pod)
        except GitopsError as error:
            return Workloads(tuple(objects), tuple(sets), tuple(pods), words, error.message)
        return Workloads(tuple(objects), tuple(sets), tuple(pods), words)

    def rollouts(self, application: Application) -> tuple[Rollout, ...]:
        """Read its Rollouts."""
        return rollouts_in(self.workloads(application))

    def _object(self, ref: ApplicationRef, resource: Resource) -> Mapping[str, Any]:
        query = [
            *self._query(ref),
            ("namespace", resource.namespace),
            ("resourceName", resource.name),
            ("version", resource.version),
            ("group", resource.group),
            ("kind", resource.kind),
        ]
        answer = self._connection.get(f"{_path(ref)}/resource", query)
        try:
            told = json.loads(text(answer.data, "manifest"))
        except (ValueError, RecursionError):
            return {}
        return told if isinstance(told, dict) else {}

    def _last_words(
        self, ref: ApplicationRef, pod: Mapping[str, Any]
    ) -> dict[tuple[str, str], str]:
        """Read what containers that ended printed last; needs the right `logs, get`."""
        found: dict[tuple[str, str], str] = {}
        meta = table(pod, "metadata")
        name = text(meta, "name")
        for status in tables(table(pod, "status"), "containerStatuses"):
            if not status.get("restartCount"):
                continue
            query = [
                *self._query(ref),
                ("namespace", text(meta, "namespace")),
                ("container", text(status, "name")),
                ("tailLines", "3"),
                ("previous", "true"),
            ]
            path = _path(ref) + api_path("pods", name, "logs")
            lines = []
            try:
                for line in self._connection.stream(path, query, longest=5.0):
                    lines.append(_content(line))
            except GitopsError:
                return found
            found[name, text(status, "name")] = " ".join(filter(None, lines))
        return found

    def abort(self, application: Application, rollout: Resource) -> None:
        """Run the resource action `abort`; it needs a right of its own."""
        ref = application.ref
        body = {
            "name": ref.name,
            "appNamespace": ref.namespace,
            "project": application.project,
            "namespace": rollout.namespace or application.namespace,
            "resourceName": rollout.name,
            "version": rollout.version,
            "group": rollout.group,
            "kind": rollout.kind,
            "action": "abort",
        }
        self._connection.send("POST", f"{_path(ref)}/resource/actions/v2", body)

    def close(self) -> None:
        """Stop the watches."""
        for watcher in self._watchers:
            watcher.stop()


class _EveryApplication(Struct, frozen=True):
    """`Collection` of the Applications that a token may see.

    The stream of Argo CD's API replays all of them when it begins, and knows no versions: what
    happens between a list and a stream is found by the next list, at the end of the stream.
    """

    cluster: ServerCluster
    connection: ServerConnection

    def listed(self) -> Iterator[CollectionPage[Application]]:
        """See `Collection`: that API has no pages."""
        reading = self.cluster.applications()
        found = tuple((_key(one.ref), briefly(one)) for one in reading.applications)
        yield CollectionPage(reading.time, "listed", found)

    def changes(self, version: str) -> Iterator[CollectionChange[Application]]:
        """See `Collection`."""
        del version
        try:
            for line in self.connection.stream(_STREAM_PATH, (), longest=_STREAM):
                yield self._change(line)
        except GitopsError as error:
            raise ListAgain(error.message) from None
        raise ListAgain(f"{self.cluster.name} ended the stream")

    def _change(self, line: bytes) -> CollectionChange[Application]:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            told = None
        event = table(told, "result") if isinstance(told, dict) else {}
        if not event:
            raise Unavailable(f"{self.cluster.name} ends the stream")
        application = read_application(table(event, "application"), self.cluster.name)
        gone = event.get("type") == "DELETED"
        return CollectionChange(_key(application.ref), None if gone else briefly(application))


def _key(ref: ApplicationRef) -> ObjectKey:
    return ref.namespace, ref.name


def _path(ref: ApplicationRef) -> str:
    return _PATH + api_path(ref.name)


def _content(line: bytes) -> str:
    """The text of one line of a log stream."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    return text(table(told, "result"), "content") if isinstance(told, dict) else ""
