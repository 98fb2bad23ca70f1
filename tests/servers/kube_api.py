"""Loopback stand-ins for the two APIs in front of a `Plane`: Kubernetes', and Argo CD's own.

They speak as much of the protocols as a client sees, and misbehave on demand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from queue import Empty, Queue
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fake_cluster import Plane
from servers.loopback import Loopback

TOKEN = "planted-token-4f1c"
CLUSTER_CONFIG = b"""\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: overlays/dev}
clusters:
  - {environments: [dev]}
"""
"""A `gitops.yaml` whose dev runs in the cluster that the kubeconfig leads to."""

_NOT_FOUND = (404, {"message": "not found"})


@dataclass
class Behaviour:
    """What a server does instead of its work.

    Attributes:
        token: the one that is accepted.
        status: answered to everything; `deny` answers 403 to these methods.
        hang: never answer.
        page: answer with a login page.
        redirect: URL that everything is sent to.
        short_streams: watches end at once.
        gone: watches answer 410 when they begin.
        page_size: a list has no more than so many objects in one answer, whatever is asked for.
    """

    token: str = TOKEN
    status: int | None = None
    deny: frozenset[str] = frozenset()
    hang: bool = False
    page: bool = False
    redirect: str | None = None
    short_streams: bool = False
    gone: bool = False
    page_size: int = 500


@dataclass
class _Stub(Loopback):
    """A server on a port of its own; a context manager.

    Attributes:
        requests: `METHOD path?query`, in order.
        authorizations: the Authorization headers that came.
        streams: watches that were opened.
    """

    plane: Plane
    behaviour: Behaviour = field(default_factory=Behaviour)
    requests: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    streams: int = 0

    def __post_init__(self) -> None:
        super().__init__(_handler(self))
        self._queues: list[Queue[str]] = []
        self.plane.listeners.append(self._changed)

    def _changed(self, name: str) -> None:
        for queue in list(self._queues):
            queue.put(name)

    def changes(self, names: set[str], first: str | None = None) -> Iterator[str]:
        """Yield the names of what changes, from now on, after `first`."""
        self.streams += 1
        queue: Queue[str] = Queue()
        self._queues.append(queue)
        try:
            if first is not None:
                yield first
            while not self.stopping.is_set() and not self.behaviour.short_streams:
                with suppress(Empty):
                    name = queue.get(timeout=0.02)
                    if not names or name in names:
                        yield name
        finally:
            self._queues.remove(queue)

    def answer(
        self, method: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any] | Iterator[bytes]:
        """Answer one request: a status and a document, or a stream."""
        return _NOT_FOUND


class KubeStub(_Stub):
    """The API server that keeps Applications."""

    def answer(
        self, method: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any] | Iterator[bytes]:
        """See `_Stub`."""
        parts = path.strip("/").split("/")
        match parts:
            case ["apis", "argoproj.io", "v1alpha1", "applications"]:
                return self._list(None, query)
            case ["apis", "argoproj.io", "v1alpha1", "namespaces", namespace, "applications"]:
                return self._list(namespace, query)
            case ["apis", "argoproj.io", "v1alpha1", "namespaces", where, "applications", name]:
                return self._one(method, where, name, body)
            case ["apis", "argoproj.io", _, "namespaces", where, "rollouts", name, "status"]:
                if ("Rollout", where, name) not in self.plane.objects:
                    return _NOT_FOUND
                self.plane.abort(where, name, on=body["status"]["abort"])
                return 200, self.plane.objects["Rollout", where, name]
            case ["api", "v1", "namespaces", where, "pods", name, "log"]:
                words = self.plane.logs.get((name, query.get("container", "")))
                return (200, words) if words is not None else _NOT_FOUND
            case [*_, "namespaces", where, plural]:
                return self._objects(where, plural, query)
            case [*_, "namespaces", where, plural, name]:
                found = self.plane.objects.get((_KINDS[plural], where, name))
                return (200, found) if found is not None else _NOT_FOUND
        return _NOT_FOUND

    def _list(
        self, namespace: str | None, query: dict[str, str]
    ) -> tuple[int, Any] | Iterator[bytes]:
        if query.get("watch") == "true":
            if self.behaviour.gone:
                return 410, {"message": "too old resource version"}
            selected = query.get("fieldSelector", "").removeprefix("metadata.name=")
            since = int(query.get("resourceVersion") or self.plane.version)
            return self._events({selected} if selected else set(), since)
        found = [
            told
            for (where, _), told in self.plane.applications.items()
            if namespace is None or where == namespace
        ]
        begin = int(query.get("continue") or 0)
        end = begin + min(int(query.get("limit") or len(found)), self.behaviour.page_size)
        meta = {"resourceVersion": str(self.plane.version)}
        meta |= {"continue": str(end)} if end < len(found) else {}
        return 200, {"kind": "ApplicationList", "metadata": meta, "items": found[begin:end]}

    def _events(self, names: set[str], since: int) -> Iterator[bytes]:
        """Tell all that happened since a version, and what happens from now on, in order."""
        for name in self.changes(names, first=""):
            for version, made, is_there in list(self.plane.log):
                if version > since and (not names or made["metadata"]["name"] in names):
                    kind = "MODIFIED" if is_there else "DELETED"
                    yield json.dumps({"type": kind, "object": made}).encode() + b"\n"
                    since = version
            if not name:
                mark = {"metadata": {"resourceVersion": str(since)}}
                yield json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n"

    def _one(self, method: str, namespace: str, name: str, body: Any) -> tuple[int, Any]:
        if (namespace, name) not in self.plane.applications:
            return 404, {"message": f'applications.argoproj.io "{name}" not found'}
        if method == "PATCH":
            if set(body) != {"metadata"} or set(body["metadata"]) != {"annotations"}:
                return 422, {"message": "only annotations may be patched here"}
            self.plane.annotate(namespace, name, body["metadata"]["annotations"])
        return 200, self.plane.get(name, namespace)

    def _objects(self, namespace: str, plural: str, query: dict[str, str]) -> tuple[int, Any]:
        if plural not in _KINDS:
            return _NOT_FOUND
        pairs = [text.split("=") for text in query.get("labelSelector", "").split(",") if text]
        found = [
            one
            for one in self.plane.of_kind(_KINDS[plural], namespace)
            if all(one["metadata"].get("labels", {}).get(key) == value for key, value in pairs)
        ]
        return 200, {"items": found}


_KINDS = {
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "replicasets": "ReplicaSet",
    "rollouts": "Rollout",
    "jobs": "Job",
    "pods": "Pod",
}


class ArgoStub(_Stub):
    """Argo CD's own API."""

    def answer(
        self, method: str, path: str, query: dict[str, str], body: Any
    ) -> tuple[int, Any] | Iterator[bytes]:
        """See `_Stub`."""
        namespace = query.get("appNamespace", "argocd")
        match path.removeprefix("/api/").removeprefix("v1/").split("/"):
            case ["version"]:
                return 200, {"Version": "v3.4.2"}
            case ["applications"]:
                return 200, {"metadata": {}, "items": list(self.plane.applications.values())}
            case ["stream", "applications"]:
                return self._events({query["name"]} if "name" in query else set())
            case ["applications", name, *rest]:
                if (namespace, name) not in self.plane.applications:
                    status = 404 if "project" in query or "project" in (body or {}) else 403
                    return status, {"message": "permission denied"}
                return self._about(method, namespace, name, rest, query, body)
        return _NOT_FOUND

    def _events(self, names: set[str]) -> Iterator[bytes]:
        for name in self._replayed(names):
            made, is_there = next(
                (
                    (made, there)
                    for _, made, there in reversed(self.plane.log)
                    if made["metadata"]["name"] == name
                ),
                ({"metadata": {"name": name}}, True),
            )
            event = {"type": "MODIFIED" if is_there else "DELETED", "application": made}
            yield json.dumps({"result": event}).encode() + b"\n"

    def _replayed(self, names: set[str]) -> Iterator[str]:
        yield from names
        yield from self.changes(names)

    def _about(
        self,
        method: str,
        namespace: str,
        name: str,
        rest: list[str],
        query: dict[str, str],
        body: Any,
    ) -> tuple[int, Any] | Iterator[bytes]:
        match method, rest:
            case "GET", []:
                if "refresh" in query:
                    key = "argocd.argoproj.io/refresh"
                    self.plane.annotate(namespace, name, {key: query["refresh"]})
                return 200, self.plane.get(name, namespace)
            case "PATCH", []:
                patch = json.loads(body["patch"])
                self.plane.annotate(namespace, name, patch["metadata"]["annotations"])
                return 200, self.plane.get(name, namespace)
            case "GET", ["resource-tree"]:
                nodes = [
                    {"kind": kind, "namespace": where, "name": what, "version": "v1"}
                    for kind, where, what in self.plane.objects
                ]
                return 200, {"nodes": nodes}
            case "GET", ["resource"]:
                key3 = (query["kind"], query["namespace"], query["resourceName"])
                found = self.plane.objects.get(key3)
                return (200, {"manifest": json.dumps(found)}) if found else _NOT_FOUND
            case "GET", ["pods", pod, "logs"]:
                words = self.plane.logs.get((pod, query["container"]))
                if words is None:
                    return _NOT_FOUND
                lines = [{"result": {"content": line}} for line in words.splitlines()]
                return iter([json.dumps(line).encode() + b"\n" for line in lines])
            case "POST", ["resource", "actions", "v2"]:
                if ("Rollout", body["namespace"], body["resourceName"]) not in self.plane.objects:
                    return _NOT_FOUND
                self.plane.abort(body["namespace"], body["resourceName"])
                return 200, {}
        return _NOT_FOUND


