"""Can what a write brings about be waited for? Asked before anything is written."""

from __future__ import annotations

from collections.abc import Iterable

from gitops.actions.argocd.reading import WITHIN
from gitops.actions.argocd.tracking import no_application, read_feeds
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.core.environments.environment import Overlay
from gitops.ports import Cluster, Reading


def check_waitable(session: Session, tip: Tip, overlays: Iterable[Overlay]) -> None:
    """Ask the control planes of `overlays` for their Applications: client, context and rights.

    Raises NotFound (no cluster, no client, no context, no Application), Denied, Unavailable and
    TimedOut, as a wait would.
    """
    readings: dict[Cluster, Reading] = {}
    for overlay in overlays:
        if overlay.environment.change == "work-tree":
            continue
        view = view_of(session, tip, overlay)
        clusters = session.clusters.of(tip.config, overlay.environment, within=WITHIN)
        for cluster in clusters:
            if cluster not in readings:
                readings[cluster] = cluster.applications()
        found = read_feeds(view, [(cluster, readings[cluster]) for cluster in clusters])
        if not found.fed:
            raise no_application(view, found)
