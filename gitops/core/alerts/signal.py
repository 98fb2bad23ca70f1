"""What a cluster says of a release that is bad, as an alert: it passes the same guards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime

from gitops.core.alerts.alert import Alert
from gitops.core.argocd.reports import Live, LiveApplication
from gitops.core.argocd.stability import BAD
from gitops.core.text.plain import one_line


def signal_of(label: str, live: Live | None, now: datetime) -> Alert | None:
    """Return the alert that the newest release of an overlay gives rise to; None: none does.

    Args:
        live: what its clusters say; a cluster that cannot be read says nothing.
        now: when it was seen, where the cluster does not say since when.

    The same release in the same trouble is the same firing, whoever sees it and when.
    """
    if live is None or live.problem is not None:
        return None
    bad = next((one for one in live.applications if one.state in BAD), None)
    if bad is None or bad.release is None:
        return None
    aborted = next(_aborted(bad), None)
    name = "RolloutAborted" if aborted is not None else bad.state.capitalize()
    about = f"{label} {bad.release} {bad.ref} {name}"
    return Alert(
        fingerprint=hashlib.sha256(about.encode()).hexdigest()[:16],
        firing=True,
        labels={"alertname": name, "application": bad.ref.name},
        starts_at=bad.since or now,
        summary=one_line(f"{bad.ref.name}: {aborted or bad.text}", 300),
        by_cluster=True,
    )


def _aborted(one: LiveApplication) -> Iterator[str]:
    """Yield what an analysis, or a person, ended before it was through."""
    return (line for line in one.rollouts if ": aborted" in line)
