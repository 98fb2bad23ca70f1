"""Which Applications are found on a real Argo CD, and what the real APIs do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.gitops import Gitops
from cluster.handle import ClusterHandle
from cluster.shop import Shop, is_live
from gitops.adapters.argocd.connection import Connection
from gitops.adapters.argocd.followed import Followable, FollowedCluster
from gitops.adapters.argocd.kubernetes_api import KubernetesCluster
from gitops.adapters.argocd.server_api import ServerCluster
from gitops.adapters.argocd.server_http import ServerConnection, ServerToken
from gitops.core.argocd.application import NOTICE, REFRESH, Application, ApplicationRef
from gitops.core.argocd.diagnosis import diagnose
from gitops.errors import Denied, NotFound, Unavailable

SETS = ("argoproj.io/v1alpha1", "ApplicationSet")


@pytest.mark.slow
def test_five_of_an_application_set(shop: Shop) -> None:
    """Applications that an ApplicationSet made are Applications like any other."""
    kube, namespace = shop.cluster.kube, shop.cluster.namespace
    names = ("local", "dev", "test", "stage", "prod")
    elements = [{"env": name, "name": shop.namespace(name)} for name in names]
    spec = shop.spec("dev")
    spec["source"]["path"] = "overlays/{{.env}}"
    spec["destination"]["namespace"] = "{{.name}}"
    made = {
        "apiVersion": SETS[0],
        "kind": SETS[1],
        "metadata": {"name": shop.namespace("set"), "namespace": namespace},
        "spec": {
            "goTemplate": True,
            "generators": [{"list": {"elements": elements}}],
            "template": {"metadata": {"name": "{{.name}}"}, "spec": spec},
        },
    }
    gitops = Gitops(shop)
    kube.apply(made)
    try:
        head = shop.manifests.git("rev-parse", "main").strip()
        for name in names:
            shop.wait(name, is_live(head))
        rows = gitops("status", "-o", "json").json["environments"]
        bumped = gitops("deploy", "shop/api:1.5.0", "--to", "dev", "--to", "test", "-o", "json")
        waited = gitops("wait", "test", "--no-record", "-o", "json")
    finally:
        kube.delete(*SETS, shop.namespace("set"), namespace)
        shop.cluster.wait_for(lambda: shop.cluster.application(shop.namespace("dev")) is None)

    shown = {row["name"]: (row["application"] or {}).get("name") for row in rows}
    expected = {name: shop.namespace(name) for name in names if name != "local"}
    assert {**expected, "local": None} == shown
    assert (0, bumped.json["commit"]) == (waited.code, waited.json["commit"]), waited.err


@pytest.mark.slow
def test_several_sources_and_spellings(shop: Shop) -> None:
    """An overlay feeds two Applications: one with several sources, one by another spelling."""
    several = shop.spec("dev")
    source = several.pop("source")
    several["sources"] = [
        {"repoURL": shop.url, "targetRevision": "main", "ref": "values"},
        source,
    ]
    shop.follow("dev", spec=several)
    bare = shop.manifests.path
    bare.with_suffix("").symlink_to(bare)
    other = shop.spec("test")
    other["source"] = {
        "repoURL": shop.url.removesuffix(".git"),
        "targetRevision": "HEAD",
        "path": "./overlays/test/",
    }
    shop.follow("test", spec=other)
    head = shop.manifests.git("rev-parse", "main").strip()
    shop.wait("dev", is_live(head))
    gitops = Gitops(shop)

    waits = ("--wait", "--no-record", "--timeout", "60s", "-o", "json")
    dev = gitops("deploy", "shop/api:1.5.0", "--to", "dev", *waits)
    test = gitops("deploy", "shop/api:1.5.0", "--to", "test", *waits)

    assert (0, shop.namespace("dev")) == (
        dev.code,
        dev.json["wait"][0]["applications"][0]["name"],
    ), dev.err
    assert (0, shop.namespace("test")) == (
        test.code,
        test.json["wait"][0]["applications"][0]["name"],
    ), test.err


@pytest.fixture(params=["kubernetes", "argocd"])
def real(
    request: pytest.FixtureRequest, cluster: ClusterHandle, tmp_path: Path
) -> Iterator[Followable]:
    """The adapters before the real APIs, with the shipped rights."""
    if request.param == "kubernetes":
        cluster.needs("rights")
        config = cluster.kubeconfig_of("gitops", tmp_path)
        connection = Connection("real", None, {"KUBECONFIG": str(config)}, within=15)
        adapter = KubernetesCluster(connection, cluster.namespace)
        yield adapter
        adapter.close()
        return
    cluster.needs("argocd-api")
    token = ServerToken(cluster.argocd_token("gitops"))
    server = ServerCluster(ServerConnection(cluster.argocd, token, within=15))
    yield server
    server.close()


def find(real: Followable, name: str) -> Application:
    """Return the Application of this name."""
    return next(one for one in real.applications().applications if one.ref.name == name)


@pytest.mark.slow
def test_the_contract_on_the_real_apis(real: Followable, shop: Shop) -> None:
    """What the contract asks of a cluster the real APIs do: read, refresh, wake, tell why."""
    followed = FollowedCluster(real, lambda: None)
    name = shop.follow("dev")
    shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
    application = find(real, name)
    ref = application.ref
    shop.cluster.wait_for(lambda: heard(followed, name) == ("Healthy", application.revision(0)))

    assert ("Synced", "Healthy") == (application.sync, application.health)
    assert application.revision(0) == shop.manifests.git("rev-parse", "main").strip()
    (again,) = real.application(ref).applications
    assert again.ref == ref
    gone = ApplicationRef(ref.cluster, ref.namespace, f"{name}-gone")
    if isinstance(real, KubernetesCluster):
        assert () == real.application(gone).applications
        with pytest.raises(NotFound):
            real.annotate(gone, {NOTICE: "x"})
        real.annotate(ref, {NOTICE: "held"})
        assert "held" == find(real, name).annotations[NOTICE]
        real.annotate(ref, {NOTICE: None})
        assert NOTICE not in find(real, name).annotations
    else:
        with pytest.raises(Denied):  # the token may get, and no more
            real.annotate(ref, {NOTICE: "held"})

    woken = threading.Semaphore(0)
    real.watch([ref], woken.release)
    bad = shop.set_tag("dev", "1.5.0-broken")
    real.annotate(ref, {REFRESH: "normal"})
    assert woken.acquire(timeout=20)
    shop.wait("dev", lambda app: app["status"]["health"]["status"] == "Degraded")
    (found,) = real.application(ref).applications
    assert bad == found.revision(0)
    shop.cluster.wait_for(lambda: heard(followed, name) == ("Degraded", bad))
    assert followed.applications().silent is None
    workloads = real.workloads(found)
    if workloads.unread is None:
        reasons = [one.reason for one in diagnose(workloads)]
        assert {"ProgressDeadlineExceeded", "CrashLoopBackOff"} <= set(reasons)
    else:
        assert "forbidden" in workloads.unread or "cannot" in workloads.unread


def heard(followed: FollowedCluster, name: str) -> tuple[str, str | None] | None:
    """Return what was heard of the health of an Application, and of its commit."""
    try:
        every = followed.applications().applications
    except Unavailable:
        return None
    found = (one for one in every if one.ref.name == name)
    return next(((one.health, one.revision(0)) for one in found), None)


@pytest.mark.slow
def test_argo_cds_own_api(shop: Shop) -> None:
    """With ARGOCD_SERVER and a token a release is waited for without any kubeconfig; a token that
    has expired, and one without rights, are told."""
    cluster = shop.cluster
    cluster.needs("argocd-api")
    shop.follow("dev")
    shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
    gitops = Gitops(shop)
    shop.set_tag("dev", "1.5.0")

    def wait(token: str) -> tuple[int, str]:
        environ = {"ARGOCD_SERVER": cluster.argocd, "ARGOCD_AUTH_TOKEN": token, "KUBECONFIG": ""}
        result = gitops("wait", "dev", "--no-record", "-o", "json", env=environ)
        return result.code, result.out

    good = wait(cluster.argocd_token("viewer"))
    short = cluster.argocd_token("viewer", expires_in=1)
    threading.Event().wait(1.5)
    expired = wait(short)
    nobody = wait(cluster.argocd_token("nobody"))

    assert 0 == good[0], good
    assert (3, True) == (expired[0], "does not accept the token" in expired[1])
    assert 3 == nobody[0], nobody


@pytest.mark.slow
def test_workload_rights(shop: Shop, tmp_path: Path) -> None:
    """The Role for workloads shows why something does not come up; without it Argo CD's word is
    all there is."""
    import yaml

    cluster = shop.cluster
    cluster.needs("rights")
    shop.follow("dev")
    shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
    gitops = Gitops(shop)
    config = cluster.kubeconfig_of("gitops", tmp_path)
    shop.set_tag("dev", "1.5.0-broken")

    without = gitops("wait", "dev", "--no-record", env={"KUBECONFIG": str(config)})
    path = Path(__file__).parents[2] / "deploy" / "workload-rights.yaml"
    for told in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        told["metadata"]["namespace"] = shop.namespace("dev")
        for subject in told.get("subjects", ()):
            subject["namespace"] = cluster.namespace
        cluster.kube.apply(told)
    with_rights = gitops("wait", "dev", "--no-record", env={"KUBECONFIG": str(config)})

    assert (1, 1) == (without.code, with_rights.code)
    assert "CrashLoopBackOff" not in without.err
    assert "CrashLoopBackOff" in with_rights.err
    assert "ProgressDeadlineExceeded" in with_rights.err
