"""What the clusters say of overlays: who hears of changes, and how they come to the page."""

from __future__ import annotations

import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from applications import an_application
from fake_cluster import Plane
from gitops.actions.index.page import IndexedOverlay
from gitops.actions.index.state import IndexedCell, IndexState
from gitops.core.argocd.application import ApplicationRef
from gitops.core.argocd.reports import Live, LiveApplication
from gitops.core.environments.environment import Environment, Overlay
from gitops.server.board.clusters import ClusterNews
from gitops.server.service import Service
from gitrepos import Repo
from servers.kube_api import CLUSTER_CONFIG, KubeStub, kubeconfig

sys.path.insert(0, str(Path(__file__).parent))
from live import serving


def state_of(*names: str) -> IndexState:
    """A state with these overlays (`shop/prod`)."""
    cells = {}
    for name in names:
        app, _, row = name.rpartition("/")
        overlay = Overlay(Environment(row, f"apps/{app}/{row}"), app or None)
        cells[name] = IndexedCell(overlay, "main", IndexedOverlay(app or None))
    return IndexState(cast(Any, None), "main", None, {"main": "1" * 40}, cells, frozenset())


def says(health: str) -> Live:
    """What a cluster says of an overlay with one Application."""
    ref = ApplicationRef("dev", "argocd", "shop")
    return Live((LiveApplication(ref, cast(Any, health.lower()), "", "Synced", health),))


def test_listeners_hear_of_changes_and_of_nothing_else() -> None:
    """Each change is told once, with what was before; one who fails keeps nobody from hearing."""
    news, heard = ClusterNews(), []

    def fails(*_: object) -> None:
        raise ValueError

    news.on_change(fails)
    news.on_change(lambda *told: heard.append(told))
    well, bad = says("Healthy"), says("Degraded")

    news.take(state_of("shop/prod", "web/prod"), {"shop/prod": well, "web/prod": well})
    assert [("prod", "shop", None, well), ("prod", "web", None, well)] == sorted(
        heard, key=lambda one: str(one[1])
    )
    del heard[:]
    news.take(state_of("shop/prod", "web/prod"), {"shop/prod": bad, "web/prod": says("Healthy")})
    assert [("prod", "shop", well, bad)] == heard
    del heard[:]
    news.take(state_of("web/prod"), {"web/prod": well})
    assert [("prod", "shop", bad, None)] == heard


MANAGED = {
    "group": "apps",
    "version": "v1",
    "kind": "Deployment",
    "namespace": "shop-dev",
    "name": "api",
    "status": "Synced",
}


def crash_loops(plane: Plane) -> None:
    """Let the one pod of a Deployment end again and again, and print something before."""
    labels = {"app": "api"}
    spec = {"selector": {"matchLabels": labels}}
    plane.add("Deployment", {"metadata": {"name": "api", "namespace": "shop-dev"}, "spec": spec})
    container = {
        "name": "api",
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
    }
    meta = {"name": "api-1", "namespace": "shop-dev", "labels": labels}
    plane.add("Pod", {"metadata": meta, "status": {"containerStatuses": [container]}})
    plane.logs["api-1", "api"] = "<b>no database</b>"


@pytest.fixture
def plane() -> Plane:
    """A control plane."""
    return Plane()


@pytest.fixture
def followed(plane: Plane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeStub]:
    """An API server before it, which the server's kubeconfig leads to."""
    with KubeStub(plane) as stub:
        path = tmp_path / "kubeconfig"
        path.write_text(kubeconfig(stub.url))
        monkeypatch.setenv("KUBECONFIG", str(path))
        monkeypatch.setenv("GITOPS_CACHE", "off")
        monkeypatch.delenv("ARGOCD_SERVER", raising=False)
        yield stub


def test_health_is_on_the_page_without_a_look_at_git(
    plane: Plane, followed: KubeStub, tmp_path: Path
) -> None:
    """A change in the cluster is told to whoever listens, shown, and is an event; Git rests."""
    pin = b"images: [{name: shop/api, newTag: '1.0'}]\n"
    repo = Repo.bare(tmp_path / "m.git")
    head = repo.commit({"gitops.yaml": CLUSTER_CONFIG, "overlays/dev/kustomization.yaml": pin})
    url, images = str(repo.path), ("shop/api:1.0",)
    at_head: dict[str, Any] = {"url": f"file://{url}", "revision": head, "images": images}
    plane.put(an_application(**at_head))
    with serving(url, every=3600) as service:
        heard: list[tuple[Any, ...]] = []
        service.clusters.on_change(lambda *told: heard.append(told))
        until(lambda: state_of_dev(service) == "healthy")
        mark, looks = service.board.current().mark, service.board.looks

        crash_loops(plane)
        plane.put(an_application(**at_head, health="Degraded", status={"resources": [MANAGED]}))
        until(lambda: state_of_dev(service) == "degraded")
        told = heard[-1]
        assert (told[:2], told[3].applications[0].state) == (("dev", None), "degraded")
        assert service.board.current().mark != mark
        assert service.board.looks == looks

        until(lambda: "CrashLoopBackOff" in page_of(service))
        page = page_of(service)
        assert "exit code 3" in page
        assert "&lt;b&gt;no database&lt;/b&gt;" in page

        followed.behaviour.status, followed.behaviour.short_streams = 503, True
        until(lambda: service.board.current().silent)
        page = page_of(service)
        assert "is silent since" in page
        assert "Degraded" in page

        followed.behaviour.status, followed.behaviour.short_streams = None, False
        plane.put(an_application(**at_head))
        until(lambda: state_of_dev(service) == "healthy" and not service.board.current().silent)
        assert "is silent" not in page_of(service)


def test_argo_cd_is_asked_to_look(plane: Plane, followed: KubeStub, tmp_path: Path) -> None:
    """Whoever pushed a release, Argo CD sees it at once; a server that only shows asks nothing."""
    files = {"gitops.yaml": CLUSTER_CONFIG, "overlays/dev/kustomization.yaml": pin("1.0")}
    repo = Repo.bare(tmp_path / "m.git")
    url = str(repo.path)
    at: dict[str, Any] = {"url": f"file://{url}", "revision": repo.commit(files)}
    plane.put(an_application(**at, images=("shop/api:1.0",)))
    with serving(url, every=0.1, read_only=True) as shows:
        until(lambda: state_of_dev(shows) == "healthy")
        at["revision"] = repo.commit({"overlays/dev/kustomization.yaml": pin("1.1")})
        until(lambda: state_of_dev(shows) == "unseen")
        assert plane.refreshed == []
        seen = an_application(**at, images=("shop/api:1.1",))
        plane.on_refresh = lambda name: plane.get(name).update(seen)
        with serving(url, every=0.1) as service:
            until(lambda: state_of_dev(service) == state_of_dev(shows) == "healthy")
    assert plane.refreshed == ["shop-dev"]


def pin(tag: str) -> bytes:
    """Return a kustomization."""
    return b"images: [{name: shop/api, newTag: '%s'}]\n" % tag.encode()


def page_of(service: Service) -> str:
    """Return the page of dev."""
    with urllib.request.urlopen(f"{service.settings.listen.url}/e/dev", timeout=60) as answer:
        return str(answer.read().decode())


def state_of_dev(service: Service) -> str | None:
    """Return what the board shows of dev's one Application."""
    board = service.board.current()
    cell = board.cell("dev", None) if board is not None else None
    return cell.applications[0].state if cell is not None and cell.applications else None


def until(question: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 60
    while not question():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
