"""Canaries on the real Argo Rollouts: paused, promoted, failed, stopped, and taken back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

import pytest

from cluster.gitops import Gitops
from cluster.shop import Shop, has_health, is_live
from servers.git_http import Behaviour
from servers.loopback import Handler, Loopback

ROLLOUT = ("argoproj.io/v1alpha1", "Rollout", "api")

ANALYSIS = """\
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: smoke
  annotations: {argocd.argoproj.io/sync-wave: "-1"}
spec:
  metrics:
    - name: errors
      successCondition: result < 0.01
      provider:
        web: {url: URL, jsonPath: "{$.share}"}
"""


class Metrics:
    """A server of one number, the share of requests that fail, which analyses ask for."""

    def __init__(self) -> None:
        self.share = 0.0
        self.url = ""

    @contextmanager
    def serving(self, host: str) -> Iterator[Metrics]:
        """Answer for a while."""
        metrics = self

        class Share(Handler):
            def do_GET(self) -> None:
                body = json.dumps({"share": metrics.share}).encode()
                self.say(200, [("Content-Type", "application/json")], body)

        with Loopback(Share, host=host) as server:
            self.url = f"{server.url}/"
            yield self


class Canary:
    """The environment `dev`, in which the Rollout `api` runs."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.gitops = Gitops(shop)

    def release(self, tag: str, health: str = "Suspended") -> str:
        """Commit a tag and see what becomes of it; return the commit."""
        commit = self.shop.set_tag("dev", tag)
        self.shop.refresh("dev")
        self.shop.wait("dev", has_health(commit, health))
        return commit

    def rollout(self) -> Any:
        """Return the Rollout as the API server has it."""
        found = self.shop.cluster.kube.get(*ROLLOUT, self.shop.namespace("dev"))
        assert found is not None
        return found

    @property
    def image(self) -> str:
        """The image that the Rollout asks for."""
        return str(self.rollout()["spec"]["template"]["spec"]["containers"][0]["image"])

    @property
    def aborted(self) -> bool:
        """Was it told to stop?"""
        return bool(self.rollout()["status"].get("abort"))

    def status(self) -> list[str]:
        """Return what `gitops status` says of Rollouts."""
        told = self.gitops("status", "dev", "-o", "json").json
        return list(told["environments"][0]["application"]["rollouts"])

    def promote_in_full(self) -> None:
        """Do what `kubectl argo rollouts promote --full` does."""
        where = self.shop.namespace("dev")

        def promoted() -> bool:
            status = self.rollout()["status"]
            if status["phase"] == "Paused":  # also when a patch met a write of the controller
                change = {"status": {"promoteFull": True}}
                kube = self.shop.cluster.kube
                kube.patch(change, *ROLLOUT, namespace=where, subresource="status")
            return bool(status["phase"] == "Healthy" and status["stableRS"] == self.hash)

        self.shop.cluster.wait_for(promoted)

    @property
    def hash(self) -> str:
        """The hash of the newest pod template."""
        return str(self.rollout()["status"]["currentPodHash"])

    def seconds_to_abort(self) -> tuple[float, str]:
        """Roll back to 1.5.0; return the seconds from the start to the abort, and what was told.

        In a process of its own: the start of Python counts.
        """
        at: list[float] = []
        ended = threading.Event()

        def look() -> None:
            while not at and not ended.is_set():
                if self.aborted:
                    at.append(monotonic())
                sleep(0.02)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        began = monotonic()
        words = ("--to", "1.5.0", "--reason", "5xx", "--wait", "--no-record")
        with self.gitops.running("rollback", "dev", *words) as child:
            told, _ = child.communicate()
        ended.set()
        thread.join()
        assert 0 == child.returncode, told
        assert at, "it was not aborted"
        return at[0] - began, str(told)


@pytest.fixture
def metrics(rollout_shop: Shop) -> Iterator[Metrics]:
    """What analyses ask."""
    with Metrics().serving(rollout_shop.cluster.git_host) as serving:
        yield serving


@pytest.fixture
def canary(rollout_shop: Shop, metrics: Metrics) -> Canary:
    """A Rollout that analyses its canary, then pauses, with a window for rollbacks; live."""
    shop = rollout_shop
    text = shop.manifests.file("base/api.yaml")
    window = "  rollbackWindow: {revisions: 5}\n  strategy:\n"
    text = text.replace("  strategy:\n", window)
    analysis = "        - analysis: {templates: [{templateName: smoke}]}\n        - pause: {}\n"
    text = text.replace("        - pause: {}\n", analysis)
    text += ANALYSIS.replace("URL", metrics.url)
    head = shop.manifests.commit("Analyse canaries", {"base/api.yaml": text})
    shop.follow("dev")
    shop.wait("dev", is_live(head))
    return Canary(shop)


WINDOW = "Rollout api: a rollback within 5 revisions runs no steps: "


@pytest.mark.slow
def test_the_lives_of_a_canary(canary: Canary, metrics: Metrics) -> None:
    """Each state has its words in `status`, and a rollback stops what is underway first.

    In one test, since a Rollout must have been through the one to be in the other.
    """
    gitops, shop = canary.gitops, canary.shop
    assert ["Rollout api: promoted in full", f"{WINDOW}nothing yet"] == canary.status()

    # Paused: Suspended, which is no failure.
    canary.release("1.5.0")
    waited = gitops("wait", "dev", "--timeout", "1s", "-o", "json")
    assert (75, "suspended") == (waited.code, waited.json["verdict"])
    assert [
        "Rollout api: paused at step 2 of 3, 50 % of the traffic (CanaryPauseStep)",
        f"{WINDOW}shop/api:1.4.1",
    ] == canary.status()

    # Promoted in full, past the pause.
    canary.promote_in_full()
    assert "Rollout api: promoted in full" == canary.status()[0]

    # Its analysis failed: degraded, and nothing is left to be stopped.
    metrics.share = 0.2
    canary.release("1.6.0", "Degraded")
    waited = gitops("wait", "dev", "--no-record", "-o", "json")
    assert (1, "degraded") == (waited.code, waited.json["verdict"])
    said = canary.status()[0]
    assert said.startswith("Rollout api: aborted: its analysis failed: "), said
    assert said.endswith("; the stable version serves"), said
    assert "aborts" not in gitops("rollback", "dev", "--to", "1.5.0", "--dry-run").out

    # A canary that pauses is stopped before the commit is made.
    metrics.share = 0.0
    canary.release("1.7.0")
    preview = gitops("rollback", "dev", "--to", "1.5.0", "--dry-run").out
    assert "aborts Rollout api first: paused" in preview
    at_push: list[bool] = []
    shop.server.behaviour = Behaviour(before_push=lambda: at_push.append(canary.aborted))
    seconds, told = canary.seconds_to_abort()
    shop.server.behaviour = Behaviour()
    print(json.dumps({"seconds from rollback to abort": seconds}))
    assert "aborted Rollout api" in told
    assert ": Synced and Healthy" in told
    assert "shop/api:1.5.0" == canary.image
    assert [True] == at_push

    # A release that was promoted in full is left without steps: it is within the window.
    assert canary.status()[1].endswith("; shop/api:1.6.0; shop/api:1.4.1")
    back = gitops("rollback", "dev", "--to", "1.4.1", "--wait", "--no-record", "-o", "json")
    assert (0, "healthy") == (back.code, back.json["wait"][0]["verdict"]), back.err
    assert "shop/api:1.4.1" == canary.image
