"""Bump, healthy, bad bump, degraded, rollback, healthy, held: against a real Argo CD."""

from __future__ import annotations

from time import monotonic, sleep

import pytest

from cluster.gitops import Gitops, Recorder
from cluster.shop import Shop, is_live
from gitops.core.argocd.application import NOTICE


@pytest.fixture
def gitops(shop: Shop) -> Gitops:
    """gitops beside a shop whose dev is live."""
    shop.follow("dev")
    shop.follow("test")
    shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
    return Gitops(shop)


@pytest.mark.slow
def test_the_story(gitops: Gitops) -> None:
    """A good release is stable, a bad one degraded, the way back one commit that stays.

    For 30 seconds after it nothing flaps, with auto-sync and self-heal on, and CI leaves it alone.
    """
    shop = gitops.shop
    good = gitops("deploy", "shop/api:1.5.0", "--to", "dev", "--wait", "-o", "json")
    assert 0 == good.code, good.err
    release = good.json["commit"]
    assert ("healthy", "stable") == tuple(
        good.json["wait"][0][key] for key in ("verdict", "recorded")
    )
    assert "shop/api:1.5.0" == shop.live_image("dev")
    (line,) = gitops.ledger("dev")
    assert (release, "stable") == (line["commit"], line["verdict"])
    assert "shop/api:1.5.0" in line["seen"]["applications"][0]["images"]

    bad = gitops("deploy", "shop/api:1.6.0-broken", "--to", "dev", "--wait")
    assert 1 == bad.code, bad.err
    assert "Deployment api: ProgressDeadlineExceeded" in bad.err
    assert "CrashLoopBackOff" in bad.err
    broken = gitops.ledger("dev")[1]
    assert ("degraded", True) == (broken["verdict"], "Deployment api" in broken["reason"])

    before = shop.manifests.git("rev-list", "--count", "main").strip()
    back = gitops("rollback", "dev", "--reason", "INC-42", "--wait", "-o", "json")
    assert 0 == back.code, back.err
    moment = monotonic()
    recorder = Recorder(shop.cluster, shop.namespace("dev"))
    assert int(before) + 1 == int(shop.manifests.git("rev-list", "--count", "main"))
    assert release == back.json["hold"]["release"]
    assert "by: " in shop.manifests.file(".gitops/holds/dev.yaml")
    assert "shop/api:1.5.0" == shop.live_image("dev")
    notice = shop.application("dev")["metadata"]["annotations"][NOTICE]
    assert notice.startswith("gitops: held at ")
    assert "INC-42" in notice

    ci = gitops("deploy", "shop/api:1.7.0", "--ref", "main", "-o", "json")
    assert "dev" in [entry["environment"] for entry in ci.json["skipped"]]
    _three_releases(gitops)  # in test, while nothing may happen in dev
    sleep(max(0.0, moment + 30 - monotonic()))
    recorder.stop()
    assert {("Synced", "Healthy")} >= set(recorder.since(moment + 1.0))
    assert "shop/api:1.5.0" == shop.live_image("dev")

    resumed = gitops("resume", "dev")
    assert 0 == resumed.code, resumed.err
    assert NOTICE not in shop.application("dev")["metadata"]["annotations"], resumed.err


def _three_releases(gitops: Gitops) -> None:
    """Of three releases, the middle one degraded, a rollback from the third goes to the first."""
    to = ("--to", "test", "--wait", "-o", "json")
    first = gitops("deploy", "shop/api:2.5.0", *to)
    middle = gitops("deploy", "shop/api:2.6.0-broken", *to)
    third = gitops("deploy", "shop/api:2.7.0", *to, "--no-record")
    preview = gitops("rollback", "test", "--dry-run", "-o", "json").json

    assert (0, 1, 0) == (first.code, middle.code, third.code)
    assert ["stable"] == gitops.verdicts("test", first.json["commit"])
    assert ["degraded"] == gitops.verdicts("test", middle.json["commit"])
    (change,) = preview["changes"]
    assert ("2.7.0", "2.5.0") == (change["before"]["tag"], change["after"]["tag"])
