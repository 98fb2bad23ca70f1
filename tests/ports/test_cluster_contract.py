"""What every control plane must do: the fake one, and the real adapters before loopback servers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from applications import NEW, an_application, stamp
from fake_cluster import FakeCluster, Plane
from gitops.adapters.argocd.connection import Connection
from gitops.adapters.argocd.kubernetes_api import KubernetesCluster
from gitops.adapters.argocd.server_api import ServerCluster
from gitops.adapters.argocd.server_http import ServerConnection, ServerToken
from gitops.core.argocd.application import NOTICE, REFRESH, ApplicationRef, Resource
from gitops.core.argocd.diagnosis import diagnose
from gitops.core.argocd.rollout import read_rollout
from gitops.errors import NotFound
from gitops.ports import Cluster
from servers.kube_api import TOKEN, ArgoStub, KubeStub, kubeconfig

KINDS = ("fake", "kubernetes", "argocd")


@dataclass
class World:
    """A control plane as gitops sees it, and what it holds."""

    cluster: Cluster
    plane: Plane

    def ref(self, name: str = "shop-dev", namespace: str = "argocd") -> ApplicationRef:
        """Return the name of an Application there."""
        return ApplicationRef(self.cluster.name, namespace, name)

    def only(self) -> Any:
        """Return the one Application there is."""
        (found,) = self.cluster.applications().applications
        return found


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """One world of each kind, with nothing in it."""
    plane = Plane()
    if request.param == "fake":
        yield World(FakeCluster(plane), plane)
    elif request.param == "kubernetes":
        with KubeStub(plane) as stub:
            path = tmp_path / "kubeconfig"
            path.write_text(kubeconfig(stub.url))
            connection = Connection("stub", None, {"KUBECONFIG": str(path)}, within=10)
            cluster = KubernetesCluster(connection, "argocd")
            yield World(cluster, plane)
            cluster.close()
    else:
        with ArgoStub(plane) as stub:
            server = ServerCluster(ServerConnection(stub.url, ServerToken(TOKEN), within=10))
            yield World(server, plane)
            server.close()


def a_workload(kind: str = "Deployment", name: str = "api", **more: Any) -> dict[str, Any]:
    """Return a workload in shop-dev."""
    return {
        "metadata": {"name": name, "namespace": "shop-dev"},
        "spec": {"selector": {"matchLabels": {"app": name}}},
        **more,
    }


def managed(kind: str = "Deployment", group: str = "apps", version: str = "v1") -> dict[str, Any]:
    """Return an Application that manages one workload called api."""
    one = {
        "group": group,
        "version": version,
        "kind": kind,
        "namespace": "shop-dev",
        "name": "api",
        "status": "Synced",
    }
    return an_application(status={"resources": [one]})


def test_nothing_there(world: World) -> None:
    """A control plane without Applications has none, and tells its time."""
    reading = world.cluster.applications()

    assert () == reading.applications
    assert reading.time.tzinfo is not None


def test_applications_are_read(world: World) -> None:
    """Every Application is there, with what its object says."""
    world.plane.put(an_application(name="a"))
    world.plane.put(an_application(name="b", health="Degraded"))

    reading = world.cluster.applications()

    assert [("a", "Healthy", NEW), ("b", "Degraded", NEW)] == [
        (one.ref.name, one.health, one.revision(0)) for one in reading.applications
    ]
    assert {world.cluster.name} == {one.ref.cluster for one in reading.applications}


def test_one_is_read_again(world: World) -> None:
    """One Application is read as it is now."""
    world.plane.put(an_application())
    world.cluster.applications()
    world.plane.put(an_application(health="Progressing"))

    (found,) = world.cluster.application(world.ref()).applications

    assert "Progressing" == found.health


def test_one_that_is_gone(world: World) -> None:
    """An Application that was deleted is a reading without any."""
    world.plane.put(an_application())
    world.cluster.applications()
    world.plane.drop("shop-dev")

    assert () == world.cluster.application(world.ref()).applications


def test_the_time_is_the_clusters(world: World) -> None:
    """Readings tell the time of the cluster, not that of this machine."""
    from datetime import UTC, datetime

    there = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    world.plane.now = lambda: there
    world.plane.put(an_application())

    assert there == world.cluster.applications().time
    assert there == world.cluster.application(world.ref()).time


def test_refresh(world: World) -> None:
    """A refresh reaches the Application it was asked for, and no other."""
    world.plane.put(an_application())
    world.plane.put(an_application(name="other"))

    world.cluster.applications()
    world.cluster.annotate(world.ref(), {REFRESH: "normal"})

    assert ["shop-dev"] == world.plane.refreshed


def test_annotations(world: World) -> None:
    """Annotations are set and removed; the others, and everything else, stay."""
    world.plane.put(an_application(annotations={"mine": "x"}))
    world.cluster.applications()

    world.cluster.annotate(world.ref(), {NOTICE: "held"})
    assert {"mine": "x", NOTICE: "held"} == world.plane.annotations("shop-dev")
    world.cluster.annotate(world.ref(), {NOTICE: None})
    assert {"mine": "x"} == world.plane.annotations("shop-dev")
    assert "Healthy" == world.only().health


def test_annotating_what_is_gone(world: World) -> None:
    """What is not there cannot be annotated."""
    world.plane.put(an_application())
    world.cluster.applications()
    world.plane.drop("shop-dev")

    with pytest.raises(NotFound):
        world.cluster.annotate(world.ref(), {NOTICE: "held"})


@pytest.mark.parametrize("everything", [True, False])
def test_watch_wakes(world: World, everything: bool) -> None:
    """A change wakes whoever watches, also the second and third one."""
    world.plane.put(an_application())
    woken = threading.Semaphore(0)
    refs = [] if everything else [world.ref()]
    world.cluster.watch(refs, woken.release)

    for number in range(3):
        for _ in range(400):
            world.plane.put(an_application(message=str(number)))
            if woken.acquire(timeout=0.05):
                break
        else:
            raise AssertionError("nobody was woken")
        while woken.acquire(timeout=0.1):
            pass


def test_workloads_and_pods(world: World) -> None:
    """The workloads of an Application are read, with their pods that are not ready, and why."""
    world.plane.put(managed())
    world.plane.add("Deployment", a_workload())
    world.plane.add("Deployment", a_workload(name="other"))
    crashing = {
        "containerStatuses": [
            {
                "name": "api",
                "restartCount": 2,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            }
        ]
    }
    labels = {"app": "api"}
    meta = {"namespace": "shop-dev", "labels": labels, "creationTimestamp": stamp(0)}
    world.plane.add("Pod", {"metadata": {"name": "api-1", **meta}, "status": crashing})
    world.plane.logs["api-1", "api"] = "cannot connect\nto the database\n"

    world.cluster.applications()
    found = world.cluster.workloads(world.only())

    assert None is found.unread
    assert ["api"] == [one["metadata"]["name"] for one in found.objects]
    assert ["api-1"] == [one["metadata"]["name"] for one in found.pods]
    (trouble,) = diagnose(found)
    assert ("CrashLoopBackOff", "cannot connect to the database") == (
        trouble.reason,
        trouble.words,
    )


def test_rollouts_are_read_and_aborted(world: World) -> None:
    """A Rollout is read with its ReplicaSets, and `abort` stops it."""
    world.plane.put(managed("Rollout", "argoproj.io", "v1alpha1"))
    status = {"phase": "Paused", "stableRS": "old", "currentPodHash": "new"}
    world.plane.add("Rollout", a_workload("Rollout", status=status))
    template = {"spec": {"containers": [{"image": "shop/api:1.4.0"}]}}
    meta = {
        "name": "api-old",
        "namespace": "shop-dev",
        "labels": {"app": "api", "rollouts-pod-template-hash": "old"},
        "ownerReferences": [{"kind": "Rollout", "name": "api"}],
    }
    world.plane.add("ReplicaSet", {"metadata": meta, "spec": {"template": template}})

    world.cluster.applications()
    application = world.only()
    found = world.cluster.workloads(application)
    (told,) = found.objects
    rollout = read_rollout(told, found.replica_sets)
    world.cluster.abort(application, application.resources[0])

    assert (True, ("shop/api:1.4.0",)) == (rollout.is_underway, rollout.stable_images)
    assert world.plane.objects["Rollout", "shop-dev", "api"]["status"]["abort"]


def test_abort_of_what_is_not_there(world: World) -> None:
    """A Rollout that is gone cannot be stopped."""
    world.plane.put(managed("Rollout", "argoproj.io", "v1alpha1"))
    world.cluster.applications()
    gone = Resource("argoproj.io", "v1alpha1", "Rollout", "shop-dev", "gone")

    with pytest.raises(NotFound):
        world.cluster.abort(world.only(), gone)
