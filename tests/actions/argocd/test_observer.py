"""One look at one overlay that runs in more than one cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gitops.actions.argocd import observer
from gitops.core.environments.environment import Environment, Overlay
from gitops.errors import Denied, GitopsError, Unavailable


class _Cluster:
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize("trouble", [Denied("may not patch"), Unavailable("is away")])
def test_a_notice_that_one_cluster_does_not_take(
    trouble: GitopsError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others show it all the same, at each look."""
    asked: list[str] = []

    def show_hold(one: Any, _overlay: Overlay, _hold: object) -> None:
        asked.append(one.cluster.name)
        if one.cluster.name == "bad":
            raise trouble

    monkeypatch.setattr(observer, "show_hold", show_hold)
    clusters = [_Cluster("bad"), _Cluster("good")]
    fed: Any = [SimpleNamespace(cluster=one) for one in clusters for _ in range(2)]
    known = observer.ObserverState()
    index: Any = SimpleNamespace(view=SimpleNamespace(hold=None))
    session: Any = None
    look = observer.Observer(session, index, Overlay(Environment("dev", "overlays/dev")), known)

    look._show_hold(fed)
    look._show_hold(fed)

    tries = 1 if isinstance(trouble, Denied) else 2
    assert tries == asked.count("bad")
    assert 4 == asked.count("good")
