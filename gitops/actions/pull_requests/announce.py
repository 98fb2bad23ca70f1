"""Tell the forge what a write or a verdict changed: light, so that most calls load no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from gitops.actions.context.overlays import overlays_of
from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.core.environments.environment import Overlay, asks_for_approval
from gitops.core.report import WriteReport


def with_pull_requests(session: Session, report: WriteReport) -> WriteReport:
    """Give the proposals that `report` tells of their pull requests. See `publish`."""
    if not report.proposals:
        return report
    from gitops.actions.pull_requests.publish import publish  # only where somebody reads it

    return publish(session, report)


def with_fresh_texts(
    session: Session, report: WriteReport, overlays: Iterable[Overlay]
) -> WriteReport:
    """Bring the pull requests of what was written up to date; warnings go into the report."""
    asking = [one for one in overlays if asks_for_approval(one.environment)]
    if not asking:
        return report
    from gitops.actions.pull_requests.publish import refresh  # only where somebody must agree

    return replace(report, warnings=report.warnings + refresh(session, asking))


def update_pull_requests(session: Session, views: Sequence[OverlayView]) -> tuple[str, ...]:
    """Bring the pull requests up to date that quote what is said of these; return warnings."""
    if session.dry_run:
        return ()
    found = dict.fromkeys(one for view in views for one in _quoting(view))
    if not found:
        return ()
    from gitops.actions.pull_requests.publish import refresh  # most verdicts are quoted nowhere

    return refresh(session, found)


def _quoting(view: OverlayView) -> Iterator[Overlay]:
    """Yield the overlays whose pull requests quote what is said of one."""
    tip, name = view.tip, view.row.name
    for row in tip.config.environments:
        if name in (row.name, *row.after) and asks_for_approval(row):
            found = overlays_of(tip.of(row), row)
            yield from (one for one in found if view.overlay.app in (None, one.app))
