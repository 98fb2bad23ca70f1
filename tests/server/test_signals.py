"""Releases that a cluster calls bad: taken in once they stayed so, judged as alerts are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gitops.actions.argocd.verification import verify_rollbacks
from gitops.actions.index.state import read_state
from gitops.core.alerts.alert import Alert
from gitops.core.alerts.signal import signal_of
from gitops.core.alerts.verification import CLUSTER_EMAIL
from gitops.core.argocd.application import ApplicationRef
from gitops.core.argocd.reports import Live, LiveApplication
from gitops.errors import Unavailable
from gitops.server.alerts.signals import ClusterSignals
from manifests import Manifests
from server.test_alerts import client, opened, stable

__all__ = ["client", "stable"]

NOW = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)


def live(state: Any, release: str = "a" * 40, **more: Any) -> Live:
    """One Application at a release."""
    ref = ApplicationRef("dev", "argocd", "stage")
    one = LiveApplication(ref, state, "api crashes", "Synced", "Degraded", release=release, **more)
    return Live((one,))


def test_what_is_a_signal() -> None:
    """Degraded, failed, an analysis that aborted; the same release in the same trouble is one."""
    bad = signal_of("stage", live("degraded"), NOW)
    later = signal_of("stage", live("degraded"), NOW + timedelta(hours=1))
    line = "Rollout api: aborted: errors is 0.3; the stable version serves"
    aborted = signal_of("stage", live("degraded", rollouts=(line,)), NOW)

    assert bad is not None and later is not None and aborted is not None  # noqa: PT018
    assert (bad.fingerprint, "Degraded", "stage: api crashes") == (
        later.fingerprint,
        bad.name,
        bad.summary,
    )
    assert ("RolloutAborted", f"stage: {line}") == (aborted.name, aborted.summary)
    assert bad.fingerprint != aborted.fingerprint
    other = signal_of("stage", live("degraded", "b" * 40), NOW)
    assert other is not None
    assert bad.fingerprint != other.fingerprint
    for nothing in (None, live("healthy"), live("progressing"), Live(problem="no route"), Live()):
        assert signal_of("stage", nothing, NOW) is None


class Desk:
    """Who decides, and when."""

    def __init__(self) -> None:
        self.lives: dict[str, Live] = {}
        self.taken: list[str] = []
        self.rung = threading.Event()
        self.error: Exception | None = None
        self.mine = True

    def take(self, label: str, alert: Alert) -> None:
        self.taken.append(f"{label} {alert.name}")
        self.rung.set()
        if self.error is not None:
            raise self.error


@pytest.fixture
def desk() -> Iterator[tuple[Desk, ClusterSignals]]:
    """Signals that settle at once."""
    desk = Desk()
    signals = ClusterSignals(lambda: desk.lives, desk.take, lambda: desk.mine, settle=0.01)
    signals.start()
    yield desk, signals
    signals.stop()


def hear(pair: tuple[Desk, ClusterSignals], now: Live | None, *, stays: Live | None = None) -> None:
    """A cluster says something, and still says it later, or something else."""
    desk, signals = pair
    kept = stays if stays is not None else now
    desk.lives = {"stage": kept} if kept is not None else {}
    signals.heard("stage", None, None, now)


def test_it_is_taken_in_once(desk: tuple[Desk, ClusterSignals]) -> None:
    """Only what stays bad; each release and trouble once, however often it is heard."""
    hear(desk, live("degraded"), stays=live("healthy"))
    hear(desk, live("healthy"))
    hear(desk, live("degraded", "b" * 40))
    assert desk[0].rung.wait(60)
    desk[0].rung.clear()
    hear(desk, live("degraded", "b" * 40, since=NOW))
    hear(desk, live("failed", "c" * 40))
    assert desk[0].rung.wait(60)

    assert ["stage Degraded", "stage Failed"] == desk[0].taken


def test_the_next_whose_turn_it_is_takes_it(desk: tuple[Desk, ClusterSignals]) -> None:
    """It waits for the turn, and what fails takes nothing away from others."""
    desk[0].mine = False
    desk[0].error = ValueError("a bug")
    hear(desk, live("degraded"))
    assert not desk[0].rung.wait(0.1)
    desk[0].mine = True
    assert desk[0].rung.wait(60)
    desk[0].rung.clear()
    desk[0].error = Unavailable("away")
    hear(desk, live("failed"))
    assert desk[0].rung.wait(60)

    assert ["stage Degraded", "stage Failed"] == desk[0].taken


def test_a_degraded_release_goes_back(
    client: Any, manifests: Manifests, stable: tuple[str, str]
) -> None:
    """As an alert does: one commit, held, by the cluster; what it says of that is watched."""
    begun = datetime.now(UTC) + timedelta(seconds=1)
    said = signal_of("stage", live("degraded", stable[1], since=begun), NOW)
    assert said is not None
    older = replace(said, starts_at=begun - timedelta(hours=2))
    desk = client.service.alerts
    too_old = desk.take_signal("stage", older)
    elsewhere = desk.take_signal("nowhere", said)
    done = desk.take_signal("stage", said)
    head = manifests.git("rev-parse", "main").strip()
    again = desk.take_signal("stage", said)
    after = desk.take_signal("stage", signal_of("stage", live("degraded", head), NOW))

    assert ("tell", True) == (too_old.judged.action, "older trouble" in too_old.judged.why)
    assert "no overlay nowhere" in elsewhere.judged.why
    assert ("committed", head) == (done.outcome, done.commit)
    assert [("none", None)] * 2 == [(one.judged.action, one.outcome) for one in (again, after)]
    assert head == manifests.git("rev-parse", "main").strip()
    message = manifests.git("log", "-1", "--format=%B%an %ae", "main")
    assert f"gitops on behalf of Degraded {CLUSTER_EMAIL}" in message
    assert "Gitops-Via: cluster" in message
    assert "the cluster says Degraded: stage: api crashes" in message
    assert "1.5.0" in manifests.file("overlays/stage/kustomization.yaml")
    with opened(manifests) as session:
        state = read_state(session)
        watched = verify_rollbacks(session, state, {"stage": live("degraded", head)})["stage"]
        well = verify_rollbacks(session, state, {"stage": live("healthy", head)})["stage"]
    assert ("watching", True) == (watched.outcome, watched.by_cluster)
    assert "recovered" == well.outcome
