"""Real monitoring of a real Argo CD: pods crash, an alert fires, and prod is well again; and where
going back does not help, a person is told.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.commands.test_qa import record
from cluster.gitops import Gitops
from cluster.shop import Shop, is_live
from gitops.server.alerts.keeper import VerificationKeeper
from gitops.server.service import Service
from gitops.server.settings import parse_settings
from server.live import serving
from servers.lanes import need
from servers.monitoring import HOOKS, Ears, Monitoring

POLICY = """\
alerts:
  - {name: crashes, match: {team: shop}, environment: {label: env}}
notify: [{channel: oncall}]
"""
PATIENCE = {"stage": 4, "prod": 60}  # seconds
RULE = """\
      - alert: {environment} crashes
        expr: >-
          argocd_app_info{{name="{application}", health_status="Degraded"}} == 1
          and on () time() - gitops_release_timestamp_seconds{{environment="{environment}"}} < 1800
        keep_firing_for: {lasts}
        labels: {{env: {environment}, team: shop}}
        annotations: {{summary: pods crash}}
"""
LASTS = {"stage": "5m", "prod": "0s"}
BESIDE = """\
patches:
  - target: {kind: Deployment, name: api}
    patch: |-
      - op: add
        path: /spec/template/spec/containers/-
        value: {name: proxy, image: "shop/proxy:broken"}
"""
"""What came into stage together with the bad release, and is no image that a rollback restores."""


@pytest.fixture
def ears(shop: Shop) -> Iterator[Ears]:
    """Who hears of it."""
    need("monitoring")
    shop.cluster.needs("any-image", "metrics")
    with Ears() as made:
        yield made


@pytest.fixture
def gitops(shop: Shop, ears: Ears) -> Gitops:
    """gitops beside a shop whose stage and prod go back by themselves, live at stable releases."""
    text = shop.manifests.file("gitops.yaml") + POLICY
    for name, seconds in PATIENCE.items():
        row = f"    overlay: overlays/{name}\n"
        assert row in text
        more = f"    onAlert: rollback\n    wait: {{soak: 0s, timeout: {seconds}s}}\n"
        text = text.replace(row, row + more)
    shop.manifests.commit("Go back by alerts", {"gitops.yaml": text})
    made = Gitops(shop)
    releases = {name: shop.set_tag(name, "1.5.0") for name in PATIENCE}
    for name in PATIENCE:
        shop.follow(name)
    waited = made("wait", "prod", "-o", "json")
    assert (0, "stable") == (waited.code, waited.json["recorded"]), waited.err
    shop.wait("stage", is_live(releases["prod"]))
    record(shop.manifests, releases["stage"], "stable")
    return made


@pytest.fixture
def served(
    gitops: Gitops, ears: Ears, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Service]:
    """A server that runs for long already, as far as giving up goes; and monitoring, which sees
    it, and what Argo CD's controller tells."""
    shop = gitops.shop
    monkeypatch.setenv("GITOPS_CACHE", "off")
    monkeypatch.setenv("KUBECONFIG", str(shop.cluster.kubeconfig))
    monkeypatch.setitem(VerificationKeeper.__init__.__kwdefaults__, "alone", 0.0)
    rules = "groups:\n  - name: crashes\n    interval: 1s\n    rules:\n" + "".join(
        RULE.format(environment=name, application=shop.namespace(name), lasts=LASTS[name])
        for name in PATIENCE
    )
    file = parse_settings((HOOKS + ears.channels).encode(), "settings.yaml")
    with serving(shop.url, every=1.0, file=file) as service:
        shop.cluster.wait_for(lambda: "gitops/told" in shop.manifests.git("branch", "--list"))
        port = service.settings.listen.port
        with Monitoring(tmp_path, port, [shop.cluster.metrics], rules):
            yield service


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_from_pods_that_crash_to_the_end(gitops: Gitops, served: Service, ears: Ears) -> None:
    """One commit takes prod back to its stable release, its pods are well, the alert ends, and it
    has recovered: page, branch, mail and hook say so, once. Stage is no better after it: a person
    is told, once, and nothing more is done by itself, though the alert goes on."""
    shop, wait_for = gitops.shop, gitops.shop.cluster.wait_for
    files: dict[str, str | None] = {}
    for name, more in (("prod", ""), ("stage", BESIDE)):
        path = f"overlays/{name}/kustomization.yaml"
        text = shop.manifests.file(path).replace("newTag: 1.5.0", "newTag: 1.6.0-broken")
        files[path] = text + more
    bad = shop.manifests.commit("A release that crashes", files)
    for name in PATIENCE:
        shop.refresh(name)
    wait_for(lambda: ears.have("prod has recovered"))
    wait_for(lambda: ears.have("stage has not recovered"))
    shop.wait("prod", is_live(shop.manifests.git("rev-parse", "main").strip()))
    bodies = len(served.alerts.taken())
    wait_for(lambda: len(served.alerts.taken()) > bodies + 1)  # stage's alert goes on
    # What is told after it shows that nothing was told again before.
    assert 0 == gitops("hold", "dev", "--reason", "INC-42").code
    wait_for(lambda: ears.have("dev: held"))

    log = shop.manifests.git("log", "--format=%an", f"{bad}..main").splitlines()
    assert ["gitops on behalf of prod crashes", "gitops on behalf of stage crashes"] == sorted(
        one for one in log if "behalf" in one
    )
    assert 3 == len(log), log
    for name in PATIENCE:
        assert "newTag: 1.5.0" in shop.manifests.file(f"overlays/{name}/kustomization.yaml")
        assert shop.manifests.file(f".gitops/holds/{name}.yaml")
    assert "shop/api:1.5.0" == shop.live_image("prod")
    kept = json.loads(shop.manifests.file("afterwards.json", "gitops/told"))
    assert ("recovered", "not-recovered") == (kept["prod"]["outcome"], kept["stage"]["outcome"])
    with urllib.request.urlopen(f"{served.settings.listen.url}/alerts", timeout=60) as answer:
        page = answer.read().decode()
    assert "Recovered" in page
    assert "Not recovered" in page
    for heard in ears.both:
        for name, ends in (("prod", "has recovered"), ("stage", "has not recovered")):
            told = [one for one in heard if name in one]
            assert [True, True, 2] == ["rolled back" in told[0], ends in told[1], len(told)], heard
