"""What goes wrong on a real Argo CD: each thing has its words and its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.gitops import Gitops
from cluster.handle import APPLICATION
from cluster.shop import Shop, is_live
from gitops.core.argocd.application import NOTICE
from servers.git_http import Behaviour


@pytest.fixture
def gitops(shop: Shop) -> Iterator[Gitops]:
    """gitops beside a shop whose dev is live."""
    shop.follow("dev")
    shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
    yield Gitops(shop)
    shop.server.behaviour = Behaviour()


def test_superseded(gitops: Gitops) -> None:
    """A bump while another one is waited for is told; the new one is followed when asked."""
    old = gitops.shop.set_tag("dev", "1.5.0")
    new = gitops.shop.set_tag("dev", "1.6.0")

    left = gitops("wait", "dev", old, "-o", "json")
    followed = gitops("wait", "dev", old, "--follow", "--no-record", "-o", "json")

    assert (75, "superseded", "conflict") == (
        left.code,
        left.json["verdict"],
        left.json["error"]["code"],
    )
    assert (0, new) == (followed.code, followed.json["commit"])


def test_what_does_not_render(gitops: Gitops) -> None:
    """A tag that YAML takes for a number does not render, and Healthy alone would have said yes."""
    path = "overlays/dev/kustomization.yaml"
    text = gitops.shop.manifests.file(path).replace("newTag: 1.4.1", "newTag: 15")
    gitops.shop.manifests.commit("A number", {path: text})

    result = gitops("wait", "dev", "--timeout", "60s", "-o", "json")

    assert (1, "unrendered", None) == (
        result.code,
        result.json["verdict"],
        result.json["recorded"],
    )
    assert "cannot unmarshal number" in result.json["message"]
    assert "Healthy" == result.json["applications"][0]["health"]


def test_an_invalid_manifest(gitops: Gitops) -> None:
    """A manifest that the API server refuses is told while it is tried again, and at the end."""
    shop = gitops.shop
    spec = shop.spec("dev")
    spec["syncPolicy"]["retry"] = {"limit": 1, "backoff": {"duration": "1s"}}
    shop.follow("dev", spec=spec)
    text = shop.manifests.file("base/api.yaml").replace("replicas: 1", "replicas: -1")
    release = shop.set_tag("dev", "1.5.0")
    shop.manifests.commit("Less than nothing", {"base/api.yaml": text})

    result = gitops("wait", "dev", release, "-o", "json")

    assert (1, "failed", None) == (result.code, result.json["verdict"], result.json["recorded"])
    assert "must be greater than or equal to 0" in result.json["message"]


def test_a_missing_namespace(gitops: Gitops) -> None:
    """A namespace that nobody made is told in Argo CD's words."""
    shop = gitops.shop
    spec = shop.spec("test")
    retry = {"limit": 1, "backoff": {"duration": "1s"}}
    spec["syncPolicy"] = {"automated": {"selfHeal": True}, "retry": retry}
    shop.follow("test", spec=spec)

    result = gitops("wait", "test", "-o", "json", "--timeout", "30s")

    assert 1 == result.code, result.err
    assert "failed" == result.json["verdict"]
    assert "not found" in result.json["message"]


def test_automation_is_off(gitops: Gitops) -> None:
    """Without auto-sync a commit waits for a person: told, and not known when the time is over."""
    shop = gitops.shop
    spec = shop.spec("dev")
    del spec["syncPolicy"]["automated"]
    shop.cluster.kube.patch(
        {"spec": {"syncPolicy": {"automated": None}}},
        *APPLICATION,
        shop.namespace("dev"),
        namespace=shop.cluster.namespace,
    )
    shop.set_tag("dev", "1.5.0")

    result = gitops("wait", "dev", "--timeout", "4s", "-o", "json")

    assert (75, "manual") == (result.code, result.json["verdict"])
    assert "auto-sync is off" in result.json["message"]


