"""Go back by itself from a release that is Degraded, for those who asked for it.

Nobody looks on, so it never guesses: only from the newest release, only to one that was seen
stable, once. Whatever else there is to decide stays with people: then it says why it stayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Final, Protocol

from msgspec.structs import replace

from gitops.actions.argocd.observer import DegradedRelease, ObserverState
from gitops.actions.context.named import Named
from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.actions.releases.rollback_plan import RollbackRequest
from gitops.core.argocd.reports import Comeback, WatchEvent
from gitops.core.environments.environment import Overlay
from gitops.core.git.commit import derived_id
from gitops.core.kustomization.image import describe_value
from gitops.core.releases.release import Release
from gitops.core.releases.selection import Choice, describe
from gitops.core.report import WriteReport
from gitops.core.text.plain import one_line
from gitops.errors import Denied, GitopsError, Refused, TryAgain

_QUIET: Final = timedelta(hours=1)
"""How long after a rollback, anybody's, the next one is left to people."""

_AT_ONCE: Final = 300.0
"""Seconds within which releases that go bad count as going bad at once."""

_MANY: Final = 3
_SHARE: Final = 0.2
"""So many overlays, and such a share of all, that go bad at once stop every way back by itself."""

_READ = 100  # releases; what lies deeper is no part of today's incident


class RollBack(Protocol):
    """`actions.rollback.rollback`, which stands above this room."""

    def __call__(
        self,
        session: Session,
        request: RollbackRequest,
        *,
        guard: Callable[[OverlayView, Choice], None] | None,
    ) -> WriteReport:
        """Restore an earlier release, unless `guard` raises."""
        ...


def recover(
    session: Session, overlay: Overlay, bad: Release, why: str, roll_back: RollBack
) -> Comeback:
    """Roll an overlay back from `bad`, with a hold; `why` stands in the commit.

    Two that see the same do it once: then the outcome is `unchanged`.

    Raises Refused with the first reason why it is left to people, and what `rollback` raises.
    """
    name = derived_id(session.intent, f"recover {bad.commit}")
    own = replace(session, intent=name, before_write=None)
    done = go_back(own, overlay, bad, f"{bad.commit[:7]} was Degraded: {why}", roll_back)
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


def go_back(
    session: Session, overlay: Overlay, bad: Release, reason: str, roll_back: RollBack
) -> WriteReport:
    """Roll an overlay back from `bad` as nobody who looks on may: see `recover`."""
    request = RollbackRequest(
        named=Named((overlay.label,)), bad=bad.commit, reason=one_line(reason, 300)
    )
    return roll_back(session, request, guard=_Guard(bad).check)


def recover_all(
    session: Session, known: ObserverState, watched: int, roll_back: RollBack
) -> Iterator[WatchEvent]:
    """Go back where `onAlert: rollback` says so, from what `known` holds to be degraded.

    Each release is decided once. When many go bad at once it is seldom their doing: then nothing
    goes back until it is fewer, and people are told.

    Args:
        watched: how many overlays there are.
    """
    now = session.clock.monotonic()
    at_once = [one for one in known.degraded.values() if now - one.since < _AT_ONCE]
    is_broken = len(at_once) >= max(_MANY, watched * _SHARE)
    for label, one in list(known.degraded.items()):
        key = (label, one.release.commit)
        if one.overlay.environment.on_alert != "rollback" or key in known.settled:
            continue
        if is_broken:
            yield from _told(known, one, f"{len(at_once)} environments went bad at once")
            continue
        try:
            back = recover(session, one.overlay, one.release, one.why, roll_back)
        except (TryAgain, Denied) as error:
            yield from _told(known, one, error.message)  # tried again at the next look
            continue
        except GitopsError as error:
            known.settled.add(key)
            yield from _told(known, one, error.message)
            continue
        known.settled.add(key)
        yield WatchEvent(one.overlay, str(back), one.release.commit, went_back=back.commit)


def _told(known: ObserverState, one: DegradedRelease, why: str) -> Iterator[WatchEvent]:
    """Say once why a release is not rolled back."""
    text = f"not rolled back by itself: {why}"
    event = WatchEvent(one.overlay, text, one.release.commit, is_trouble=True)
    return known.once(f"{one.overlay.label} back", event)


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
