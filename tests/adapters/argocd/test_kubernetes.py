"""The Kubernetes API as it really behaves: refusals, silence, streams that end, renewed tokens."""

from __future__ import annotations

import json
import logging
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from applications import an_application
from fake_cluster import Plane
from gitops.adapters.argocd.connection import Connection
from gitops.adapters.argocd.kubernetes_api import EVERYWHERE, KubernetesCluster
from gitops.core.argocd.application import NOTICE, ApplicationRef
from gitops.errors import Denied, GitopsError, NotFound, TimedOut, Unavailable
from servers.kube_api import TOKEN, KubeStub, kubeconfig

REF = ApplicationRef("stub", "argocd", "shop-dev")


@pytest.fixture
def config(stub: KubeStub, tmp_path: Path) -> Path:
    """A kubeconfig that leads there, as the user has it."""
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig(stub.url))
    return path


@pytest.fixture
def cluster(config: Path) -> Iterator[KubernetesCluster]:
    """The adapter, patient for two seconds."""
    made = connect(config)
    yield made
    made.close()


def connect(
    config: Path, *, context: str | None = None, within: float = 2.0, namespace: str = "argocd"
) -> KubernetesCluster:
    """Return the adapter over a kubeconfig."""
    connection = Connection("stub", context, {"KUBECONFIG": str(config)}, within)
    return KubernetesCluster(connection, namespace)


def fails(cluster: KubernetesCluster, kind: type[GitopsError]) -> GitopsError:
    """Return the error of a reading, which holds no token."""
    with pytest.raises(kind) as caught:
        cluster.applications()
    assert TOKEN not in f"{caught.value} {caught.value.hint} {caught.value.reasons}"
    return caught.value


def test_the_token_is_sent(cluster: KubernetesCluster, stub: KubeStub) -> None:
    """The token of the kubeconfig reaches the server (one release of the client sent none)."""
    cluster.applications()

    assert [f"Bearer {TOKEN}"] == stub.authorizations


def test_one_namespace_or_all(config: Path, stub: KubeStub, plane: Plane) -> None:
    """Applications are read in the namespace of Argo CD, or everywhere when that is asked for."""
    plane.put(an_application(name="far", namespace="team-a"))

    near = connect(config).applications().applications
    far = connect(config, namespace=EVERYWHERE).applications().applications

    assert ["shop-dev"] == [one.ref.name for one in near]
    assert ["argocd", "team-a"] == sorted(one.ref.namespace for one in far)


def test_expired_token(cluster: KubernetesCluster, stub: KubeStub) -> None:
    """A token that is not accepted is told as that, after one more try."""
    stub.behaviour.token = "another"

    error = fails(cluster, Denied)

    assert "does not accept the credentials" in error.message
    assert 2 == len(stub.requests)


def test_renewed_token(cluster: KubernetesCluster, stub: KubeStub, config: Path) -> None:
    """A token that was renewed in the kubeconfig meanwhile is taken up."""
    cluster.applications()
    stub.behaviour.token = "renewed"
    config.write_text(kubeconfig(stub.url, token="renewed"))

    assert 1 == len(cluster.applications().applications)


def test_missing_rights(cluster: KubernetesCluster, stub: KubeStub) -> None:
    """A right that is missing is told in the server's words, with where to find the Role."""
    stub.behaviour.deny = frozenset({"PATCH"})

    with pytest.raises(Denied, match='User "bot" cannot patch') as caught:
        cluster.annotate(REF, {NOTICE: "x"})

    assert "Role" in str(caught.value.hint)


def test_only_annotations_are_patched(cluster: KubernetesCluster, stub: KubeStub) -> None:
    """A patch holds annotations and nothing else (the stub refuses anything more)."""
    cluster.annotate(REF, {NOTICE: "x"})

    assert [
        "PATCH /apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop-dev"
    ] == stub.requests


@pytest.mark.parametrize("status", [429, 500, 503])
def test_server_errors(cluster: KubernetesCluster, stub: KubeStub, status: int) -> None:
    """A server in trouble is unavailable, and is asked once and not three times."""
    stub.behaviour.status = status

    assert str(status) in fails(cluster, Unavailable).message
    assert 1 == len(stub.requests)


