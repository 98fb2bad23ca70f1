"""Go back by itself from a release that is Degraded, for those who asked for it.

Nobody looks on, so it never guesses: only from the newest release, only to one that was seen
stable, once. Whatever else there is to decide stays with people: then it says why it stayed.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import islice
from typing import Final

from msgspec.structs import replace

from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.core.argocd.reports import Comeback
from gitops.core.environments.environment import Overlay
from gitops.core.kustomization.image import describe_value
from gitops.core.releases.release import Release
from gitops.core.releases.selection import Choice, describe
from gitops.core.text.plain import one_line
from gitops.errors import Refused

_QUIET: Final = timedelta(hours=1)
"""How long after a rollback, anybody's, the next one is left to people."""

_READ = 100  # releases; what lies deeper is no part of today's incident


def recover(session: Session, overlay: Overlay, bad: Release, why: str) -> Comeback:
    """Roll an overlay back from `bad`, with a hold; `why` stands in the commit.

    Two that see the same do it once: then the outcome is `unchanged`.

    Raises Refused with the first reason why it is left to people, and what `rollback` raises.
    """
    key = f"{session.intent} recover {bad.commit}"
    own = replace(session, intent=hashlib.sha256(key.encode()).hexdigest()[:32], before_write=None)
    request = RollbackRequest(
        environment=overlay.environment.name,
        app=overlay.app,
        bad=bad.commit,
        reason=one_line(f"{bad.commit[:7]} was Degraded: {why}", 300),
    )
    done = rollback(own, request, guard=_Guard(bad).check)
    changes = (entry.change for entry in done.changes)
    return Comeback(
        done.outcome,
        done.commit,
        done.branch,
        tuple(
            f"{one.image} {describe_value(one.before)} -> {describe_value(one.after)}"
            for one in changes
        ),
    )


class _Guard:
    """What must be true of an overlay before anything is restored there unasked."""

    def __init__(self, bad: Release) -> None:
        self._bad = bad

    def check(self, view: OverlayView, choice: Choice) -> None:
        """Raise Refused with the first reason why not."""
        hold = view.hold
        if hold is not None:
            raise Refused(f"{view.label} is held by {hold.by}: {hold.reason}")
        self._check_past(view)
        target = choice.release
        if target is None:
            return
        if not ledger_of(view).verdicts([target]).is_stable(target.commit):
            raise Refused(f"{view.label} has no earlier release that was seen stable to go back to")

    def _check_past(self, view: OverlayView) -> None:
        """Never a second step back, nor one that somebody took back on purpose."""
        past = list(islice(releases_of(view), _READ))
        newest = past[0] if past else None
        if newest is not None and newest.action == "rollback":
            raise Refused(f"{describe(newest)} is a rollback itself: no second step back by itself")
        images = {one.commit: one.images for one in past}
        now = view.session.clock.now()
        for one in past:
            if one.action != "rollback":
                continue
            if one.time is not None and now - one.time < _QUIET:
                raise Refused(f"{view.label} was rolled back within the hour: {describe(one)}")
            taken = images.get(one.rolled_back or "")
            if taken is not None and taken == self._bad.images:
                raise Refused(
                    f"{describe(one)} took these images away, and somebody put them back on purpose"
                )
