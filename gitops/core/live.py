"""What runs now, as `status` shows it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from gitops.core.application import ApplicationRef
from gitops.core.health import State


class LiveApplication(Struct, frozen=True):
    """One Application that feeds an overlay.

    Attributes:
        state, text: seen from the newest release; see `core/health.py`.
        sync, health: Argo CD's words.
        revision: the commit that it is at, None when it does not know.
        release: the release that is in force there, None when that is not on the branch.
        since: from when on its health has been so, on the cluster's clock.
        drift: live images that Git does not ask for there.
        rollouts: where each Rollout stands, in words.
    """

    ref: ApplicationRef
    state: State
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
