"""The releases of one overlay, read no deeper than they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import TypeVar

from gitops.actions.context.view import OverlayView
from gitops.actions.releases.renames import Past, WrittenHolds, followed
from gitops.core.environments.environment import Overlay
from gitops.core.git.commit import CommitInfo
from gitops.core.releases.history import OverlayVersion, releases
from gitops.core.releases.lookup import read_until_sure
from gitops.core.releases.release import Release
from gitops.core.text.plain import day
from gitops.errors import NotFound, Refused

Answer = TypeVar("Answer")


class Releases(Iterator[Release]):
    """The releases of one overlay, newest first, read no deeper than the caller iterates.

    Attributes:
        cut: once all were read, the oldest commit that can be read where there are older ones
            that cannot (the repository is shallow); None where there are none.
    """

    def __init__(self, past: Past, overlay: Overlay, commit: str, place: str) -> None:
        self.cut: CommitInfo | None = None
        self._place = place
        self._holds = WrittenHolds(past, overlay)
        labels = [*overlay.labels]
        versions = self._watched(followed(past, overlay, commit, labels))
        self._stream = releases(versions, environment=labels, holds=self._holds)

    def __next__(self) -> Release:
        return next(self._stream)

    def until_sure(
        self, answer: Callable[[Sequence[Release], bool], Answer], *before: Release
    ) -> Answer:
        """Return what `answer` says of the releases, `before` in front; see `read_until_sure`.

        A no says with it how much of the past cannot be read.
        """
        try:
            return read_until_sure(chain(before, self), answer)
        except (NotFound, Refused) as error:
            error.reasons += self.unseen_reasons()
            raise

    def unseen_reasons(self) -> tuple[str, ...]:
        """Return `unseen` as reasons, or warnings: none or one."""
        return tuple(filter(None, [self.unseen()]))

    def _watched(self, versions: Iterator[OverlayVersion]) -> Iterator[OverlayVersion]:
        for version in versions:
            if not version.complete:
                self.cut = version.commit
            self._holds.seen(version)
            yield version

    def unseen(self) -> str | None:
        """Say how much of the past cannot be read, None when that is nothing."""
        if self.cut is None:
            return None
        return (
            f"{self._place} holds no history before {self.cut.commit[:7]} of {day(self.cut.time)}: "
            "what was released earlier cannot be seen (git fetch --unshallow gets it)"
        )


def versions_of(view: OverlayView) -> Iterator[OverlayVersion]:
    """Return the versions of the overlay, newest first, through renames of its folder."""
    return followed(past_of(view), view.overlay, view.home.commit)


def past_of(view: OverlayView) -> Past:
    """Return what reads the past of the overlay's repository."""
    session = view.session
    evidence = session.evidence
    return Past(session.repository.history, evidence.at, evidence.changed, session.load_config)


def gather_releases(views: Sequence[OverlayView]) -> None:
    """Let the releases of many overlays be read at once, when they are asked for one by one."""
    for commit in dict.fromkeys(view.home.commit for view in views):
        directories = [one.overlay.directory for one in views if one.home.commit == commit]
        views[0].session.repository.gather(commit, directories)


def releases_of(view: OverlayView) -> Releases:
    """Return the overlay's releases, newest first."""
    place = view.session.repository.describe()
    return Releases(past_of(view), view.overlay, view.home.commit, place)


def has_one_release(view: OverlayView) -> bool:
    """Say whether the overlay has had no more than one release."""
    return len(list(islice(releases_of(view), 2))) < 2


def file_around(
    view: OverlayView, path: str, release: Release
) -> tuple[bytes | None, bytes | None]:
    """Return the file at `path` right before and right after a release, None for none."""
    at = view.session.evidence.at
    for version in versions_of(view):
        if version.commit.commit == release.commit:
            parents = version.commit.parents
            return at(parents[0]).read(path) if parents else None, at(release.commit).read(path)
    return None, None
