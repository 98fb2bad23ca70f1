"""A rollback across a breaking change of the database's schema: never without somebody's word."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.actions.context.view import OverlayView
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.rollback_plan import RollbackRequest
from gitops.core.kustomization.image import ImageChange
from gitops.core.releases.crossed import crossed
from gitops.core.releases.release import Release
from gitops.core.releases.selection import describe
from gitops.errors import Refused


def check_schema(
    view: OverlayView,
    restored: Release,
    changes: Sequence[ImageChange],
    request: RollbackRequest,
) -> tuple[Release, ...]:
    """Return the breaking releases that lie on the way back to `restored`, newest first.

    Raises Refused where there are some and nobody took the risk: nothing that goes back by itself
    does.
    """
    if view.row.change == "work-tree":
        return ()
    over = crossed(releases_of(view), restored, [change.image for change in changes])
    if not over or request.schema_risk:
        return over
    reasons = tuple(
        f"{view.label}: {describe(one)} changed the schema of the database so that what was there "
        "before does not run on it"
        for one in over
    )
    raise Refused(
        f"{view.label}: going back to {describe(restored)} crosses a breaking change of the "
        f"database's schema, {describe(over[0])}",
        reasons=reasons,
        hint="migrations only go forward: fix it with a newer release, or, where you know that the "
        "older one runs on the schema of now, --accept-schema-risk",
    )


def told_risks(over: Sequence[Release]) -> tuple[str, ...]:
    """Say of each breaking release that is crossed that it is."""
    return tuple(f"crosses a breaking change of the schema: {describe(one)}" for one in over)