def test_no_argo_cd(cluster: KubernetesCluster, stub: KubeStub) -> None:
    """A cluster without Argo CD is told as that."""
    stub.behaviour.status = 404

    assert "has no Argo CD" in fails(cluster, NotFound).message


def test_silence(config: Path, stub: KubeStub) -> None:
    """A server that takes the request and says nothing is given up in time."""
    stub.behaviour.hang = True
    before = time.monotonic()

    fails(connect(config, within=0.3), TimedOut)

    assert time.monotonic() - before < 10


def test_nobody_listens(config: Path) -> None:
    """A port that nobody listens on is unavailable at once, without words of the library."""
    config.write_text(kubeconfig("http://127.0.0.1:9"))

    error = fails(connect(config), Unavailable)

    assert "cannot be reached" in error.message
    assert "object at 0x" not in error.message


def test_no_json(cluster: KubernetesCluster, stub: KubeStub) -> None:
    """A login page in front of the API is no answer."""
    stub.behaviour.page = True

    assert "no JSON" in fails(cluster, Unavailable).message


def test_unknown_context(config: Path) -> None:
    """A context that the kubeconfig does not have is named, with how to list them."""
    error = fails(connect(config, context="gone"), NotFound)

    assert "gone" in error.message
    assert "get-contexts" in str(error.hint)


@pytest.mark.parametrize("content", ["", "{", "[]", "a: b", '{"contexts": 3}'])
def test_broken_kubeconfig(config: Path, content: str) -> None:
    """A kubeconfig that cannot be read is told as that."""
    config.write_text(content)

    assert "kubeconfig" in fails(connect(config), NotFound).message


