"""A stand-in for the kubelet and the sidecars of Argo Workflows: steps run as plain processes.

What the controller 4.0.5 wants of a pod was read in its source and seen: first a WorkflowTaskResult
that says it is open, made by the pod's own service account; then the outputs, and the word that it
is closed; then the states of all containers. Artifacts, scripts and sidecars are not played.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from base64 import b64decode
from contextlib import suppress
from pathlib import Path

from cluster.handle import ClusterHandle
from cluster.kube import Document, Kube
from cluster.process_kubelet import ProcessKubelet

_API = "argoproj.io/v1alpha1"
_WORKFLOW = "workflows.argoproj.io/workflow"
_CLOSED = "workflows.argoproj.io/report-outputs-completed"
_MERGE = "application/merge-patch+json"


class WorkflowKubelet(ProcessKubelet):
    """One node; every pod there is one of a workflow.

    Args:
        programs: folders before PATH for the steps.
    """

    def __init__(self, cluster: ClusterHandle, folder: Path, programs: list[Path]) -> None:
        super().__init__(cluster.kube, folder)
        self._cluster = cluster
        self._path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def _run(self, pod: Document) -> None:
        threading.Thread(target=self._play, args=(pod,), daemon=True).start()

    def end(self, node: str) -> None:
        """Kill the process of a node, as the controller would in the container."""
        if (process := self._running.get(node)) is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _play(self, pod: Document) -> None:
        meta = pod["metadata"]
        node = meta["annotations"]["workflows.argoproj.io/node-id"]
        place = self._folder / meta["uid"]
        place.mkdir()
        template = json.loads(
            next(
                row["value"]
                for row in pod["spec"]["initContainers"][0]["env"]
                if row["name"] == "ARGO_TEMPLATE"
            )
        )
        account = self._account(pod, place)
        results = f"/apis/{_API}/namespaces/{meta['namespace']}/workflowtaskresults"
        owner = next(one for one in meta["ownerReferences"] if one["kind"] == "Workflow")
        labels = {_WORKFLOW: meta["labels"][_WORKFLOW], _CLOSED: "false"}
        opened = {
            "apiVersion": _API,
            "kind": "WorkflowTaskResult",
            "metadata": {"name": node, "labels": labels, "ownerReferences": [owner]},
        }
        status, answer = account.ask("POST", results, opened)
        assert status in (201, 409), answer
        outputs = self._outputs(template, place)
        code = self._command(pod, place, node, outputs)
        found = {
            "parameters": [
                {"name": name, "value": _kept(path, default)}
                for name, (_, path, default) in outputs.items()
            ]
        }
        closing = {"metadata": {"labels": {**labels, _CLOSED: "true"}}, "outputs": found}
        account.ask("PATCH", f"{results}/{node}", closing, content_type=_MERGE)
        ended = {
            one["name"]: {"terminated": {"exitCode": 0, "reason": "Completed"}}
            for key in ("initContainers", "containers")
            for one in pod["spec"].get(key, ())
        }
        reason = "Completed" if code == 0 else "Error"
        ended["main"] = {"terminated": {"exitCode": code, "reason": reason}}
        self._report(pod, ended, "Succeeded" if code == 0 else "Failed")

    def _account(self, pod: Document, place: Path) -> Kube:
        """Sign in as the pod's service account, whose rights are the real ones."""
        space, name = pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"/api/v1/namespaces/{space}/serviceaccounts/{name}/token"
        token = self._kube.call("POST", path, asked)["status"]["token"]
        return Kube(self._cluster.kubeconfig_of("pod", place, token=token))

    def _outputs(self, template: Document, place: Path) -> dict[str, tuple[str, Path, str]]:
        wanted = template.get("outputs", {}).get("parameters", ())
        return {
            one["name"]: (
                one["valueFrom"]["path"],
                place / f"output-{one['name']}",
                one["valueFrom"].get("default", ""),
            )
            for one in wanted
        }

    def _command(
        self, pod: Document, place: Path, node: str, outputs: dict[str, tuple[str, Path, str]]
    ) -> int:
        main = next(one for one in pod["spec"]["containers"] if one["name"] == "main")

        def local(word: str) -> str:
            for path, kept, _ in outputs.values():
                word = word.replace(path, str(kept))
            return word

        words = main["command"]
        words = [*words[words.index("--") + 1 :], *main.get("args", ())]
        environ = {
            "PATH": self._path,
            "HOME": str(place),
            "LC_ALL": "C.UTF-8",
            "KUBECONFIG": str(place / "pod.kubeconfig"),
            **self._secrets(pod, main),
            **{name: local(value) for name, value in self._environ(pod, main).items()},
        }
        states: dict[str, Document] = {"main": {"running": {}}, "wait": {"running": {}}}
        states["init"] = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        self._report(pod, states, "Running")
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [local(word) for word in words],
                cwd=place,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[node] = process
            code = process.wait()
        self._logs[f"{pod['metadata']['namespace']}/{pod['metadata']['name']}/main"] = (
            place / "log"
        ).read_bytes()
        return code if code >= 0 else 128 - code

    def _secrets(self, pod: Document, container: Document) -> dict[str, str]:
        found: dict[str, str] = {}
        for row in container.get("envFrom", ()):
            if name := row.get("secretRef", {}).get("name"):
                kept = self._kept(pod, "secrets", name, optional=row["secretRef"].get("optional"))
                found |= {
                    key: b64decode(value).decode() for key, value in kept.get("data", {}).items()
                }
        return found


def _kept(path: Path, default: str) -> str:
    return path.read_text().removesuffix("\n") if path.exists() else default


PROGRAMS = [Path(sys.executable).parent]
"""Where the gitops that is tested is."""
