"""`gitops history`: the releases of one overlay, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from gitops.actions.context.named import find_overlay
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView, view_of, views_of
from gitops.actions.releases.history import gather_releases, releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.core.kustomization.image import ImageChange, ImageValue
from gitops.core.releases.lineage import trace
from gitops.core.releases.release import Release
from gitops.core.releases.selection import NeedMore
from gitops.core.report import HistoryReport, NewestChange
from gitops.core.text.counting import counted_stream


def history(
    session: Session, environment: str, *, app: str | None = None, limit: int = 20
) -> HistoryReport:
    """Return the newest `limit` releases of an environment (0: all), with what was said of them."""
    tip = open_tip(session, lenient=True)
    overlay = find_overlay(tip, environment, app)
    view = view_of(session, tip, overlay)
    stream = releases_of(view)
    told = counted_stream(session.count, "reading releases", stream)
    found = tuple(told if limit == 0 else islice(told, limit + 1))
    shown = found[:limit] if limit else found
    ledger = ledger_of(view, on=shown, unbarred=True)
    return HistoryReport(
        overlay,
        tip.branch_of(overlay.environment),
        shown,
        more=len(found) > len(shown),
        words=ledger.words(shown),
        undone=_undone(found, complete=len(found) == len(shown)),
        warnings=(*filter(None, [tip.problem, stream.unseen()]), *ledger.warnings),
    )


def _undone(releases: Sequence[Release], *, complete: bool) -> dict[str, str]:
    """Return rollback -> undo, as far as `releases` tell."""
    try:
        undone = trace(releases, complete=complete).undone
    except NeedMore:
        return {}
    return {releases[rolled].commit: releases[by].commit for rolled, by in undone.items()}


def newest_changes(session: Session) -> tuple[NewestChange, ...]:
    """Return what is new in each overlay, the newest change first, but for checkouts."""
    tip = open_tip(session, lenient=True)
    found = [view for view in views_of(session, tip) if view.row.change != "work-tree"]
    gather_releases(found)
    return tuple(sorted(map(_newest_change, found), key=_age, reverse=True))


def _newest_change(view: OverlayView) -> NewestChange:
    found = list(islice(releases_of(view), 2))
    if not found:
        return NewestChange(view.overlay, None)
    then = (found[1].images or {}) if len(found) > 1 else {}
    changes = tuple(
        ImageChange(image, then.get(image, ImageValue()), value)
        for image, value in (found[0].images or {}).items()
        if then.get(image) != value
    )
    return NewestChange(view.overlay, found[0], changes)


def _age(entry: NewestChange) -> float:
    time = entry.release.time if entry.release is not None else None
    return time.timestamp() if time is not None else 0.0
