"""What tests may count on in a cluster: accounts and their rights, events, components."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.handle import APPLICATION, ClusterHandle
from cluster.kube import Kube
from cluster.shop import Shop, is_live, open_shop

AccountOf = Callable[[str], Kube]


@pytest.fixture
def account_of(cluster: ClusterHandle, tmp_path: Path) -> AccountOf:
    """Sign in as one of the service accounts."""
    return lambda name: Kube(cluster.kubeconfig_of(name, tmp_path))


@pytest.fixture(scope="module")
def application(
    cluster: ClusterHandle, manifests_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The path of an Application that is live, for all tests that ask who may do what with it."""
    with open_shop(cluster, manifests_template, tmp_path_factory.mktemp("shop")) as shop:
        name = followed(shop)
        yield f"/apis/{APPLICATION[0]}/namespaces/{cluster.namespace}/applications/{name}"


def followed(shop: Shop) -> str:
    """Return the name of an Application of `dev`, which is live."""
    name = shop.follow("dev")
    shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
    return name


def patch(kube: Kube, path: str, change: Any) -> tuple[int, str]:
    """Merge a change; return the status and what was said."""
    status, answer = kube.ask("PATCH", path, change, content_type="application/merge-patch+json")
    return status, str(answer.get("message", ""))


def test_shipped_rights_are_enough(account_of: AccountOf, application: str) -> None:
    """With deploy/argocd-rights.yaml an Application is read and asked for a refresh."""
    kube = account_of("gitops")
    note = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}

    assert 200 == kube.ask("GET", application)[0]
    assert 200 == kube.ask("GET", application.rpartition("/")[0])[0]
    assert 200 == patch(kube, application, note)[0]


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"source": {"targetRevision": "evil"}}},
        {"operation": {"sync": {"revision": "main"}}},
        {"status": {"health": {"status": "Healthy", "message": "so I say"}}},
        {"metadata": {"labels": {"team": "evil"}}},
        {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}},
    ],
    ids=["spec", "operation", "status", "labels", "finalizers"],
)
def test_shipped_rights_are_no_more_than_annotations(
    account_of: AccountOf, application: str, change: Any
) -> None:
    """The shipped policy refuses every other change of an Application, and says so."""
    status, said = patch(account_of("gitops"), application, change)

    assert 422 == status
    assert "gitops may change annotations of an Application, and nothing else" in said


@pytest.mark.parametrize(
    "annotations",
    [
        {"argocd.argoproj.io/skip-reconcile": "true"},
        {"argocd.argoproj.io/hydrate": "normal"},
        {"argocd.argoproj.io/refresh": "hard"},
        {"notifications.argoproj.io/subscribe.on-deployed.slack": "evil"},
        {"team": None},
        {"team": "evil"},
    ],
    ids=["skip", "hydrate", "hard refresh", "notifications", "removed", "changed"],
)
def test_shipped_rights_are_the_annotations_that_gitops_writes(
    account_of: AccountOf, application: str, cluster: ClusterHandle, annotations: Any
) -> None:
    """No annotation but the refresh and the notice may be set, changed or removed."""
    given = {"metadata": {"annotations": {"team": "shop"}}}
    assert 200 == patch(cluster.kube, application, given)[0]
    kube = account_of("gitops")
    notice = "notice.argocd.argoproj.io"
    shown = {f"{notice}/content": "held", f"{notice}/severity": "warning"}

    status, said = patch(kube, application, {"metadata": {"annotations": annotations}})

    assert (422, True) == (status, "annotations of a refresh and of its notice" in said)
    for value in (shown, dict.fromkeys(shown)):
        assert 200 == patch(kube, application, {"metadata": {"annotations": value}})[0]


