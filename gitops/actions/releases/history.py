"""The releases of one overlay, read no deeper than they are wanted."""

from __future__ import annotations

from collections.abc import Iterator

from gitops.actions.context.view import OverlayView
from gitops.core.environments.environment import Overlay
from gitops.core.git.commit import CommitInfo
from gitops.core.releases.history import OverlayVersion, Release, releases
from gitops.core.text.plain import day


class Releases(Iterator[Release]):
    """The releases of one overlay, newest first, read no deeper than the caller iterates.

    Attributes:
        cut: once all were read, the oldest commit that can be read where there are older ones
            that cannot (the repository is shallow); None where there are none.
    """

    def __init__(self, versions: Iterator[OverlayVersion], overlay: Overlay, place: str) -> None:
        self.cut: CommitInfo | None = None
        self._place = place
        self._stream = releases(self._watched(versions), environment=overlay.label)

    def __next__(self) -> Release:
        return next(self._stream)

    def _watched(self, versions: Iterator[OverlayVersion]) -> Iterator[OverlayVersion]:
        for version in versions:
            if not version.complete:
                self.cut = version.commit
            yield version

    def unseen(self) -> str | None:
        """Say how much of the past cannot be read, None when that is nothing."""
        if self.cut is None:
            return None
        return (
            f"{self._place} holds no history before {self.cut.commit[:7]} of {day(self.cut.time)}: "
            "what was released earlier cannot be seen (git fetch --unshallow gets it)"
        )


def releases_of(view: OverlayView) -> Releases:
    """Return the overlay's releases, newest first."""
    repository = view.session.repository
    versions = repository.history(view.home.commit, view.overlay.directory)
    return Releases(versions, view.overlay, repository.describe())
