"""What the clusters say of overlays: who hears of changes."""

from __future__ import annotations

from typing import Any, cast

from gitops.actions.index.page import IndexedOverlay
from gitops.actions.index.state import IndexedCell, IndexState
from gitops.core.argocd.application import ApplicationRef
from gitops.core.argocd.reports import Live, LiveApplication
from gitops.core.environments.environment import Environment, Overlay
from gitops.server.board.clusters import ClusterNews


def state_of(*names: str) -> IndexState:
    """A state with these overlays (`shop/prod`)."""
    cells = {}
    for name in names:
        app, _, row = name.rpartition("/")
        overlay = Overlay(Environment(row, f"apps/{app}/{row}"), app or None)
        cells[name] = IndexedCell(overlay, "main", IndexedOverlay(app or None))
    return IndexState(cast(Any, None), "main", None, {"main": "1" * 40}, cells, frozenset())


def says(health: str) -> Live:
    """What a cluster says of an overlay with one Application."""
    ref = ApplicationRef("dev", "argocd", "shop")
    return Live((LiveApplication(ref, cast(Any, health.lower()), "", "Synced", health),))


def test_listeners_hear_of_changes_and_of_nothing_else() -> None:
    """Each change is told once, with what was before; one who fails keeps nobody from hearing."""
    news, heard = ClusterNews(), []

    def fails(*_: object) -> None:
        raise ValueError

    news.on_change(fails)
    news.on_change(lambda *told: heard.append(told))
    well, bad = says("Healthy"), says("Degraded")

    news.take(state_of("shop/prod", "web/prod"), {"shop/prod": well, "web/prod": well})
    assert [("prod", "shop", None, well), ("prod", "web", None, well)] == sorted(
        heard, key=lambda one: str(one[1])
    )
    del heard[:]
    news.take(state_of("shop/prod", "web/prod"), {"shop/prod": bad, "web/prod": says("Healthy")})
    assert [("prod", "shop", well, bad)] == heard
    del heard[:]
    news.take(state_of("web/prod"), {"web/prod": well})
    assert [("prod", "shop", bad, None)] == heard