def test_drift(gitops: Gitops) -> None:
    """A change by hand is shown while it lasts; self-heal takes it back."""
    shop = gitops.shop
    where = ("apps/v1", "Deployment", "api")
    by_hand = {"spec": {"template": {"spec": {"containers": [{"name": "api"}]}}}}
    by_hand["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/api:hotfix"
    automated = {"spec": {"syncPolicy": {"automated": {"selfHeal": False, "prune": True}}}}
    application = (*APPLICATION, shop.namespace("dev"))
    shop.cluster.kube.patch(automated, *application, namespace=shop.cluster.namespace)
    found = shop.cluster.kube.get(*where, shop.namespace("dev"))
    assert found is not None
    containers = found["spec"]["template"]["spec"]["containers"]
    containers[0]["image"] = "shop/api:hotfix"
    change = {"spec": {"template": {"spec": {"containers": containers}}}}
    shop.cluster.kube.patch(change, *where, namespace=shop.namespace("dev"))
    shop.wait("dev", lambda app: "shop/api:hotfix" in app["status"]["summary"]["images"])

    shown = gitops("status", "dev", "-o", "json").json["environments"][0]["application"]
    late = gitops("wait", "dev", "--timeout", "3s", "-o", "json")
    automated["spec"]["syncPolicy"]["automated"]["selfHeal"] = True
    shop.cluster.kube.patch(automated, *application, namespace=shop.cluster.namespace)
    healed = gitops("wait", "dev", "--no-record", "--timeout", "60s")

    assert ["shop/api:hotfix"] == shown["drift"]
    assert ("OutOfSync", "syncing") == (shown["sync"], shown["state"])
    assert (75, True) == (late.code, "differs from Git" in late.json["message"])
    assert 0 == healed.code, healed.err
    assert "shop/api:1.4.1" == shop.live_image("dev")


def test_git_is_away(gitops: Gitops) -> None:
    """Without Git nothing can be waited for; a verdict that cannot be written is still told."""
    shop = gitops.shop
    gitops.soak("dev", 6)
    shop.set_tag("dev", "1.5.0")
    # Argo CD goes on reading: it may look again at any moment, and would know nothing more.
    shop.server.behaviour = Behaviour(status=503, only_push=True)
    told = gitops("wait", "dev", "--push-timeout", "1s")
    shop.server.behaviour = Behaviour(status=503)
    away = gitops("wait", "dev", "-o", "json")

    assert 0 == told.code, told.err
    assert "stable could not be written to the ledger" in told.out + told.err
    assert (75, "unavailable") == (away.code, away.json["error"]["code"])


def test_accounts(gitops: Gitops, tmp_path: Path) -> None:
    """The shipped rights are enough; fewer are told of; a stale token is refused."""
    shop = gitops.shop
    cluster = shop.cluster
    cluster.needs("rights")

    def as_(account: str, *arguments: str, token: str | None = None) -> tuple[int, str, str]:
        config = cluster.kubeconfig_of(account, tmp_path, token=token)
        result = gitops(*arguments, env={"KUBECONFIG": str(config)})
        return result.code, result.out, result.err

    shop.set_tag("dev", "1.5.0")
    enough = as_("gitops", "wait", "dev", "--no-record", "-o", "json")
    held = as_("gitops", "hold", "dev", "--reason", "INC-42")
    notice = shop.application("dev")["metadata"]["annotations"].get(NOTICE, "")
    shop.set_tag("dev", "1.6.0")
    fewer = as_("viewer", "wait", "dev", "--no-record")
    none = as_("nobody", "wait", "dev", "-o", "json")
    stale = as_("gitops", "wait", "dev", "-o", "json", token="stale")

    assert 0 == enough[0], enough
    assert 0 == held[0], held
    assert "INC-42" in notice
    assert 0 == fewer[0], fewer
    assert "may not be asked" in fewer[1]
    assert (3, True) == (none[0], "cannot list resource" in none[1])
    assert (3, True) == (stale[0], "does not accept the credentials" in stale[1])
