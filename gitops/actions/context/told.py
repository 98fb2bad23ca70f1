"""The branch of what people were told: a few small files, each moved by whoever read it last."""

from __future__ import annotations

from gitops.actions.context.session import Session
from gitops.core.notifications.told import TOLD_BRANCH
from gitops.errors import NotFound
from gitops.ports import NewCommit, RefUpdate, Snapshot

_TRIES = 5


def told_files(session: Session) -> Snapshot | None:
    """Return the branch as it is now, None where there is none yet."""
    try:
        return session.repository.snapshot(TOLD_BRANCH)
    except NotFound:
        return None


def keep_told(
    session: Session, path: str, content: bytes, known: Snapshot | None, message: str
) -> bool:
    """Put a file in place of the one that `known` has; False where somebody else did meanwhile.

    What moved beside it is no matter. Raises as pushing does.
    """
    was = known.read(path) if known is not None else None
    for _ in range(_TRIES):
        before = known.commit if known is not None else None
        commit = session.repository.create(
            NewCommit(
                parents=(before,) if before is not None else (),
                files={path: content},
                message=message,
                time=session.clock.now(),
            )
        )
        update = RefUpdate(f"refs/heads/{TOLD_BRANCH}", before, commit)
        if session.repository.push([update]) is None:
            return True
        known = told_files(session)
        if (known.read(path) if known is not None else None) != was:
            return False
    return False
