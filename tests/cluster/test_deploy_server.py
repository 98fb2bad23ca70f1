"""`deploy/server`: a real API server takes every object, and what its pod runs comes and goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.handle import ClusterHandle
from cluster.kube import Document
from gitops.adapters.argocd.connection import Connection
from gitops.adapters.argocd.lease_api import KubernetesLease
from gitops.errors import Denied
from gitops.server.notifications.turn import TellingTurn
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


@pytest.fixture(scope="module")
def applied(cluster: ClusterHandle, built: list[Document]) -> Iterator[ClusterHandle]:
    """A cluster that took all of it."""
    try:
        for one in sorted(built, key=lambda made: made["kind"] != "Namespace"):
            cluster.kube.apply(one)
        yield cluster
    finally:
        cluster.kube.delete("v1", "Namespace", "gitops")


def test_a_cluster_takes_it(
    cluster: ClusterHandle, applied: ClusterHandle, built: list[Document]
) -> None:
    """Every object is valid there, and its pods fit the strictest level of pod security."""
    deployment = find(built, "Deployment")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one", "namespace": "gitops"},
        "spec": deployment["spec"]["template"]["spec"],
    }
    path = "/api/v1/namespaces/gitops/pods"
    status, answer = cluster.kube.ask("POST", path, pod, dryRun="All")

    assert status == 201, answer


class Replica:
    """A server that asks for the Lease as its pod's account; a clock that is wrong by so much."""

    def __init__(self, kubeconfig: Path, lease: str = "gitops-notify", skew: float = 0.0) -> None:
        environ = {"KUBECONFIG": str(kubeconfig)}
        connection = Connection("the cluster", None, environ, 10.0)
        self._store = KubernetesLease(connection, "gitops", lease)
        self.turn = TellingTurn(
            self._store, "shop", lambda: None, duration=3, clock=lambda: time.monotonic() + skew
        )
        self.stepped = 0.0

    def step(self) -> bool:
        """Renew it, take it, or look who has it; whether it is its turn then."""
        self.stepped = time.monotonic()
        self.turn.step(self._store)
        return self.turn.is_mine()

    def may_read(self) -> bool:
        """Whether the API server lets it."""
        try:
            return self._store.read() is not None
        except Denied:
            return False

    def cut_off(self, kubeconfig: Path) -> None:
        """Reach nobody any more."""
        connection = Connection("nobody", None, {"KUBECONFIG": str(kubeconfig)}, 1.0)
        self._store = KubernetesLease(connection, "gitops", "gitops-notify")


def test_replicas_agree_who_tells_people(
    cluster: ClusterHandle, applied: ClusterHandle, tmp_path: Path
) -> None:
    """By the rights that are shipped: never two at once; whoever dies, or reaches no API server,
    stops before the other takes over, and that waits for the lease to end, whatever clocks say."""
    path = "/api/v1/namespaces/gitops/serviceaccounts/gitops/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = str(cluster.kube.call("POST", path, asked)["status"]["token"])
    kubeconfig = cluster.kubeconfig_of("gitops", tmp_path, token=token)
    nowhere = tmp_path / "nowhere.kubeconfig"
    document = json.loads(kubeconfig.read_text())
    document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port(set())}"
    nowhere.write_text(json.dumps(document))
    lease = ("coordination.k8s.io/v1", "Lease", "gitops-notify")
    cluster.wait_for(Replica(kubeconfig).may_read)  # the API server learns of a Role a bit later
    for renewed in ("2000-01-01T00:00:00.000000Z", "2100-01-01T00:00:00.000000Z"):
        spec = {"holderIdentity": "ghost", "leaseDurationSeconds": 1, "renewTime": renewed}
        cluster.kube.patch({"spec": spec}, *lease, namespace="gitops")
        one, other = Replica(kubeconfig), Replica(kubeconfig, skew=-1e6)
        assert not one.step(), renewed
        cluster.wait_for(one.step)
        assert not other.step()
        both = []
        for _ in range(5):
            time.sleep(0.1)
            one.step()
            both.append(other.step() and one.turn.is_mine())
        last = one.stepped
        one.cut_off(nowhere)
        while not other.step():
            one.step()
            both.append(other.turn.is_mine() and one.turn.is_mine())
            assert time.monotonic() < last + 60
            time.sleep(0.1)
        assert True not in both
        assert not one.turn.is_mine()
        assert other.stepped - last >= 3 * 2 / 3
        kept = cluster.kube.get(*lease, "gitops")
        assert kept is not None
        assert other.turn.identity == kept["spec"]["holderIdentity"]
    back = Replica(kubeconfig)
    assert not back.step()
    other.turn.start()
    other.turn.close()
    assert cluster.wait_for(back.step)
    stranger = Replica(kubeconfig, "another")
    assert stranger.step()
    assert not stranger.turn.is_agreed


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
        "MALLOC_ARENA_MAX": given["MALLOC_ARENA_MAX"],
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

    assert {"HOME", "TMPDIR", "MALLOC_ARENA_MAX"} == given.keys()
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
