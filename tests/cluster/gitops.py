"""gitops beside a shop of the cluster: as a subprocess, and what it left in Git."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from cluster.handle import APPLICATION, ClusterHandle
from cluster.shop import Shop
from manifests import Result

LEDGER = "gitops/ledger"


class Gitops:
    """Runs gitops against the shop's repository, as somebody who may do everything by default."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.environ = {"KUBECONFIG": str(shop.cluster.kubeconfig)}
        self.environ["GITOPS_REPO"] = shop.url

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
        """Run one call to its end."""
        return self.shop.manifests.gitops(
            *arguments, repo=self.shop.url, env={**self.environ, **(env or {})}
        )

    @contextmanager
    def running(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Start a call that goes on; what still runs at the end is killed."""
        child = subprocess.Popen(
            [sys.executable, "-u", "-m", "gitops", *arguments],
            cwd=self.shop.manifests.elsewhere,
            env={**os.environ, **self.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()
            if child.stdout is not None and not child.stdout.closed:
                child.communicate()

    def configure(self, text: str) -> str:
        """Add lines to gitops.yaml, or replace the row of an environment (`dev: …`); commit."""
        content = self.shop.manifests.file("gitops.yaml")
        return self.shop.manifests.commit("Configure", {"gitops.yaml": content + text})

    def soak(self, environment: str, seconds: int) -> None:
        """Ask for a soak in an environment."""
        content = self.shop.manifests.file("gitops.yaml")
        row = f"overlay: overlays/{environment},"
        assert row in content
        content = content.replace(row, f"{row} wait: {{soak: {seconds}s}},")
        self.shop.manifests.commit("Ask for a soak", {"gitops.yaml": content})

    def ledger(self, environment: str) -> list[dict[str, Any]]:
        """Return the lines of the ledger, none where there is none."""
        if not self.shop.manifests.git("branch", "--list", LEDGER).strip():
            return []
        listed = self.shop.manifests.git("ls-tree", "--name-only", LEDGER).split()
        if f"{environment}.jsonl" not in listed:
            return []
        text = self.shop.manifests.file(f"{environment}.jsonl", LEDGER)
        return [json.loads(line) for line in text.splitlines()]

    def verdicts(self, environment: str, commit: str) -> list[str]:
        """Return what the ledger says of one release, oldest first."""
        return [line["verdict"] for line in self.ledger(environment) if line["commit"] == commit]


class Recorder:
    """Notes (sync, health) of one Application each time that it changes, until it is stopped."""

    def __init__(self, cluster: ClusterHandle, name: str) -> None:
        self.seen: list[tuple[float, str, str]] = []
        self._cluster = cluster
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            try:
                found = self._cluster.kube.get(*APPLICATION, self._name, self._cluster.namespace)
            except Exception:
                continue  # a component was stopped by another test
            status = (found or {}).get("status", {})
            sync = str(status.get("sync", {}).get("status"))
            health = str(status.get("health", {}).get("status"))
            if not self.seen or self.seen[-1][1:] != (sync, health):
                self.seen.append((monotonic(), sync, health))

    def since(self, moment: float) -> list[tuple[str, str]]:
        """Return what it changed to after a moment (`time.monotonic`)."""
        return [entry[1:] for entry in self.seen if entry[0] > moment]

    def stop(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()


def write(folder: Path, name: str, text: str) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
