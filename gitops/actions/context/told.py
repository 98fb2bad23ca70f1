"""The branch of what people were told: a few small files, each moved by whoever read it last."""

from __future__ import annotations

from collections.abc import Callable

from gitops.actions.context.session import Session
from gitops.core.notifications.told import TOLD_BRANCH
from gitops.errors import Conflict, NotFound
from gitops.ports import NewCommit, RefUpdate, Snapshot

_TRIES = 5


class ToldFiles:
    """The files of the branch, as they are when this is made."""

    def __init__(self, session: Session) -> None:
        self._session = session
        try:
            self._tip: Snapshot | None = session.repository.snapshot(TOLD_BRANCH)
        except NotFound:
            self._tip = None

    def read(self, path: str) -> bytes | None:
        """Return a file, None where there is none."""
        return self._tip.read(path) if self._tip is not None else None

    def keep(self, path: str, content: bytes, message: str) -> bool:
        """Put a file in place of the one that was read; False where somebody else did meanwhile.

        What moved beside it is no matter. Raises as pushing does.
        """
        files, repository = self, self._session.repository
        for _ in range(_TRIES):
            before = files._tip.commit if files._tip is not None else None
            commit = repository.create(
                NewCommit(
                    parents=(before,) if before is not None else (),
                    files={path: content},
                    message=message,
                    time=self._session.clock.now(),
                )
            )
            if repository.push([RefUpdate(f"refs/heads/{TOLD_BRANCH}", before, commit)]) is None:
                return True
            files = ToldFiles(self._session)
            if files.read(path) != self.read(path):
                return False
        return False


def change_told(
    session: Session,
    path: str,
    change: Callable[[ToldFiles], bytes | None],
    message: str,
    trouble: str,
) -> None:
    """Put what `change` makes of the newest files in place of the one at `path`; None: it stays.

    Raises Conflict, in words that begin with `trouble`, where others are always quicker; and as
    pushing does.
    """
    for _ in range(_TRIES):
        files = ToldFiles(session)
        content = change(files)
        if content is None or files.keep(path, content, message):
            return
    raise Conflict(f"{trouble}: others write there all the time")
