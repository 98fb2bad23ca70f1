"""What keeps anybody from knowing what protected overlays are built from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gitops.actions.audit.judge_change import StepJudge
from gitops.core.environments.environment import Config, Environment


def test_a_limit_is_told_once() -> None:
    """So many manifests that nobody reads all of them are one finding."""
    reader: Any = SimpleNamespace(limit=lambda _: "too many", lives_here=lambda _: False)
    nobody: Any = None
    judge = StepJudge(nobody, nobody, reader, nobody, changes=nobody)
    policy = Config(None, (Environment("prod", "overlays/prod", change="pull-request"),))

    assert 1 == len(list(judge.standing_dangers(policy, "tip")))
