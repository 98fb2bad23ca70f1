"""Applications and workloads of the real Argo CD, recorded (tests/cluster/record.py), judged."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitops.core.argocd.application import read_application
from gitops.core.argocd.diagnosis import Workloads, diagnose
from gitops.core.argocd.health import (
    ExpectedRelease,
    Observation,
    ReleaseState,
    RevisionPosition,
    judge,
)
from gitops.core.argocd.rollout import read_rollout
from gitops.core.argocd.tracking import TrackingMatch
from gitops.core.kustomization.image import ImageValue

APPLICATIONS = Path(__file__).parent / "applications"
WORKLOADS = Path(__file__).parent / "workloads"
BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)

# What each recorded moment says of the release whose commit the Application is compared with.
STATES: dict[str, tuple[ReleaseState, str]] = {
    "comparison-error": ("unrendered", "it does not render: `kustomize build"),
    "degraded-crash-loop": ("degraded", "Degraded"),
    "degraded-inherited": ("syncing", "a sync is about to start"),
    "first-sync-running": ("syncing", "its sync is running"),
    "healthy": ("healthy", "Synced and Healthy"),
    "healthy-after-degraded": ("healthy", "Synced and Healthy"),
    "healthy-again": ("healthy", "Synced and Healthy"),
    "healthy-at-foreign-commit": ("healthy", "Synced and Healthy"),
    "multi-source": ("healthy", "Synced and Healthy"),
    "new-sync-unset": ("unseen", "Argo CD has not looked at it yet"),
    "new-without-status": ("unseen", "Argo CD has not looked at it yet"),
    "no-such-path": ("unrendered", "app path does not exist"),
    "no-such-repository": ("unknown", "repository not found"),
    "of-an-application-set": ("healthy", "Synced and Healthy"),
    "out-of-sync-at-new-revision": ("syncing", "a sync is about to start"),
    "out-of-sync-automation-off": ("manual", "its auto-sync is off"),
    "progressing": ("syncing", "its health is not looked at yet"),
    "progressing-crash-loop": ("progressing", "Progressing"),
    "refresh-requested": ("healthy", "Synced and Healthy"),
    "rollout-aborted": ("degraded", "Degraded"),
    "rollout-healthy": ("healthy", "Synced and Healthy"),
    "rollout-healthy-after-abort": ("healthy", "Synced and Healthy"),
    "rollout-suspended": ("suspended", "waits for a person"),
    "self-healing": ("syncing", "something there differs from Git"),
    "shared-resource": ("syncing", "its sync is running"),
    "sync-failed-invalid-manifest": ("failed", "one or more objects failed to apply"),
    "sync-failed-no-namespace": ("failed", 'namespaces "'),
    "sync-retrying": ("retrying", "1 try: one or more objects failed to apply"),
}


def recorded(folder: Path, name: str) -> dict[str, Any]:
    """Return one recorded object."""
    told: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return told


def look(
    name: str, *, seen: bool = True, images: dict[str, ImageValue] | None = None
) -> Observation:
    """Judge a recorded Application; `seen`: the commit it is compared with is the release."""
    application = read_application(recorded(APPLICATIONS, name), "recorded")
    source = next(one for one in application.sources if one.path is not None)
    at = application.revision(source.index)

    def place(commit: str) -> RevisionPosition:
        return "at" if seen and commit == at else "before"

    wanted = ExpectedRelease(at or "0" * 40, BEFORE, images or {})
    return judge(TrackingMatch(application, source), wanted, place, now=LATER, asked=BEFORE)


def test_every_recording_is_judged() -> None:
    """The table above has every file, and no other."""
    assert {path.stem for path in APPLICATIONS.glob("*.json")} == set(STATES)


@pytest.mark.parametrize("name", STATES)
def test_recorded_states(name: str) -> None:
    """What the real Argo CD shows at each moment is read for what it is."""
    state, words = STATES[name]

    seen = look(name)

    assert (state, True) == (seen.state, words in seen.text), seen.text


@pytest.mark.parametrize(
    "name", [name for name, (state, _) in STATES.items() if state == "healthy"]
)
def test_healthy_at_another_commit_is_not_seen(name: str) -> None:
    """Healthy at the release before says nothing of the one that is waited for."""
    assert "unseen" == look(name, seen=False).state


def test_times_of_health() -> None:
    """Since when it is healthy, or degraded, is read from the object."""
    for name in ("healthy", "degraded-crash-loop"):
        since = look(name).since
        assert since is not None
        assert timedelta(0) < LATER - since

    assert not look("degraded-crash-loop").inherited


def test_pods_of_before() -> None:
    """While only pods of the release before are there, a Healthy word does not count."""
    seen = look("healthy", images={"shop/api": ImageValue(tag="9.9.9")})

    assert "progressing" == seen.state


def test_troubles() -> None:
    """The recorded Deployment and Pod say what is wrong with them."""
    found = diagnose(
        Workloads(
            (recorded(WORKLOADS, "deployment-degraded"),),
            (),
            (recorded(WORKLOADS, "pod-crash-loop"),),
        )
    )

    assert ["ProgressDeadlineExceeded", "CrashLoopBackOff"] == [one.reason for one in found]
    assert found[0].resource == "Deployment api"


@pytest.mark.parametrize(
    ("name", "words", "underway"),
    [
        ("rollout-stable", "promoted in full", False),
        ("rollout-paused", "paused at step 1 of 2, 50 % of the traffic (CanaryPauseStep)", True),
        ("rollout-taken-back", "aborted", False),
    ],
)
def test_rollouts(name: str, words: str, underway: bool) -> None:
    """The recorded Rollouts are where they say."""
    rollout = read_rollout(recorded(WORKLOADS, name))

    assert rollout.describe().startswith(words), rollout.describe()
    assert underway == rollout.is_underway
