"""Tell the forge what a write or a verdict changed: light, so that most calls load no more."""

from __future__ import annotations

from gitops.actions.context.overlays import overlays_of
from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.core.environments.environment import asks_for_approval
from gitops.core.report import WriteReport


def with_pull_requests(session: Session, report: WriteReport) -> WriteReport:
    """Give the proposals of `report` their pull requests. See `publish`."""
    if not report.proposals:
        return report
    from gitops.actions.pull_requests.publish import publish  # only where somebody reads it

    return publish(session, report)


def update_pull_requests(view: OverlayView) -> tuple[str, ...]:
    """Bring the pull requests up to date that quote what is said of it; return warnings."""
    session, tip, name = view.session, view.tip, view.row.name
    rows = [row for row in tip.config.environments if name in (row.name, *row.after)]
    asking = [row for row in rows if asks_for_approval(row)]
    if session.dry_run or not asking:
        return ()
    from gitops.actions.pull_requests.publish import refresh  # most verdicts are quoted nowhere

    found = [one for row in asking for one in overlays_of(tip.of(row), row)]
    return refresh(session, [one for one in found if view.overlay.app in (None, one.app)])
