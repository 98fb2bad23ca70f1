"""`gitops history`: the releases of one overlay, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gitops.actions.overlays import find_overlay
from gitops.actions.session import Session, Tip, open_tip
from gitops.core.environment import Overlay
from gitops.core.history import Release, releases
from gitops.core.report import HistoryReport


def releases_of(session: Session, tip: Tip, overlay: Overlay) -> Iterator[Release]:
    """Yield the overlay's releases, newest first, reading no deeper than the caller iterates."""
    versions = session.repository.history(tip.snapshot.commit, overlay.directory)
    return releases(versions, environment=overlay.label)


def history(
    session: Session, environment: str, *, app: str | None = None, limit: int = 20
) -> HistoryReport:
    """Return the newest `limit` releases of an environment (0: all of them)."""
    tip = open_tip(session)
    overlay = find_overlay(tip.snapshot, tip.config, environment, app)
    stream = releases_of(session, tip, overlay)
    if limit == 0:
        return HistoryReport(overlay, tuple(stream))
    found = tuple(islice(stream, limit + 1))
    return HistoryReport(overlay, found[:limit], more=len(found) > limit)
