"""Watchers on a real Argo CD: killed in the middle, two at once, an API server that restarts."""

from __future__ import annotations

import subprocess
import threading
from time import monotonic

import pytest

from cluster.gitops import Gitops
from cluster.shop import Shop, is_live

SOAK = 8


@pytest.fixture
def gitops(shop: Shop) -> Gitops:
    """gitops beside a shop whose dev is live and asks for a soak."""
    made = Gitops(shop)
    made.soak("dev", SOAK)
    shop.follow("dev")
    shop.wait("dev", is_live(shop.manifests.git("rev-parse", "main").strip()))
    return made


def lines_of(child: subprocess.Popen[str]) -> list[str]:
    """Collect what a watcher prints, from another thread."""
    found: list[str] = []

    def read() -> None:
        assert child.stdout is not None
        found.extend(iter(child.stdout.readline, ""))

    threading.Thread(target=read, daemon=True).start()
    return found


@pytest.mark.slow
def test_killed_in_the_middle_and_two_at_once(gitops: Gitops) -> None:
    """A watcher killed in a soak and started again, and one beside it, write one verdict."""
    shop = gitops.shop
    commit = shop.set_tag("dev", "1.5.0")
    shop.refresh("dev")
    shop.wait("dev", is_live(commit))
    live = monotonic()

    with gitops.running("watch", "dev") as first:
        lines = lines_of(first)
        shop.cluster.wait_for(lambda: any("Healthy" in line for line in lines))
        first.kill()
    assert [] == gitops.verdicts("dev", commit)
    with gitops.running("watch", "dev"), gitops.running("watch", "dev"):
        shop.cluster.wait_for(lambda: gitops.verdicts("dev", commit))
        written = monotonic()
        late = gitops("watch", "dev", "--once")

    assert ["stable"] == gitops.verdicts("dev", commit)
    assert written - live >= SOAK - 1
    assert 0 == late.code, late.out
    (line,) = [line for line in gitops.ledger("dev") if line["commit"] == commit]
    assert SOAK == line["seen"]["soak"]


@pytest.mark.alone
@pytest.mark.slow
def test_the_api_server_restarts(gitops: Gitops) -> None:
    """A watcher survives an API server that is killed and comes back, and sees what came after."""
    shop = gitops.shop
    shop.cluster.needs("components")
    with gitops.running("watch", "dev") as watcher:
        lines = lines_of(watcher)
        shop.cluster.wait_for(lambda: any("Healthy" in line for line in lines))
        shop.cluster.stop("kube-apiserver", kill=True)
        shop.cluster.wait_for(lambda: any("cannot be reached" in line for line in lines))
        shop.cluster.start("kube-apiserver")
        commit = shop.set_tag("dev", "1.6.0-broken")
        shop.refresh("dev")
        shop.cluster.wait_for(lambda: gitops.verdicts("dev", commit), seconds=90)

        assert None is watcher.poll()
    assert ["degraded"] == gitops.verdicts("dev", commit)
