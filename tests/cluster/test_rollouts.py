"""A canary that pauses, is stopped and taken back, on the real Argo Rollouts."""

from __future__ import annotations

import json
import threading
from time import monotonic, sleep

import pytest

from cluster.gitops import Gitops
from cluster.shop import Shop, has_health, is_live

ROLLOUT = ("argoproj.io/v1alpha1", "Rollout", "api")


class Abort:
    """Notes when a Rollout was asked to stop."""

    def __init__(self, shop: Shop, environment: str) -> None:
        self.at: float | None = None
        self._shop = shop
        self._environment = environment
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        where = self._shop.namespace(self._environment)
        while not self._stop.is_set() and self.at is None:
            found = self._shop.cluster.kube.get(*ROLLOUT, where)
            if found is not None and found["status"].get("abort"):
                self.at = monotonic()
            sleep(0.02)

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()


@pytest.mark.slow
def test_a_canary_is_stopped_and_taken_back(rollout_shop: Shop) -> None:
    """A paused canary is Suspended and no failure; a rollback stops it before it commits."""
    shop = rollout_shop
    gitops = Gitops(shop)
    shop.follow("dev")
    shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
    bad = shop.set_tag("dev", "1.7.0")
    shop.refresh("dev")
    shop.wait("dev", has_health(bad, "Suspended"))

    paused = gitops("wait", "dev", "--timeout", "3s", "-o", "json")
    status = gitops("status", "dev", "-o", "json").json["environments"][0]["application"]
    preview = gitops("rollback", "dev", "--dry-run").out
    abort = Abort(shop, "dev")
    began = monotonic()
    back = gitops("rollback", "dev", "--reason", "5xx", "--wait", "--no-record", "-o", "json")
    abort.stop()

    assert (75, "suspended") == (paused.code, paused.json["verdict"])
    assert ["Rollout api: paused at step 1 of 2, 50 % of the traffic (CanaryPauseStep)"] == status[
        "rollouts"
    ]
    assert "aborts Rollout api first: paused" in preview
    assert (0, "healthy") == (back.code, back.json["wait"][0]["verdict"]), back.err
    assert any("aborted Rollout api" in note for note in back.json["notes"])
    found = shop.cluster.kube.get(*ROLLOUT, shop.namespace("dev"))
    assert found is not None
    assert "shop/api:1.4.1" == found["spec"]["template"]["spec"]["containers"][0]["image"]
    assert abort.at is not None
    print(json.dumps({"seconds from rollback to abort": round(abort.at - began, 2)}))
    assert abort.at - began < 20  # 2 on an idle machine; scripts/bench cluster measures it
