"""`gitops history`: the releases of one overlay, newest first."""

from __future__ import annotations

from itertools import islice

from gitops.actions.context.overlays import find_overlay
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.context.view import view_of
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.core.report import HistoryReport


def history(
    session: Session, environment: str, *, app: str | None = None, limit: int = 20
) -> HistoryReport:
    """Return the newest `limit` releases of an environment (0: all), with what was said of them."""
    tip = open_tip(session, lenient=True)
    overlay = find_overlay(tip, environment, app)
    view = view_of(session, tip, overlay)
    stream = releases_of(view)
    found = tuple(stream) if limit == 0 else tuple(islice(stream, limit + 1))
    shown = found[:limit] if limit else found
    sets = {frozenset(release.images.items()) for release in shown if release.images}
    ledger = ledger_of(view, about=lambda images: frozenset(images.items()) in sets)
    return HistoryReport(
        overlay,
        tip.branch_of(overlay.environment),
        shown,
        more=len(found) > len(shown),
        words=ledger.words(shown),
        warnings=(*filter(None, [tip.problem, stream.unseen()]), *ledger.warnings),
    )
