"""Whether an alert takes a release back: every guard, in order; the first that says no is told.

Nobody looks on, so each says no where it does not know. The cases behind them: alerts of older
trouble, of a broken cluster, of several environments at once; a second step back; a release that
somebody put back on purpose; a body that was cut.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from gitops.core.alerts.alert import Alert
from gitops.core.environments.environment import OnAlert
from gitops.core.environments.rows import AlertRow
from gitops.core.text.plain import count, short_age

CLUSTER_ROW = AlertRow("what the cluster says", {})
"""The row of `alerts:` for what clusters say: that has its place, and is bounded as others are."""

AlertAction = Literal["none", "tell", "propose", "rollback"]

AT_ONCE = timedelta(minutes=5)
"""Within it, overlays that want to go back count as wanting it together."""

MANY = 3
SHARE = 0.2
"""So many overlays, and such a share of those released lately, are no release's doing."""


class AlertPlace(Struct, frozen=True):
    """What an alert is about, by the rows of `alerts:`."""

    row: AlertRow
    environment: str
    app: str | None

    @property
    def label(self) -> str:
        """What messages call the overlay."""
        return self.environment if self.app is None else f"{self.app}/{self.environment}"


class Unplaced(Struct, frozen=True):
    """Why an alert is about no overlay."""

    why: str


class AlertDecision(Struct, frozen=True):
    """What is done about an alert.

    Attributes:
        why: the first reason against more; "" when it goes back.
    """

    action: AlertAction
    why: str = ""


def place_of(
    alert: Alert, rows: Sequence[AlertRow], labels: Collection[str]
) -> AlertPlace | Unplaced:
    """Return the one overlay that an alert is about.

    Args:
        labels: all overlays, `ENV` or `APP/ENV`.
    """
    fitting = [row for row in rows if row.match.items() <= alert.labels.items()]
    if not fitting:
        return Unplaced("no row of `alerts` in gitops.yaml fits its labels")
    if len(fitting) > 1:
        names = ", ".join(row.name for row in fitting)
        return Unplaced(f"several rows of `alerts` fit its labels: {names}")
    row = fitting[0]
    environment = _value(alert, row.environment, row.environment_label)
    if environment is None:
        return Unplaced(f"it has no label {row.environment_label}, which says the environment")
    app = None
    if row.app is not None or row.app_label is not None:
        app = _value(alert, row.app, row.app_label)
        if app is None:
            return Unplaced(f"it has no label {row.app_label}, which says the app")
    found = AlertPlace(row, environment, app)
    if found.label not in labels:
        return Unplaced(f"there is no overlay {found.label}")
    return found


def _value(alert: Alert, fixed: str | None, label: str | None) -> str | None:
    if fixed is not None:
        return fixed
    return alert.labels.get(label or "") or None


def untimely(alert: Alert, live_since: datetime | None, within: float, release: str) -> str | None:
    """Return why an alert is not of a release that is live since then; None: it may be.

    `release`: what messages call it.
    """
    if not alert.firing:
        return "it has ended"
    if live_since is None:
        return f"nobody knows since when {release} is live"
    if alert.starts_at < live_since:
        before = short_age((live_since - alert.starts_at).total_seconds())
        return f"it began {before} before {release}: older trouble is seldom its doing"
    passed = (alert.starts_at - live_since).total_seconds()
    if passed > within:
        return f"it began {short_age(passed)} after {release}, and `within` is {short_age(within)}"
    return None


def at_once(
    label: str,
    wanting: Mapping[str, datetime],
    now: datetime,
    released: int,
) -> str | None:
    """Return why so many that want to go back at once are nobody's release; None: they are few.

    Args:
        wanting: overlay -> when it wanted to go back last, this one's included.
        released: how many overlays were released within the window of the row.
    """
    lately = {one for one, when in wanting.items() if now - when <= AT_ONCE} | {label}
    if len(lately) < MANY or len(lately) < released * SHARE:
        return None
    return f"{count(len(lately), 'overlay')} went bad within {short_age(AT_ONCE.total_seconds())}"


def elsewhere(alert: Alert, place: AlertPlace, others: Sequence[tuple[str, str]]) -> str | None:
    """Return where else the same alert fires; None: nowhere.

    Args:
        others: (alertname, environment) of what fired lately.
    """
    found = sorted({env for name, env in others if name == alert.name} - {place.environment})
    if not found:
        return None
    return f"the same alert fires in {', '.join(found[:3])}, too: that is seldom one release"


def limited(on_alert: OnAlert, why: str | None, today: int, limit: int) -> AlertDecision:
    """Return what `onAlert` says, as far as guards and the limit of the day let it.

    Args:
        why: the first guard that said no; None: none did.
        today: automatic rollbacks of the environment in the last 24 hours.
    """
    if on_alert == "off":
        return AlertDecision("none", "onAlert is off there")
    if why is not None:
        return AlertDecision("tell", why)
    if on_alert == "tell":
        return AlertDecision("tell", "onAlert is tell there")
    if on_alert == "propose":
        return AlertDecision("propose", "onAlert is propose there")
    if today >= limit:
        return AlertDecision(
            "propose",
            f"{count(today, 'automatic rollback')} of it in 24 hours: `limit` is {limit}",
        )
    return AlertDecision("rollback")
