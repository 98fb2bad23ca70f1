"""A repository, a control plane and a controller in memory, with one clock for all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from applications import T0, an_application
from fake_cluster import FakeCluster, FakeClusters, Plane, cluster_time
from fakes import ANA, FakeClock, FakeRepository, session_on
from gitops.actions.context.session import Session
from gitops.core.git.commit import Identity
from gitops.core.kustomization import image_values

URL = "https://git.example.com/shop/manifests.git"
LEDGER = "gitops/ledger"
CONFIG = """\
apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: local, overlay: overlays/local, change: work-tree}
  - {name: dev, overlay: overlays/dev}
  - {name: prod, overlay: overlays/prod, wait: {soak: 60s, timeout: 5m}}
clusters:
  - {environments: [dev, prod], context: here}
"""


def overlay(tag: str) -> str:
    """Return an overlay that pins one image."""
    return f"images:\n  - name: shop/api\n    newTag: {tag!r}\n"


class ArgoWorld:
    """What gitops works on, and what Argo CD makes of it.

    The controller acts when it is asked to look (a refresh): it goes to the newest commit, syncs,
    and what becomes of the pods follows `becomes`, some seconds later.

    Attributes:
        becomes: environment -> the health that a new release gets (`Healthy` by default).
        takes: seconds between a sync and that.
        deaf: environments whose Applications do not react.
    """

    def __init__(self, config: str = CONFIG) -> None:
        self.clock = FakeClock(T0)
        self.repository = FakeRepository(
            {
                "gitops.yaml": config.encode(),
                "overlays/dev/kustomization.yaml": overlay("1.0").encode(),
                "overlays/prod/kustomization.yaml": overlay("1.0").encode(),
                "overlays/local/kustomization.yaml": overlay("1.0").encode(),
            }
        )
        self.plane = Plane()
        self.plane.now = cluster_time(self.clock)
        self.plane.on_refresh = self.refreshed
        self.cluster = FakeCluster(self.plane)
        self.clusters = FakeClusters(self.clock, URL, self.cluster)
        self.becomes: dict[str, str] = {}
        self.takes = 2.0
        self.deaf: set[str] = set()
        self.said: list[str] = []
        self.clock.passed = 100.0
        for name in ("dev", "prod"):
            self.apply(name, self.repository.branches["main"], "Healthy", since=50)

    def session(self, who: Identity = ANA, **more: Any) -> Session:
        """Return a session, of Ana where nobody else is named."""
        return session_on(
            self.repository,
            who,
            clock=self.clock,
            intent=more.pop("intent", "intent-1"),
            clusters=self.clusters,
            say=self.said.append,
            **more,
        )

    def push(self, tag: str, environment: str = "dev") -> str:
        """Commit another tag, as CI would; returns the commit."""
        path = f"overlays/{environment}/kustomization.yaml"
        return self.repository.commit({path: overlay(tag).encode()}, f"{environment} {tag}\n")

    def at(self, second: float, what: Any) -> None:
        """Let something happen so many seconds from now."""
        self.clusters.bell.script.append((self.clock.passed + second, what))

    def refreshed(self, name: str) -> None:
        """Do what the controller does about a refresh: compare, sync, and roll out."""
        environment = name.rpartition("-")[2]
        if environment in self.deaf or environment not in ("dev", "prod"):
            return
        head = self.repository.branches["main"]
        now = self.clock.passed
        present = self.plane.get(name)["status"]
        if present["sync"]["revision"] == head:
            return
        if self.images(environment, head) == tuple(present["summary"]["images"]):
            self.compare(environment, head)
            return
        self.apply(environment, head, "Progressing", since=now + 1)
        health = self.becomes.get(environment, "Healthy")
        later = now + self.takes - self.clock.passed
        self.at(later, lambda: self.apply(environment, head, health, since=now + self.takes))

    def images(self, environment: str, commit: str) -> tuple[str, ...]:
        """Return the images that a commit asks for."""
        path = f"overlays/{environment}/kustomization.yaml"
        content = self.repository.commits[commit].files[path]
        return tuple(f"{name}:{value.tag}" for name, value in image_values(content, path).items())

    def compare(self, environment: str, commit: str) -> None:
        """Let an Application be at a commit that changes nothing for it."""
        told = self.plane.get(f"shop-{environment}")
        told["status"]["sync"]["revision"] = commit
        told["status"]["reconciledAt"] = self.stamp(self.clock.passed)
        self.plane.put(told)

    def add_rollout(self, spec: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
        """Put the Rollout `api` into dev, where its Application tells of it; return its object."""
        told = self.plane.get("shop-dev")
        kind = {"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"}
        told["status"]["resources"] = [{**kind, "name": "api", "namespace": "shop-dev"}]
        self.plane.put(told)
        named = {"name": "api", "namespace": "shop-dev"}
        self.plane.add("Rollout", {"metadata": named, "spec": {**spec}, "status": {**status}})
        return self.plane.objects["Rollout", "shop-dev", "api"]

    def apply(self, environment: str, commit: str, health: str, *, since: float) -> None:
        """Put an Application that synced this commit, with this health."""
        operation = {
            "phase": "Succeeded",
            "message": "successfully synced",
            "startedAt": self.stamp(since - 1),
            "finishedAt": self.stamp(since - 1),
            "syncResult": {"revision": commit},
        }
        self.put(environment, revision=commit, health=health, since=since, operation=operation)

    def put(self, environment: str, *, since: float, **more: Any) -> None:
        """Put the Application of an environment, changed and reconciled at a second."""
        commit = more.get("revision") or self.repository.branches["main"]
        known = commit in self.repository.commits
        more.setdefault("images", self.images(environment, commit) if known else ())
        name = f"shop-{environment}"
        if ("argocd", name) in self.plane.applications:
            more.setdefault("annotations", self.plane.annotations(name))
        told = an_application(name, path=f"overlays/{environment}", **more)
        told["status"]["health"]["lastTransitionTime"] = self.stamp(since)
        told["status"]["reconciledAt"] = self.stamp(max(since, self.clock.passed))
        self.plane.put(told)

    def stamp(self, second: float) -> str:
        """Return a second of the world's clock, as Kubernetes writes times."""
        from datetime import timedelta

        return (T0 + timedelta(seconds=int(second))).strftime("%Y-%m-%dT%H:%M:%SZ")

    def ledger(self, environment: str = "dev") -> list[dict[str, Any]]:
        """Return the lines of the ledger, oldest first."""
        if LEDGER not in self.repository.branches:
            return []
        content = self.repository.show(f"{environment}.jsonl", LEDGER) or b""
        return [json.loads(line) for line in content.splitlines()]

    def verdicts(self, environment: str = "dev") -> list[tuple[str, str]]:
        """Return (commit, verdict) of each line."""
        return [(line["commit"], line["verdict"]) for line in self.ledger(environment)]
