"""Where a Rollout stands."""

from __future__ import annotations

from typing import Any

import pytest

from gitops.core.argocd.rollout import read_rollout


def a_rollout(phase: str = "Paused", **status: Any) -> dict[str, Any]:
    """Return a canary of three steps, in the middle of an update."""
    return {
        "kind": "Rollout",
        "metadata": {"name": "api", "namespace": "shop-prod"},
        "spec": {
            "strategy": {
                "canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]}
            },
            "template": {"spec": {"containers": [{"image": "shop/api:1.5.0"}]}},
        },
        "status": {
            "phase": phase,
            "stableRS": "old",
            "currentPodHash": "new",
            "currentStepIndex": 1,
            **status,
        },
    }


def a_set(name: str, image: str, created: str, owner: str = "api") -> dict[str, Any]:
    """Return a ReplicaSet of a Rollout."""
    return {
        "metadata": {
            "labels": {"rollouts-pod-template-hash": name},
            "creationTimestamp": created,
            "ownerReferences": [{"kind": "Rollout", "name": owner}],
        },
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
    }


SETS = [
    a_set("older", "shop/api:1.3.0", "2026-01-01T00:00:00Z"),
    a_set("new", "shop/api:1.5.0", "2026-03-01T00:00:00Z"),
    a_set("old", "shop/api:1.4.0", "2026-02-01T00:00:00Z"),
    a_set("foreign", "shop/web:9", "2026-02-02T00:00:00Z", owner="web"),
]


@pytest.mark.parametrize(
    ("told", "words", "underway"),
    [
        (
            a_rollout(pauseConditions=[{"reason": "CanaryPauseStep"}]),
            "paused at step 1 of 3, 20 % of the traffic (CanaryPauseStep)",
            True,
        ),
        (a_rollout("Progressing"), "Progressing at step 1 of 3, 20 % of the traffic", True),
        (
            a_rollout(canary={"weights": {"canary": {"weight": 35}}}),
            "paused at step 1 of 3, 35 % of the traffic",
            True,
        ),
        (a_rollout("Healthy", stableRS="new"), "promoted in full", False),
        (
            a_rollout("Degraded", abort=True, message="RolloutAborted: by a person"),
            "aborted: RolloutAborted: by a person; the stable version serves",
            False,
        ),
        (
            a_rollout(
                "Degraded",
                abort=True,
                canary={
                    "currentStepAnalysisRunStatus": {"status": "Failed", "message": "5xx > 1 %"}
                },
            ),
            "aborted: its analysis failed: 5xx > 1 %; the stable version serves",
            False,
        ),
        (
            a_rollout(canary={"currentBackgroundAnalysisRunStatus": {"status": "Inconclusive"}}),
            "its analysis is inconclusive at step 1 of 3, 20 % of the traffic",
            True,
        ),
        (
            a_rollout(blueGreen={"prePromotionAnalysisRunStatus": {"status": "Error"}}),
            "its analysis could not be taken at step 1 of 3, 20 % of the traffic",
            True,
        ),
        (a_rollout("Degraded", message="ProgressDeadlineExceeded"), "Degraded: Progress", False),
        ({"metadata": {"name": "api"}}, "not looked at yet", False),
    ],
)
def test_words(told: dict[str, Any], words: str, underway: bool) -> None:
    """Paused, promoted, aborted, analysis failed are told, and whether abort means something."""
    rollout = read_rollout(told)

    assert rollout.describe().startswith(words)
    assert underway == rollout.is_underway


def test_stable_images() -> None:
    """The image that serves is read from the stable ReplicaSet of this very Rollout."""
    rollout = read_rollout(a_rollout(), SETS)

    assert ("shop/api:1.4.0",) == rollout.stable_images
    assert ("shop/api:1.5.0",) == rollout.images


def test_window() -> None:
    """The window names what a rollback brings back without steps, the newest first."""
    told = a_rollout()
    assert None is read_rollout(told, SETS).describe_window()
    told["spec"]["rollbackWindow"] = {"revisions": 1}
    assert "1 revisions runs no steps: shop/api:1.4.0" in str(
        read_rollout(told, SETS).describe_window()
    )
    told["spec"]["rollbackWindow"] = {"revisions": 5}
    assert "shop/api:1.4.0; shop/api:1.3.0" in str(read_rollout(told, SETS).describe_window())
    assert "nothing yet" in str(read_rollout(told).describe_window())