def test_shipped_rights_abort_a_rollout_and_no_more(
    account_of: AccountOf, application: str, cluster: ClusterHandle
) -> None:
    """`rollouts/status` is patched for `abort`: no promotion, no skipped step, no new spec."""
    import yaml

    path = Path(__file__).parents[2] / "deploy" / "workload-rights.yaml"
    for told in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        # Under another name: Argo CD's own namespace has a Role of this name that others need.
        told["metadata"] |= {"namespace": cluster.namespace, "name": "gitops-workloads"}
        if "roleRef" in told:
            told["roleRef"]["name"] = "gitops-workloads"
        for subject in told.get("subjects", ()):
            subject["namespace"] = cluster.namespace
        cluster.kube.apply(told)
    template = {
        "metadata": {"labels": {"app": "fenced"}},
        "spec": {"containers": [{"name": "x", "image": "x"}]},
    }
    spec = {"selector": {"matchLabels": {"app": "fenced"}}, "template": template, "replicas": 0}
    spec["strategy"] = {"canary": {"steps": [{"pause": {}}]}}
    meta = {"name": "fenced", "namespace": cluster.namespace}
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    cluster.kube.apply({**kind, "metadata": meta, "spec": spec})
    rollout = f"/apis/argoproj.io/v1alpha1/namespaces/{cluster.namespace}/rollouts/fenced"
    kube = account_of("gitops")
    refused = [
        {"status": {"promoteFull": True}},
        {"status": {"currentStepIndex": 7}},
        {"status": {"abort": True, "message": "so I say"}},
        {"status": None},
    ]
    cluster.kube.ask(
        *("PATCH", f"{rollout}/status", {"status": {"phase": "Paused"}}),
        content_type="application/merge-patch+json",
    )

    for change in refused:
        status, said = patch(kube, f"{rollout}/status", change)
        assert (422, True) == (status, "may abort a Rollout" in said), (change, said)
    assert 200 == patch(kube, f"{rollout}/status", {"status": {"abort": True}})[0]
    assert 200 == patch(kube, f"{rollout}/status", {"status": {"abort": False}})[0]
    assert 403 == patch(kube, rollout, {"spec": {"replicas": 5}})[0]


def test_shipped_rights_end_at_applications(
    account_of: AccountOf, application: str, cluster: ClusterHandle
) -> None:
    """Neither Argo CD's secrets nor the deletion of an Application is in them."""
    kube = account_of("gitops")

    assert 403 == kube.ask("GET", f"/api/v1/namespaces/{cluster.namespace}/secrets")[0]
    assert 403 == kube.ask("DELETE", application)[0]


def test_other_accounts_have_less(account_of: AccountOf, application: str) -> None:
    """`viewer` reads and may not patch, `nobody` may not even read."""
    note = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}

    assert 200 == account_of("viewer").ask("GET", application)[0]
    assert 403 == patch(account_of("viewer"), application, note)[0]
    assert 403 == account_of("nobody").ask("GET", application)[0]


def test_a_token_that_is_no_good_is_401(
    cluster: ClusterHandle, tmp_path: Path, application: str
) -> None:
    """An expired or made-up token is not somebody with few rights."""
    kube = Kube(cluster.kubeconfig_of("gitops", tmp_path, token="made-up"))

    assert 401 == kube.ask("GET", application)[0]


def test_accounts_of_the_argocd_api(cluster: ClusterHandle, application: str) -> None:
    """Argo CD's own API knows the accounts, and keeps Applications from those without rights."""
    path = f"/api/v1/applications/{application.rpartition('/')[2]}"

    assert 200 == cluster.ask_argocd("GET", path, token=cluster.argocd_token("gitops"))[0]
    assert 403 == cluster.ask_argocd("GET", path, token=cluster.argocd_token("nobody"))[0]
    assert 401 == cluster.ask_argocd("GET", path, token="made-up")[0]


def test_a_signed_push_event_is_taken(cluster: ClusterHandle, shop: Shop) -> None:
    """After the webhook's event Argo CD looks at Git; one that is not signed is refused."""
    followed(shop)
    before = shop.manifests.git("rev-parse", "main").strip()
    after = shop.set_tag("dev", "1.6.0")

    status = cluster.tell_argocd(shop.url, before, after, ["overlays/dev/kustomization.yaml"])
    shop.wait("dev", is_live(after))

    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=00"}
    assert 200 == status
    assert 400 == cluster.ask_argocd("POST", "/api/webhook", b"{}", headers=headers)[0]


@pytest.mark.alone
def test_the_api_server_can_be_restarted(cluster: ClusterHandle, shop: Shop) -> None:
    """After it was killed and came back, Argo CD goes on where it was."""
    followed(shop)
    cluster.stop("kube-apiserver", kill=True)
    after = shop.set_tag("dev", "1.6.0")
    cluster.start("kube-apiserver")

    shop.refresh("dev")
    shop.wait("dev", is_live(after), seconds=100)

    assert "shop/api:1.6.0" == shop.live_image("dev")
