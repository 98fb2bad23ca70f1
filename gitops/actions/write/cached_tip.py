"""A write on the tip that an earlier call left on this machine, without asking for the newest one.

It is a bet. A push moves a branch from exactly one commit, so when it lands the tip was the newest,
and with it all that was read from it: policy, holds, overlays. Whatever else comes of it may be out
of date and counts for nothing: a refusal, nothing to do, something that is not there.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from gitops.actions.context.holds import refuse_orphaned
from gitops.actions.context.plan import NoOtherTry, Plan
from gitops.actions.context.policy_branch import check_policy, check_trunk, tip_of
from gitops.actions.context.session import Session, Tip
from gitops.actions.write.push import Sent, prepare, push
from gitops.errors import GitopsError, NoAtomicPush, TimedOut, Unavailable
from gitops.ports import Snapshot, Unproven


class CachedTipPush(Struct, frozen=True):
    """A push on a remembered tip: it landed, or nobody knows whether it did."""

    sent: Sent
    landed: bool


def try_cached_tip(
    session: Session, plan: Callable[[Tip], Plan], snapshot: Snapshot
) -> CachedTipPush | None:
    """Try `plan` on the remembered tip; None when that tip proves nothing, and nothing landed.

    Raises what the server says against the push.
    """
    if _leaves_the_way(session, snapshot.commit):
        return None
    try:
        tip = tip_of(session, snapshot)
        if session.branch is None and tip.config.branch not in (None, snapshot.branch):
            return None
        check_trunk(tip)
        wanted = plan(tip)
        check_policy(session, tip, wanted.targets)
        if wanted.judged:
            refuse_orphaned(tip.read().values(), tip.config)
        sent = prepare(session, tip, wanted)
    except (GitopsError, Unproven, NoOtherTry):
        return None
    if not sent.updates:
        return None
    try:
        return CachedTipPush(sent, landed=True) if push(session, sent) is None else None
    except (Unproven, NoAtomicPush):
        return None
    except (Unavailable, TimedOut) as error:
        session.retry(error.message, "trying again")
        return CachedTipPush(sent, landed=False)


def _leaves_the_way(session: Session, commit: str) -> bool:
    """Pause, where the remembered commit tells of writers that wait for long; say whether."""
    from gitops.core.batch.turns import courtesy, waited

    try:
        message, made = session.repository.message(commit)
    except GitopsError:
        return False  # the plan meets it again
    longest = courtesy(session.clock.now().timestamp() - made, waited(message, made))
    if longest > 0.0:
        session.clock.pause(min(longest, session.budget))
    return longest > 0.0