def _handler(stub: _Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            behaviour = stub.behaviour
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            stub.requests.append(f"{self.command} {self.path}")
            stub.authorizations.append(self.headers.get("Authorization", ""))
            parts = urlsplit(self.path)
            if behaviour.hang:
                stub.stopping.wait(60)
                return
            if behaviour.redirect is not None:
                self._reply(302, b"", location=behaviour.redirect + self.path)
            elif behaviour.page:
                self._reply(200, b"<html>log in</html>")
            elif behaviour.status is not None:
                self._json(behaviour.status, {"message": f"status {behaviour.status}"})
            elif self.headers.get("Authorization", "").lower() != f"bearer {behaviour.token}":
                self._json(401, {"message": "Unauthorized"})
            elif self.command in behaviour.deny:
                self._json(403, {"message": 'User "bot" cannot patch resource "applications"'})
            else:
                answer = stub.answer(self.command, parts.path, dict(parse_qsl(parts.query)), body)
                if isinstance(answer, tuple):
                    self._json(*answer)
                else:
                    self._stream(answer)

        do_GET = do_PATCH = do_POST = _serve

        def _json(self, status: int, document: Any) -> None:
            text = document if isinstance(document, str) else json.dumps(document)
            self._reply(status, text.encode())

        def _reply(self, status: int, content: bytes, location: str | None = None) -> None:
            with suppress(OSError):
                self.send_response_only(status)
                now = stub.plane.now().timestamp()
                self.send_header("Date", formatdate(now, usegmt=True))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                if location is not None:
                    self.send_header("Location", location)
                self.end_headers()
                self.wfile.write(content)

        def _stream(self, chunks: Iterator[bytes]) -> None:
            with suppress(OSError):
                self.send_response_only(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.send_header("Connection", "close")
                self.end_headers()
                for chunk in chunks:
                    self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def kubeconfig(url: str, *, token: str = TOKEN, context: str = "stub") -> str:
    """Return a kubeconfig that leads to `url` with a token."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        }
    )
