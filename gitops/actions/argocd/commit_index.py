"""Where the commits that Argo CD names stand in Git, seen from the releases of one overlay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from gitops.actions.argocd.branch_line import BranchLine
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.releases.history import releases_of
from gitops.core.argocd.health import RevisionPosition
from gitops.core.releases.release import Release
from gitops.ports import Snapshot

_AGAIN = 5.0  # seconds before an unknown commit makes us read the branch once more


class CommitIndex:
    """Asks Git about one overlay, and remembers.

    Args:
        follows: Argo CD may be ahead of the tip, so the branch is read again when that seems so.
        newest: the newest release, where that is known: older ones are read when they are needed.
        line: tells the order of commits of the branch, where somebody keeps it.
        at: what was found before of the same overlay: commit -> the release in force there.

    Attributes:
        view: the overlay as it was read last.
    """

    def __init__(
        self,
        view: OverlayView,
        *,
        follows: bool = True,
        newest: Release | None = None,
        line: BranchLine | None = None,
        at: Mapping[str, Release] | None = None,
    ) -> None:
        self._session = view.session
        self._follows = follows
        self._line = line
        self._read: list[Release] = [newest] if newest is not None else []
        self._stream: Iterator[Release] | None = None
        self._at: dict[str, Release | None] = {**at} if at is not None else {}
        self._places: dict[tuple[str, str], RevisionPosition] = {}
        self._looked: float | None = None
        self.view = view

    @property
    def head(self) -> Snapshot:
        """The newest commit of the overlay's branch, as it was read last."""
        return self.view.home

    @property
    def in_force(self) -> Mapping[str, Release]:
        """What is known: commit -> the release in force there, which stays as long as Git does."""
        return {commit: found for commit, found in self._at.items() if found is not None}

    def renew(self) -> bool:
        """Read the branch again; True when it moved. Raises what reading Git raises."""
        before = self.head.commit
        tip = open_tip(self._session)
        self.view = view_of(self._session, tip, self.view.overlay)
        if self.head.commit == before:
            return False
        self._read, self._stream, self._at, self._places = [], None, {}, {}
        return True

    def newest(self) -> Release | None:
        """Return the newest release, None when there is none."""
        return next(self.releases(), None)

    def releases(self) -> Iterator[Release]:
        """Yield the releases, newest first, reading no deeper than the caller iterates."""
        index = 0
        while True:
            while index < len(self._read):
                yield self._read[index]
                index += 1
            if self._stream is None:
                known = len(self._read)
                self._stream = islice(releases_of(self.view), known, None)
            following = next(self._stream, None)
            if following is None:
                return
            self._read.append(following)

    def release_at(self, commit: str) -> Release | None:
        """Return the release that is in force at `commit`, None when it is not on the branch.

        With `follows`, a commit that was never heard of makes it read the branch again, now and
        then; until it may, nothing is known of that commit.
        """
        if commit in self._at:
            return self._at[commit]
        if self._follows and commit != self.head.commit:
            now = self._session.clock.monotonic()
            if self._looked is not None and now - self._looked < _AGAIN:
                return None
            self._looked = now
            self.renew()
        found = self._find(commit)
        if found is not None or not self._follows:
            self._at[commit] = found
        return found

    def place(self, commit: str, release: Release) -> RevisionPosition:
        """Say where `commit` stands, seen from `release`."""
        there = self.release_at(commit)
        if there is None:
            return "unknown"
        key = (commit, release.commit)
        if key not in self._places:
            self._places[key] = self._place(commit, there, release)
        return self._places[key]

    def _place(self, commit: str, there: Release, release: Release) -> RevisionPosition:
        if there.commit == release.commit:
            return "at"
        line = self._line
        older = line.is_older(commit, release.commit) if line is not None else None
        if older is None:
            contains = self._session.evidence.contains
            older = not contains(self.head.commit, commit, release.commit)
        if older:
            return "before"
        return "at" if there.images == release.images else "other"

    def _find(self, commit: str) -> Release | None:
        newest = self._read[0] if self._read else None
        if self._line is not None and newest is not None:
            if self._line.contains(commit, newest.commit):
                return newest
            if self._line.is_foreign(commit):
                return None
        contains = self._session.evidence.contains
        head = self.head.commit
        if commit != head and not contains(head, head, commit):
            return None
        for release in self.releases():
            if contains(head, commit, release.commit):
                return release
        return None
