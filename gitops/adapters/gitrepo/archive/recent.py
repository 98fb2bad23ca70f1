"""What was committed since a moment, read no deeper than that takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gitops.adapters.gitrepo.objects.source import Depth
from gitops.core.git.commit import CommitInfo


class NewestCommits(Protocol):
    """The part of `HistoryReader` that this needs."""

    def newest(self, commit: str, most: int) -> Sequence[CommitInfo]:
        """Return the newest `most` commits of all that `commit` has and the store holds."""
        ...


def made_since(
    reader: NewestCommits, source: Depth, commit: str, since: float, most: int
) -> tuple[CommitInfo, ...] | None:
    """Return the commits that `commit` has, made at `since` (seconds since 1970) or later.

    Git walks by date, so one that is older ends it. None where there are more than `most`, or
    where nobody has the history that would tell.
    """
    while True:
        found = reader.newest(commit, most + 1)
        late = [one for one in found if one.time is None or one.time.timestamp() >= since]
        if len(late) > most:
            return None
        if len(late) < len(found) or not source.store.boundary():
            return tuple(late)
        if not source.deepen([commit]):
            return None
