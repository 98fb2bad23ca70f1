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
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import gmtime, strftime
from typing import Self

from cluster.kube import Document, Kube
from servers.authority import Authority
from servers.loopback import Handler, Loopback

IGNORED_BY_KWOK = {"kwok.x-k8s.io/status": "custom"}
"""Annotations of nodes and pods that kwok leaves alone (`--disregard-status-with-…`)."""

_STATUS = "application/merge-patch+json"


class ProcessKubelet(Loopback):
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
        keys = Authority(folder / "keys")
        super().__init__(_handler(self._logs), tls=keys.server("IP:127.0.0.1"))
        self._worker = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.node, "annotations": IGNORED_BY_KWOK},
        }
        self._kube.apply(node)
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.port}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        }
        self._patch(f"/api/v1/nodes/{self.node}/status", {"status": status})
        self._worker.start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._worker.join(20)
        self._kube.ask("DELETE", f"/api/v1/nodes/{self.node}")

    def _work(self) -> None:
        while not self.stopping.wait(0.1):
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


def _handler(logs: Mapping[str, bytes]) -> type[Handler]:
    class Answers(Handler):
        def do_GET(self) -> None:  # the name is the library's
            _, _, rest = self.path.partition("/containerLogs/")
            text = logs.get(rest.partition("?")[0])
            self.say(200 if text is not None else 404, (), text or b"")

    return Answers


def _now() -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
