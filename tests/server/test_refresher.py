"""Argo CD is asked to look at Git for a release that it has not seen, and not more than that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from applications import an_application
from fake_cluster import FakeCluster, FakeClusters, Plane
from fakes import FakeClock
from gitops.core.argocd.application import REFRESH, ApplicationRef
from gitops.core.argocd.reports import Live, LiveApplication
from gitops.core.environments.environment import Config, Environment
from gitops.errors import Denied, Unavailable
from gitops.server.board.refresher import ApplicationRefresher

CONFIG = Config(None, (Environment("dev", "overlays/dev"), Environment("qa", "overlays/qa")))


def live(state: Any, name: str = "shop-dev") -> Live:
    """What the cluster says of an overlay with one Application."""
    ref = ApplicationRef("fake", "argocd", name)
    return Live((LiveApplication(ref, state, "", "Synced", "Healthy"),))


class World:
    """A refresher that asks again at once, over one control plane."""

    def __init__(self) -> None:
        self.plane = Plane()
        self.plane.put(an_application())
        self.plane.put(an_application("shop-qa"))
        self.asked = threading.Event()
        self.plane.on_refresh = lambda _: self.asked.set()
        self.cluster = FakeCluster(self.plane)
        clusters: Any = FakeClusters(FakeClock(), "r", self.cluster)
        self.lives: dict[str, Live] = {}
        self.config: Config | None = CONFIG
        self.mine = True
        self.turns = threading.Semaphore(0)
        self.refresher = ApplicationRefresher(
            lambda: self.config, lambda: self.lives, lambda: clusters, self.is_mine, again=0.001
        )
        self.refresher.start()

    def is_mine(self) -> bool:
        self.turns.release()
        return self.mine

    def hear(self, label: str, now: Live) -> None:
        """The cluster says this of an overlay from now on."""
        self.lives[label] = now
        self.refresher.heard(label, None, None, now)

    def had_turns(self, count: int) -> bool:
        """Wait until so many looks were begun."""
        return all(self.turns.acquire(timeout=60) for _ in range(count))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.refresher.stop()
    made.refresher.join()


def test_it_is_asked_again_while_it_has_not_looked(world: World) -> None:
    """A refresh may be lost; what was seen, or is fine, is left alone."""
    world.hear("qa", live("healthy", "shop-qa"))
    world.plane.on_refresh = lambda _: (
        world.lives.update(dev=live("syncing")) if len(world.plane.refreshed) == 2 else None
    )
    world.hear("dev", live("unseen"))
    assert world.had_turns(2)
    world.plane.on_refresh = lambda _: world.asked.set()
    world.hear("qa", live("unseen", "shop-qa"))
    assert world.asked.wait(60)

    assert ["shop-dev", "shop-dev", "shop-qa"] == world.plane.refreshed[:3]


def test_it_is_not_asked_for_ever(world: World) -> None:
    """After five times it is left to Argo CD's own interval, until there is news."""
    world.hear("dev", live("unseen"))
    assert world.had_turns(5)
    world.refresher.stop()
    world.refresher.join()

    assert not world.turns.acquire(blocking=False)
    assert ["shop-dev"] * 5 == world.plane.refreshed


def test_one_replica_asks(world: World) -> None:
    """The others go on to look whose turn it is; before gitops.yaml was read nobody asks."""
    world.mine = False
    world.hear("dev", live("unseen"))
    assert world.had_turns(7)
    assert [] == world.plane.refreshed
    world.mine = True
    assert world.asked.wait(60)


def test_what_was_asked_for_already_is_left_alone(world: World) -> None:
    """The annotation is there still: Argo CD has not come to it."""
    world.plane.put(an_application(annotations={REFRESH: "hard"}))
    world.hear("dev", live("unseen"))
    assert world.had_turns(5)
    world.hear("qa", live("unseen", "shop-qa"))
    assert world.asked.wait(60)

    assert "shop-dev" not in world.plane.refreshed


def test_who_may_not_is_told_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """And asks no more; a cluster that is away keeps nobody else from being asked for."""
    caplog.set_level("INFO", "gitops.server")
    world.cluster.read_only = Denied("may not patch applications")
    world.hear("dev", live("unseen"))
    assert world.had_turns(5)
    world.cluster.read_only = None
    world.hear("qa", live("unseen", "shop-qa"))
    assert world.had_turns(5)
    assert 1 == caplog.text.count("may not patch applications")
    assert [] == world.plane.refreshed


def test_a_cluster_that_is_away(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again."""
    caplog.set_level("INFO", "gitops.server")
    world.cluster.trouble = Unavailable("no route")
    world.hear("dev", live("unseen"))
    assert world.had_turns(2)
    world.cluster.trouble = None
    assert world.asked.wait(60)
    assert "shop-dev was not refreshed: no route" in caplog.text
