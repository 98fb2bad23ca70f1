"""The past of one overlay as a page tells it: each release with what it changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.environments.environment import label_of
from gitops.core.git.message import reason_of
from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger.verdicts import CountedVerdict
from gitops.core.releases.bots import bot_of
from gitops.core.releases.release import Release
from gitops.core.report import HistoryReport
from gitops.errors import NotFound

if TYPE_CHECKING:
    from gitops.actions.context.session import Session

Change = tuple[str, ImageValue | None, ImageValue | None]
"""An image, what it was before and what it is after; None: no entry."""

_FIRST = 60  # releases that are looked at for one of them, before all are


class TimelineEntry(Struct, frozen=True):
    """One release.

    Attributes:
        maker: who, and which machine where it was one.
        undone_by: the commit that undid it, where it was a rollback that somebody undid.
        reason: what whoever did it said, None when they said nothing.
    """

    release: Release
    changes: tuple[Change, ...]
    words: tuple[CountedVerdict, ...]
    is_current: bool
    maker: str
    undone_by: str | None = None
    reason: str | None = None

    @property
    def kind(self) -> str:
        """How it is marked."""
        if any(word.verdict in ("degraded", "qa-failed") for word in self.words):
            return "bad"
        if self.release.action in ("rollback", "undo"):
            return "rollback"
        return "current" if self.is_current else ""

    @property
    def source(self) -> str | None:
        """The source revision, where all images have the same."""
        told = {self.release.source, *self.release.sources.values()} - {None}
        return next(iter(told)) if len(told) == 1 else None


class Timeline(Struct, frozen=True):
    """Releases, newest first."""

    entries: tuple[TimelineEntry, ...]
    more: bool
    warnings: tuple[str, ...]


class ReleasePage(Struct, frozen=True):
    """One release, and the whole message of its commit."""

    entry: TimelineEntry
    message: str


def read_timeline(session: Session, environment: str, app: str | None, limit: int) -> Timeline:
    """Read the newest `limit` releases (0: all). Raises as `gitops history` does."""
    from gitops.actions.history import history

    # One more is read, because what a release changed is told by the one before.
    report = history(session, environment, app=app, limit=limit + 1 if limit else 0)
    entries = tuple(_with_reasons(session, _entries(report)))
    more = report.more or (0 < limit < len(entries))
    return Timeline(entries[:limit] if limit else entries, more, report.warnings)


def read_release(session: Session, environment: str, app: str | None, commit: str) -> ReleasePage:
    """Read one release by the first digits of its commit, 7 at least. Raises NotFound."""
    wanted = commit.lower()
    for limit in (_FIRST, 0):
        timeline = read_timeline(session, environment, app, limit)
        found = [one for one in timeline.entries if one.release.commit.startswith(wanted)]
        if found or not timeline.more:
            break
    if len(wanted) < 7 or len(found) != 1:
        raise NotFound(f"{commit[:64]} is no release of {label_of(environment, app)}")
    if session.archive is None:
        return ReleasePage(found[0], found[0].release.subject)
    return ReleasePage(found[0], session.archive().info(found[0].release.commit).message)


def _with_reasons(session: Session, entries: Iterator[TimelineEntry]) -> Iterator[TimelineEntry]:
    """Yield the entries with what the messages of their commits say of why."""
    archive = session.archive() if session.archive is not None else None
    for entry in entries:
        if archive is None or entry.release.action is None:
            yield entry
            continue
        info = archive.info(entry.release.commit)
        reasons = (reason_of(text) for text in (info.message, *info.merged))
        yield replace(entry, reason=next(filter(None, reasons), None))


def _entries(report: HistoryReport) -> Iterator[TimelineEntry]:
    for index, release in enumerate(report.releases):
        older = report.releases[index + 1] if index + 1 < len(report.releases) else None
        if older is None and report.more:
            return
        bot = bot_of(release)
        yield TimelineEntry(
            release=release,
            changes=tuple(changes_of(release.images, older.images if older is not None else {})),
            words=tuple(report.words.get(release.commit, ())),
            is_current=index == 0,
            maker=release.author.name if bot is None else f"{release.author.name} ({bot})",
            undone_by=report.undone.get(release.commit),
        )


def changes_of(
    after: Mapping[str, ImageValue] | None, before: Mapping[str, ImageValue] | None
) -> Sequence[Change]:
    """Return what differs; nothing where either side cannot be read."""
    if after is None or before is None:
        return ()
    names = [*after, *(image for image in before if image not in after)]
    return [
        (image, before.get(image), after.get(image))
        for image in names
        if before.get(image) != after.get(image)
    ]
