"""What a wait means for the exit code."""

from __future__ import annotations

import pytest

from applications import T0
from gitops.core.argocd.diagnosis import Diagnosis
from gitops.core.argocd.health import RANK
from gitops.core.argocd.reports import GOOD, WaitReport, WaitVerdict, worst_error
from gitops.core.argocd.stability import BAD
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.git.commit import Identity
from gitops.core.releases.release import Release
from gitops.errors import Conflict, TimedOut, Unhealthy

DEV = Overlay(Environment("dev", "overlays/dev"))
RELEASE = Release("b" * 40, T0, Identity("Ana", "a@x"), "s", "deploy", {})


def report(verdict: WaitVerdict, **more: object) -> WaitReport:
    """Return a report with this verdict."""
    return WaitReport(DEV, RELEASE, verdict, "because", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("verdict", sorted({*GOOD, *BAD, *RANK}))
def test_exit_codes(verdict: WaitVerdict) -> None:
    """Healthy and stable are no error, what is bad is exit 1, all else is not known: 75."""
    error = report(verdict).error

    if verdict in GOOD:
        assert error is None
    else:
        assert error is not None
        assert (1 if verdict in BAD else 75) == error.exit_code
        assert "dev at bbbbbbb: because" == error.message
        assert "ENV" not in (error.hint or "")


def test_codes() -> None:
    """The word in JSON tells what is unhealthy, superseded, or too slow."""
    assert isinstance(report("degraded").error, Unhealthy)
    assert isinstance(report("superseded").error, Conflict)
    assert isinstance(report("progressing").error, TimedOut)


def test_troubles_are_reasons() -> None:
    """What is not well in the cluster is told with the error."""
    error = report("degraded", diagnoses=(Diagnosis("Pod x", "CrashLoopBackOff"),)).error

    assert error is not None
    assert ("Pod x: CrashLoopBackOff",) == error.reasons


def test_worst_error() -> None:
    """Of several waits not healthy goes before not known, and both before healthy."""
    good, late, bad = report("stable"), report("progressing"), report("degraded")

    assert worst_error((good,)) is None
    assert isinstance(worst_error((good, late)), TimedOut)
    assert isinstance(worst_error((late, bad, good)), Unhealthy)