def test_exec_plugin(
    config: Path, stub: KubeStub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An exec plugin gives the token, and its failure is told and not printed."""
    plugin = tmp_path / "plugin"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": TOKEN},
    }
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(credential)}'\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    told = json.loads(kubeconfig(stub.url))
    told["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plugin),
            "interactiveMode": "Never",
        }
    }
    config.write_text(json.dumps(told))
    assert 1 == len(connect(config).applications().applications)

    plugin.write_text("#!/bin/sh\necho 'log in first' >&2\nexit 1\n")
    error = fails(connect(config), Denied)

    assert "log in first" in error.message
    assert ("", "") == capfd.readouterr()


def test_the_root_logger_is_left_as_it_was(cluster: KubernetesCluster) -> None:
    """What keeps the library quiet does not stay behind."""
    before = list(logging.getLogger().handlers)

    cluster.applications()

    assert before == logging.getLogger().handlers


def test_proxies_are_left_out_where_no_proxy_says(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`no_proxy` holds (the client reads it and forgets it): the tests' own proxy is dead."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    connection = Connection(
        "stub", None, {"no_proxy": "127.0.0.1", "KUBECONFIG": str(config)}, within=2.0
    )

    assert 1 == len(KubernetesCluster(connection, "argocd").applications().applications)


def test_objects_elsewhere_are_not_asked_for(
    cluster: KubernetesCluster, stub: KubeStub, plane: Plane
) -> None:
    """The objects of an Application that deploys to another cluster are not looked for here."""
    plane.put(an_application(spec={"destination": {"server": "https://far.example.com"}}))
    (application,) = cluster.applications().applications
    stub.requests.clear()

    found = cluster.workloads(application)

    assert "https://far.example.com" in str(found.unread)
    assert [] == stub.requests


def test_objects_that_may_not_be_read(
    cluster: KubernetesCluster, stub: KubeStub, plane: Plane
) -> None:
    """Without the right to read workloads, that is told, and nothing fails."""
    one = {"group": "apps", "version": "v1", "kind": "Deployment", "name": "api"}
    plane.put(an_application(status={"resources": [one]}))
    (application,) = cluster.applications().applications
    stub.behaviour.deny = frozenset({"GET"})

    found = cluster.workloads(application)

    assert () == found.objects
    assert "cannot" in str(found.unread)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "../../../secrets/s"), ("name", ".."), ("version", "v1/../../x"), ("name", "a?b=c")],
)
def test_names_stay_in_their_place(
    cluster: KubernetesCluster, stub: KubeStub, plane: Plane, field: str, value: str
) -> None:
    """A name in an Application's status asks for nothing beside the object that it should be."""
    one = {"group": "apps", "version": "v1", "kind": "Deployment", "name": "api", field: value}
    plane.put(an_application(status={"resources": [one]}))
    (application,) = cluster.applications().applications
    stub.requests.clear()
    cluster.workloads(application)

    for text in stub.requests:
        path = text.split(" ")[1].partition("?")[0]
        assert ".." not in path.split("/"), path
        assert "secrets" not in path.split("/"), path
        assert path.count("/") <= 7, path


class Woken:
    """Counts wake-ups."""

    def __init__(self) -> None:
        self.count = 0
        self._bell = threading.Condition()

    def __call__(self) -> None:
        with self._bell:
            self.count += 1
            self._bell.notify_all()

    def reaches(self, count: int) -> bool:
        """Wait until so many have come."""
        with self._bell:
            return self._bell.wait_for(lambda: self.count >= count, timeout=20)


def watches(stub: KubeStub) -> list[str]:
    """Return the requests that opened a stream."""
    return [text for text in stub.requests if "watch=true" in text]


def until(condition: Any) -> None:
    """Wait until something holds, 20 s at most."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_a_watch_begins_at_the_newest_version(
    cluster: KubernetesCluster, stub: KubeStub, plane: Plane
) -> None:
    """A watch of one Application asks for that one, from now on, and for a limited time."""
    cluster.watch([REF], Woken())
    until(lambda: watches(stub))

    (request,) = watches(stub)
    assert f"resourceVersion={plane.version}" in request
    assert "fieldSelector=metadata.name%3Dshop-dev" in request
    assert "timeoutSeconds=" in request


def test_streams_that_end_are_opened_again_ever_more_slowly(
    cluster: KubernetesCluster, stub: KubeStub
) -> None:
    """A server that closes streams at once is not run over; each new one wakes."""
    stub.behaviour.short_streams = True
    woken = Woken()
    before = time.monotonic()

    cluster.watch([REF], woken)

    assert woken.reaches(2)
    until(lambda: len(watches(stub)) >= 2)
    assert time.monotonic() - before > 0.3
    assert len(watches(stub)) < 6


def test_too_old_a_version_is_no_end(
    cluster: KubernetesCluster, stub: KubeStub, plane: Plane
) -> None:
    """After a 410 the watch begins anew at the newest version."""
    stub.behaviour.gone = True
    woken = Woken()
    cluster.watch([REF], woken)
    until(lambda: watches(stub))
    stub.behaviour.gone = False

    until(lambda: stub.streams > 0)
    seen = woken.count
    plane.put(an_application(health="Degraded"))

    assert woken.reaches(seen + 1)


def test_the_server_goes_away_and_comes_back(
    cluster: KubernetesCluster, stub: KubeStub, plane: Plane
) -> None:
    """A watch survives a server that answers nothing but errors for a while."""
    stub.behaviour.status = 503
    woken = Woken()
    cluster.watch([REF], woken)
    until(lambda: len(stub.requests) >= 2)
    stub.behaviour.status = None

    until(lambda: stub.streams > 0)
    seen = woken.count
    plane.put(an_application(health="Degraded"))

    assert woken.reaches(seen + 1)


@pytest.mark.parametrize(("deaf", "patches"), [(0, 1), (1, 3), (9, 5)])
def test_an_abort_is_given_until_it_is_noticed(
    cluster: KubernetesCluster, stub: KubeStub, plane: Plane, deaf: int, patches: int
) -> None:
    """An abort that the controller did not notice is given again, a few times."""
    one = {
        "group": "argoproj.io",
        "version": "v1alpha1",
        "kind": "Rollout",
        "name": "api",
        "namespace": "shop-dev",
    }
    plane.put(an_application(status={"resources": [one]}))
    plane.add("Rollout", {"metadata": {"name": "api", "namespace": "shop-dev"}, "status": {}})
    plane.deaf_to_aborts = deaf
    (application,) = cluster.applications().applications

    cluster.abort(application, application.resources[0])

    assert patches == len([text for text in stub.requests if text.startswith("PATCH")])
    assert (deaf < 3) == ("abortedAt" in plane.objects["Rollout", "shop-dev", "api"]["status"])
