"""Alerts of monitoring: which overlay each is about, and the way back where every guard agrees.

The pure guards are `core/alerts/rule.py`; here they are fed with Git, the ledger and the cluster.
What remains (nothing held, no step back within the hour, only to what was seen stable, never across
a breaking schema) is asked by the rollback itself, on the tip that it lands on.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from gitops.actions.argocd.at_hand import clusters_at_hand
from gitops.actions.argocd.live import LiveView
from gitops.actions.argocd.recovery import go_back
from gitops.actions.argocd.verification import verification_of
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.index.state import IndexState, read_state
from gitops.actions.rollback import rollback
from gitops.core.alerts.alert import Alert, AlertBatch
from gitops.core.alerts.rule import (
    AT_ONCE,
    CLUSTER_ROW,
    AlertAction,
    AlertPlace,
    Unplaced,
    at_once,
    elsewhere,
    limited,
    place_of,
    untimely,
)
from gitops.core.alerts.verification import is_cause, went_back_alone
from gitops.core.environments.environment import Config, Overlay, split_label
from gitops.core.releases.release import Release
from gitops.core.releases.selection import describe
from gitops.core.report import WriteReport
from gitops.errors import GitopsError, Refused, TryAgain

_DAY = timedelta(hours=24)
_CLUSTER = 3.0  # seconds that a cluster is waited for


class AlertMemory(Struct):
    """What came in lately, in one process: several at once are no release's doing.

    Attributes:
        wanting: overlay -> when it wanted to go back last.
        fired: alertname, environment, and when.
    """

    wanting: dict[str, datetime] = field(default_factory=dict)
    fired: list[tuple[str, str, datetime]] = field(default_factory=list)

    def note(self, alert: Alert, place: AlertPlace, now: datetime) -> None:
        """Remember that it fires; forget what is long ago."""
        self.fired.append((alert.name, place.environment, now))
        self.fired = [one for one in self.fired if now - one[2] <= AT_ONCE][-500:]
        self.wanting[place.label] = now
        self.wanting = {one: at for one, at in self.wanting.items() if now - at <= AT_ONCE}


class JudgedAlert(Struct, frozen=True):
    """What is to be done about one alert.

    Attributes:
        label: the overlay that it is about; None: that is not known.
        release: the one that it would take back; None: none.
        action: none, tell, propose, rollback.
        why: the first reason against more; "" where it goes back.
    """

    alert: Alert
    label: str | None
    release: Release | None
    action: AlertAction
    why: str

    @property
    def intent(self) -> str:
        """The id of what it does: the same for each repeat, on each replica."""
        return self.alert.intent_against(self.release.commit if self.release else "")

    @property
    def reason(self) -> str:
        """Why it went back, for the commit."""
        said = f": {self.alert.summary}" if self.alert.summary else ""
        return f"{'the cluster says' if self.alert.by_cluster else 'alert'} {self.alert.name}{said}"


def judge_alerts(
    session: Session,
    batch: AlertBatch,
    memory: AlertMemory,
    earlier: IndexState | None = None,
) -> tuple[IndexState, tuple[JudgedAlert, ...]]:
    """Say of each alert what is to be done about it, by what Git says now, which is told as well.

    `earlier`: what it said before. Raises what reading Git raises: nobody knows then, and the
    sender comes again.
    """
    tip = open_tip(session, lenient=True)
    state = read_state(session, earlier, tip)
    judging = _Judging(session, tip, state, batch, memory)
    placed = [(one, place_of(one, state.config.alerts, state.cells.keys())) for one in batch.alerts]
    now = session.clock.now()
    for alert, place in placed:  # all of one body come together, in whatever order
        if alert.firing and isinstance(place, AlertPlace):
            memory.note(alert, place, now)
    return state, tuple(judging.judge(alert, place) for alert, place in placed)


def judge_signal(
    session: Session,
    label: str,
    alert: Alert,
    memory: AlertMemory,
    earlier: IndexState | None = None,
) -> JudgedAlert:
    """Say what is to be done about what a cluster says of an overlay: as for an alert.

    Raises as `judge_alerts` does.
    """
    tip = open_tip(session, lenient=True)
    state = read_state(session, earlier, tip)
    place: AlertPlace | Unplaced = Unplaced(f"there is no overlay {label}")
    if label in state.cells:
        place = AlertPlace(CLUSTER_ROW, *split_label(label))
        memory.note(alert, place, session.clock.now())
    return _Judging(session, tip, state, AlertBatch((alert,)), memory).judge(alert, place)


def act_on(session: Session, judged: JudgedAlert) -> WriteReport:
    """Roll back, or propose it, as it was judged.

    Raises Refused with the reason why it is left to people, and what `rollback` raises.
    """
    tip = open_tip(session)
    if judged.release is None or judged.label is None:
        raise Refused("nothing is known of what it is about")
    overlay = _overlay(tip.config, judged.label)
    own = replace(session, intent=judged.intent, before_write=None)
    if judged.action == "propose":
        own = _proposing(own, overlay.environment.name)
    return go_back(own, overlay, judged.release, judged.reason, rollback)


def would_act(session: Session, judged: JudgedAlert) -> JudgedAlert:
    """Ask what the rollback itself asks, and write nothing: the last guards are there.

    Raises TryAgain where nobody knows now.
    """
    if judged.action not in ("propose", "rollback"):
        return judged
    try:
        act_on(replace(session, dry_run=True), judged)
    except TryAgain:
        raise
    except GitopsError as error:
        return replace(judged, action="tell", why=error.message)
    return judged


class _Judging:
    def __init__(
        self,
        session: Session,
        tip: Tip,
        state: IndexState,
        batch: AlertBatch,
        memory: AlertMemory,
    ) -> None:
        self._session = session
        self._tip = tip
        self._state = state
        self._batch = batch
        self._memory = memory

    def judge(self, alert: Alert, place: AlertPlace | Unplaced) -> JudgedAlert:
        if isinstance(place, Unplaced):
            return JudgedAlert(alert, None, None, "tell" if alert.firing else "none", place.why)
        release = self._state.cells[place.label].release
        if not alert.firing:
            return JudgedAlert(alert, place.label, release, "none", "it has ended")
        if release is not None and self._is_watched(alert, place.label, release):
            known = "it went back, and what comes of that is watched"
            return JudgedAlert(alert, place.label, release, "none", known)
        overlay = _overlay(self._state.config, place.label)
        why = self._against(alert, place, overlay, release)
        decision = limited(overlay.environment.on_alert, why, self._today(place), place.row.limit)
        return JudgedAlert(alert, place.label, release, decision.action, decision.why)

    def _is_watched(self, alert: Alert, label: str, release: Release) -> bool:
        """Say whether the rollback in force is the alert's own: a repeat is no news.

        Nor is what a cluster says of a rollback by itself. Once it has recovered, it is.
        """
        if alert.by_cluster and went_back_alone(release):
            return True
        if not is_cause(alert, release):
            return False
        if release.intent == alert.intent_against(release.rolled_back or ""):
            return True
        known = verification_of(self._session, label, release)
        return known is None or known.outcome != "recovered"

    def _against(
        self, alert: Alert, place: AlertPlace, overlay: Overlay, release: Release | None
    ) -> str | None:
        now = self._session.clock.now()
        if release is None:
            return f"{place.label} has no release"
        called = describe(release)
        if release.action == "rollback":
            return f"{called} is a rollback itself: no second step back by itself"
        others = [(name, env) for name, env, _ in self._memory.fired]
        return (
            untimely(alert, release.time, place.row.within, called)
            or (f"its sender left out {self._batch.truncated}" if self._batch.truncated else None)
            or at_once(place.label, self._memory.wanting, now, self._released(place, now))
            or elsewhere(alert, place, others)
            or self._cluster(overlay, release)
        )

    def _released(self, place: AlertPlace, now: datetime) -> int:
        within = timedelta(seconds=place.row.within)
        times = [cell.release.time for cell in self._state.cells.values() if cell.release]
        return sum(1 for one in times if one is not None and now - one <= within)

    def _today(self, place: AlertPlace) -> int:
        """How often the environment went back by itself in a day, as far as it still stands."""
        now = self._session.clock.now()
        releases = [
            cell.release
            for cell in self._state.cells.values()
            if cell.overlay.environment.name == place.environment and cell.release is not None
        ]
        return sum(
            1
            for one in releases
            if went_back_alone(one) and one.time is not None and now - one.time <= _DAY
        )

    def _cluster(self, overlay: Overlay, release: Release) -> str | None:
        """A cluster that cannot be read may itself be what is wrong."""
        there = clusters_at_hand(self._session, self._tip, [overlay.environment], within=_CLUSTER)
        live = LiveView(self._session, self._tip, there).of(overlay, release)
        if live is None:
            return None
        if live.problem is not None:
            return f"the cluster cannot be read: {live.problem}"
        for one in live.applications:
            if one.health in (None, "Unknown", "Missing"):
                health = one.health or "Unknown"
                return f"{one.ref.name} is {health}: the cluster itself may be in trouble"
            if one.release is not None and one.release != release.commit:
                return f"{one.ref.name} does not run {describe(release)} yet"
        return None


def _overlay(config: Config, label: str) -> Overlay:
    name, app = split_label(label)
    return Overlay(next(one for one in config.environments if one.name == name), app)


def _proposing(session: Session, name: str) -> Session:
    """A session in which rollbacks of an environment are proposed, whatever it says itself."""
    load = session.load_config

    def loaded(content: bytes) -> Config:
        config = load(content)
        rows = tuple(
            replace(row, rollback="pull-request") if row.name == name else row
            for row in config.environments
        )
        return replace(config, environments=rows)

    return replace(session, load_config=loaded, kept=None)
