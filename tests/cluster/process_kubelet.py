"""A stand-in for a kubelet: containers of its pods run as plain processes of this machine.

It registers a node, takes the pods that are bound to it from the real API server, resolves their
variables from real ConfigMaps and Secrets, writes their ConfigMap volumes to a folder, runs init
containers and containers one after the other, reports their states, and serves their logs to the
API server. There are no images, namespaces, mounts, probes or limits: a path at which a volume is
mounted is replaced in the container's words by the folder that stands for it.
"""

from __future__ import annotations

import os
import subprocess
import threading
import uuid
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import gmtime, strftime
from types import TracebackType
from typing import Any

from cluster.kube import Document, Kube
from servers.authority import Authority

IGNORED_BY_KWOK = {"kwok.x-k8s.io/status": "custom"}
"""Annotations of nodes and pods that kwok leaves alone (`--disregard-status-with-…`)."""

_STATUS = "application/merge-patch+json"


class ProcessKubelet:
    """One node and what runs there; a context manager.

    Attributes:
        node: its name; a pod comes here by `nodeName`.
    """

    def __init__(self, kube: Kube, folder: Path) -> None:
        self.node = f"processes-{uuid.uuid4().hex[:8]}"
        self._kube = kube
        self._folder = folder
        folder.mkdir()
        self._logs: dict[str, bytes] = {}
        self._done: set[str] = set()
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = Authority(folder / "keys").server("IP:127.0.0.1")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True),
            threading.Thread(target=self._work, daemon=True),
        ]

    def __enter__(self) -> ProcessKubelet:
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.node, "annotations": IGNORED_BY_KWOK},
        }
        self._kube.apply(node)
        port = self._server.server_address[1]
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        }
        self._patch(f"/api/v1/nodes/{self.node}/status", {"status": status})
        for one in self._threads:
            one.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        for one in self._threads:
            one.join(20)
        self._server.server_close()
        self._kube.ask("DELETE", f"/api/v1/nodes/{self.node}")

    def _work(self) -> None:
        while not self._stopping.wait(0.1):
            with suppress(OSError):
                query = {"fieldSelector": f"spec.nodeName={self.node}"}
                _, found = self._kube.ask("GET", "/api/v1/pods", **query)
                for pod in found.get("items", ()):
                    if pod["metadata"]["uid"] not in self._done:
                        self._done.add(pod["metadata"]["uid"])
                        self._run(pod)

    def _run(self, pod: Document) -> None:
        """Run a pod to its end; what fails ends it."""
        spec = pod["spec"]
        states: dict[str, Document] = {}
        for key in ("initContainers", "containers"):
            for one in spec.get(key, ()):
                states[one["name"]] = {"running": {"startedAt": _now()}}
                self._report(pod, states, "Pending" if key == "initContainers" else "Running")
                code = self._run_container(pod, one)
                ended = {"exitCode": code, "reason": "Completed" if code == 0 else "Error"}
                states[one["name"]] = {"terminated": {**ended, "finishedAt": _now()}}
                if code != 0:
                    self._report(pod, states, "Failed")
                    return
        self._report(pod, states, "Succeeded")

    def _run_container(self, pod: Document, container: Document) -> int:
        place = self._folder / pod["metadata"]["name"] / container["name"]
        place.mkdir(parents=True)
        mounts = self._mounts(pod, container, place)

        def local(word: str) -> str:
            for path, folder in mounts.items():
                word = word.replace(path, folder)
            return word

        environ = {"PATH": os.environ["PATH"], **self._environ(pod, container)}
        words = [*container.get("command", ()), *container.get("args", ())]
        key = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}/{container['name']}"
        done = subprocess.run(
            [local(word) for word in words],
            cwd=place,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self._logs[key] = done.stdout
        return done.returncode

    def _mounts(self, pod: Document, container: Document, place: Path) -> dict[str, str]:
        volumes = {one["name"]: one for one in pod["spec"].get("volumes", ())}
        found = {}
        for mount in container.get("volumeMounts", ()):
            source = volumes[mount["name"]].get("configMap")
            if source is not None:
                folder = place / mount["name"]
                folder.mkdir()
                for name, text in self._kept(pod, "configmaps", source["name"])["data"].items():
                    (folder / name).write_text(text)
                found[mount["mountPath"]] = str(folder)
        return found

    def _environ(self, pod: Document, container: Document) -> dict[str, str]:
        from base64 import b64decode

        found: dict[str, str] = {}
        for row in container.get("envFrom", ()):
            if name := row.get("configMapRef", {}).get("name"):
                found |= self._kept(pod, "configmaps", name).get("data", {})
        for row in container.get("env", ()):
            wanted = row.get("valueFrom", {}).get("secretKeyRef")
            if wanted is None:
                found[row["name"]] = row.get("value", "")
                continue
            kept = self._kept(pod, "secrets", wanted["name"], optional=wanted.get("optional"))
            if kept:
                found[row["name"]] = b64decode(kept["data"][wanted["key"]]).decode()
        return found

    def _kept(
        self, pod: Document, kind: str, name: str, *, optional: bool | None = False
    ) -> Document:
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/{kind}/{name}"
        status, found = self._kube.ask("GET", path)
        assert status == 200 or optional, (path, found)
        return dict(found) if status == 200 else {}

    def _report(self, pod: Document, states: dict[str, Document], phase: str) -> None:
        def statuses(key: str) -> list[Document]:
            return [
                {
                    "name": one["name"],
                    "image": one["image"],
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": states.get(one["name"], {"waiting": {"reason": "PodInitializing"}}),
                }
                for one in pod["spec"].get(key, ())
            ]

        meta = pod["metadata"]
        status = {
            "phase": phase,
            "startTime": _now(),
            "hostIP": "127.0.0.1",
            "initContainerStatuses": statuses("initContainers"),
            "containerStatuses": statuses("containers"),
        }
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status"
        self._patch(path, {"status": status})

    def _patch(self, path: str, body: Document) -> None:
        status, answer = self._kube.ask("PATCH", path, body, content_type=_STATUS)
        assert status == 200, answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        logs = self._logs

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name is the library's
                _, _, rest = self.path.partition("/containerLogs/")
                text = logs.get(rest.partition("?")[0])
                self.send_response(200 if text is not None else 404)
                self.send_header("Content-Length", str(len(text or b"")))
                self.end_headers()
                self.wfile.write(text or b"")

            def log_message(self, format: str, *arguments: Any) -> None:
                """Say nothing."""

        return Handler


def _now() -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
