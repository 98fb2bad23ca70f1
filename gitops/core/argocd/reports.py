"""What `wait`, `watch` and `status` tell of releases in clusters; the exit codes of `wait`."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from gitops.core.argocd.application import ApplicationRef
from gitops.core.argocd.diagnosis import Diagnosis
from gitops.core.argocd.health import Observation, ReleaseState
from gitops.core.argocd.stability import BAD, StabilityAnswer
from gitops.core.environments.environment import Overlay
from gitops.core.releases.release import Release
from gitops.errors import Conflict, GitopsError, TimedOut, Unhealthy

WaitVerdict = StabilityAnswer | ReleaseState
"""An answer, or the state that everything was in when the time was over."""

_RETURNED: Final = "`gitops undo ENV` takes that back; `gitops resume ENV` lifts the hold"

GOOD: Final = frozenset({"healthy", "stable"})

_HINTS: Final = {
    "unseen": "Argo CD has not looked at it, or cannot: is its Git access in order?",
    "syncing": "out of sync and no sync begins: a sync window, a rolling ApplicationSet, argo-cd "
    "issue 27875, or manifest-generate-paths and a repository that Argo CD was not told of "
    "(`argocd repo add`)",
    "retrying": "`argocd app terminate-op NAME` ends the tries; "
    "`syncPolicy.retry.refresh: true` lets them take the newest commit",
    "manual": "sync it by hand, or switch its auto-sync on",
    "suspended": "a person promotes or aborts it: `kubectl argo rollouts promote NAME`",
    "frozen": "take the annotation argocd.argoproj.io/skip-reconcile away",
    "superseded": "`gitops wait ENV` waits for the newest one; --follow goes on with it",
    "degraded": "`gitops rollback ENV` goes back to the last stable release",
    "unrendered": "`gitops rollback ENV` goes back to the last stable release",
    "failed": "`gitops rollback ENV` goes back to the last stable release",
}


class Comeback(Struct, frozen=True):
    """A rollback that came by itself.

    Attributes:
        outcome: `committed`, `proposed`, or `unchanged` where somebody else was faster.
        commit: of the rollback or its proposal, all digits.
        changes: each image that it restored, in words.
    """

    outcome: str
    commit: str | None = None
    branch: str | None = None
    changes: tuple[str, ...] = ()

    def __str__(self) -> str:
        at = (self.commit or "")[:7]
        if self.outcome == "committed":
            return f"rolled back by {at}"
        if self.outcome == "proposed":
            return f"a rollback is proposed at {at}"
        return "it was rolled back already"


class WaitReport(Struct, frozen=True):
    """What became of one release of one overlay.

    Attributes:
        release: None when Git never asked for what was waited for (`--for`).
        verdict: `healthy`: live and Healthy in two readings; `stable`: that for the whole soak.
        message: one sentence on why, for people.
        observations: of the last reading.
        diagnoses: what is not well in the cluster, where that can be read.
        since: from when on it has been so, on the cluster's clock.
        recorded: the verdict that was written to the ledger, or stood there already; else None.
        notes: what happened on the way (superseded, a refresh that was not allowed).
        went_back: the rollback that was made because of it, where that was asked for.
        stayed: why none was made, although it was asked for.
    """

    overlay: Overlay
    release: Release | None
    verdict: WaitVerdict
    message: str
    observations: tuple[Observation, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    since: datetime | None = None
    recorded: Literal["stable", "degraded"] | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    went_back: Comeback | None = None
    stayed: str | None = None

    @property
    def name(self) -> str:
        """What messages call it: `dev at 5f2c5f2`."""
        at = f" at {self.release.commit[:7]}" if self.release is not None else ""
        return f"{self.overlay.label}{at}"

    @property
    def error(self) -> GitopsError | None:
        """The error that this is: None for a release that is healthy."""
        if self.verdict in GOOD:
            return None
        text = f"{self.name}: {self.message}"
        reasons = tuple(str(one) for one in self.diagnoses)
        hint = _HINTS.get(self.verdict)
        if self.went_back is not None:
            text += f"; {self.went_back}"
            hint = _RETURNED
        elif self.stayed is not None:
            reasons += (f"not rolled back by itself: {self.stayed}",)
        hint = hint.replace("ENV", self.overlay.typed) if hint is not None else None
        kind: type[GitopsError] = TimedOut
        if self.verdict in BAD:
            kind = Unhealthy
        elif self.verdict == "superseded":
            kind = Conflict
        return kind(text, hint=hint, reasons=reasons)


def worst_error(reports: tuple[WaitReport, ...]) -> GitopsError | None:
    """Return the error of several waits: not healthy goes before not known."""
    errors = [error for report in reports if (error := report.error) is not None]
    return min(errors, key=lambda error: error.exit_code, default=None)


class LiveApplication(Struct, frozen=True):
    """One Application that feeds an overlay.

    Attributes:
        state, text: seen from the newest release; see `core/argocd/health.py`.
        sync, health: Argo CD's words.
        revision: the commit that it is at, None when it does not know.
        release: the release that is in force there, None when that is not on the branch.
        since: from when on its health has been so, on the cluster's clock.
        drift: live images that Git does not ask for there.
        rollouts: where each Rollout stands, in words.
    """

    ref: ApplicationRef
    state: ReleaseState
    text: str
    sync: str
    health: str
    revision: str | None = None
    release: str | None = None
    since: datetime | None = None
    drift: tuple[str, ...] = ()
    rollouts: tuple[str, ...] = ()


class Live(Struct, frozen=True):
    """What was found of one overlay.

    Attributes:
        problem: why there is no more to show (unreachable, no Application), None when there is.
    """

    applications: tuple[LiveApplication, ...] = ()
    problem: str | None = None


class WatchEvent(Struct, frozen=True):
    """One thing that changed.

    Attributes:
        overlay: None for what is about all of them (Git cannot be reached).
        commit: the release that it is about, None when there is none.
        verdict: what was written to the ledger, None when nothing was.
        is_trouble: something could not be looked at, or not be written.
        went_back: the commit of the rollback that was made because of it.
    """

    overlay: Overlay | None
    text: str
    commit: str | None = None
    verdict: Literal["stable", "degraded"] | None = None
    is_trouble: bool = False
    went_back: str | None = None
