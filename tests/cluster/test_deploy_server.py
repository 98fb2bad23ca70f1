"""`deploy/server`: a real API server takes every object, and what its pod runs comes and goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from cluster.handle import ClusterHandle
from cluster.kube import Document
from manifests import Manifests
from servers.processes import free_port

FOLDER = Path(__file__).parents[2] / "deploy" / "server"
SETTINGS = """\
publicUrl: https://gitops.example.com
hooks: [{kind: github, name: manifests, secret: 0123456789abcdef}]
"""


@pytest.fixture(scope="module")
def built() -> list[Document]:
    """What kustomize makes of it."""
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [str(kubectl), "kustomize", str(FOLDER)], capture_output=True, text=True, check=True
    )
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def find(built: list[Document], kind: str) -> Document:
    """Return the one object of a kind."""
    (found,) = [one for one in built if one["kind"] == kind]
    return found


def test_a_cluster_takes_it(cluster: ClusterHandle, built: list[Document]) -> None:
    """Every object is valid there, and its pods fit the strictest level of pod security."""
    try:
        for one in sorted(built, key=lambda made: made["kind"] != "Namespace"):
            cluster.kube.apply(one)
        deployment = find(built, "Deployment")
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "one", "namespace": "gitops"},
            "spec": deployment["spec"]["template"]["spec"],
        }
        path = "/api/v1/namespaces/gitops/pods"
        status, answer = cluster.kube.ask("POST", path, pod, dryRun="All")
    finally:
        cluster.kube.delete("v1", "Namespace", "gitops")

    assert status == 201, answer


def test_what_its_pod_runs(built: list[Document], manifests: Manifests, tmp_path: Path) -> None:
    """The very command, with a mounted settings file and its two folders: alive, ready, and gone
    with code 0 on SIGTERM. Without a sign-in it refuses to let strangers act."""
    spec = find(built, "Deployment")["spec"]["template"]["spec"]
    container = spec["containers"][0]
    port = free_port(set())
    settings = tmp_path / "settings.yaml"
    settings.write_text(SETTINGS)
    places = {"/etc/gitops/settings.yaml": str(settings), "0.0.0.0:8080": f"127.0.0.1:{port}"}
    words = [places.get(word, word) for word in container["args"]]
    given = {one["name"]: one["value"] for one in container["env"]}
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "GITOPS_REPO": str(manifests.path),
        "GITOPS_AUTHOR": "Gitops <gitops@example.com>",
    }
    open_to_all = [word if word != f"127.0.0.1:{port}" else f"0.0.0.0:{port}" for word in words]
    gitops = [sys.executable, "-m", "gitops"]

    refused = subprocess.run(
        [*gitops, *open_to_all], env=environ, capture_output=True, text=True, timeout=60
    )
    running = subprocess.Popen([*gitops, *words], env=environ, stdout=subprocess.DEVNULL)
    try:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            await_page(f"http://127.0.0.1:{port}{container[probe]['httpGet']['path']}")
    finally:
        running.send_signal(signal.SIGTERM)
        code = running.wait(spec["terminationGracePeriodSeconds"])

    assert {"HOME", "TMPDIR"} == given.keys()
    assert refused.returncode != 0
    assert "sign" in refused.stderr
    assert code == 0


def await_page(url: str) -> None:
    """Wait until a page answers 200."""
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < end, url
            time.sleep(0.1)
