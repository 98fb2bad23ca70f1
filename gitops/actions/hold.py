"""Keep automation away from an environment, and let it back: the verbs `hold` and `resume`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.holds import orphaned_holds, readable_hold, standing_hold_path
from gitops.actions.context.overlays import find_overlay, overlays_of
from gitops.actions.context.plan import Draft, Plan
from gitops.actions.context.session import Session, Tip, require_words
from gitops.actions.context.view import view_of
from gitops.actions.policy.promotable import outlook
from gitops.actions.releases.history import releases_of
from gitops.actions.write.write import write
from gitops.core.environments.environment import Overlay, asks_for_approval
from gitops.core.git.message import CommitMessage
from gitops.core.hold import HOLD_ALL_PATH, Hold, render_hold
from gitops.core.report import WriteReport
from gitops.core.text.plain import one_line
from gitops.errors import NotFound, Refused
from gitops.ports import Snapshot

if TYPE_CHECKING:
    from gitops.actions.argocd.cluster_actions import ClusterActions


class _Scope(Struct, frozen=True):
    """What one hold file holds: one overlay, or everything (`overlay` None).

    Attributes:
        home: the tip of the branch that the file is on.
        label, title: what messages and the subject of a commit call it.
        argument: what `gitops resume` is given for it.
    """

    overlay: Overlay | None
    home: Snapshot
    path: str
    label: str
    title: str
    argument: str

    @property
    def labels(self) -> tuple[str, ...]:
        """The environments that a commit names in its trailers."""
        return () if self.overlay is None else (self.overlay.label,)

    def plan(self, action: str, message: str, content: bytes | None) -> Plan:
        """Return the plan that writes the file, or deletes it."""
        before = {self.path: self.home.read(self.path)}
        draft = Draft({self.path: content}, message, before=before)
        return Plan(action=action, commits={self.home.branch: draft})


def _scope(tip: Tip, environment: str | None, app: str | None) -> _Scope:
    if environment is None:
        words = ("everything", "all environments", "--all")
        return _Scope(None, tip.snapshot, HOLD_ALL_PATH, *words)
    overlay = find_overlay(tip, environment, app)
    words = (overlay.label, overlay.label, environment)
    home = tip.of(overlay.environment)
    return _Scope(overlay, home, standing_hold_path(home, overlay), *words)


def _orphan(tip: Tip, environment: str | None, app: str | None) -> _Scope | None:
    """Return the scope of a hold that outlived the name of its environment."""
    if environment is None or tip.config.find(environment) is not None:
        return None
    wanted = environment if app is None else f"{app}/{environment}"
    for home in tip.read().values():
        for path, label, _ in orphaned_holds(home, tip.config):
            if label == wanted:
                return _Scope(None, home, path, label, label, environment)
    return None


def hold(
    session: Session, environment: str | None, *, reason: str, app: str | None = None
) -> WriteReport:
    """Keep automation away from an environment (None: from all of them) until `resume`.

    Raises Refused, naming the holder, when it is held already; UsageError without a reason.
    """
    require_words(reason, "--reason")
    begun: list[ClusterActions] = []

    def plan(tip: Tip) -> Plan:
        scope = _scope(tip, environment, app)
        present = scope.home.read(scope.path)
        if present is not None:
            standing = readable_hold(present, scope.path)
            raise Refused(
                f"{scope.label} is already held by {standing.by}: {standing.reason}",
                hint=f"`gitops resume {scope.argument}` lifts it",
                reasons=(f"held by {standing.by}: {standing.reason}",),
            )
        newest = None
        if scope.overlay is not None:
            newest = next(releases_of(view_of(session, tip, scope.overlay)), None)
        wanted = Hold(
            by=session.identity().name,
            since=session.clock.now(),
            reason=one_line(reason),
            release=newest.commit if newest is not None else None,
        )
        message = CommitMessage(
            action="hold",
            environments=scope.labels,
            changes=[],
            intent=session.intent,
            reason=reason,
            subject=f"{scope.title}: hold ({one_line(reason)})",
        ).render()
        _begin(session, tip, environment, app, begun)
        note = f"{scope.label} is held: automation leaves it alone"
        if scope.overlay is None:
            note = "every environment is held: automation leaves all of them alone"
        return replace(
            scope.plan("hold", message, render_hold(wanted)),
            hold=wanted,
            notes=(note,),
            hint=f"`gitops resume {scope.argument}` lifts it",
        )

    done = write(session, plan, lenient=True)
    return _tell(session, done.report, _overlays(done.tip, environment, app), begun)


def resume(session: Session, environment: str | None, *, app: str | None = None) -> WriteReport:
    """Lift the hold of an environment (None: the one of all); `unchanged` when there is none.

    Holds of single environments outlast the one of all.
    """
    begun: list[ClusterActions] = []

    def plan(tip: Tip) -> Plan:
        scope = _orphan(tip, environment, app) or _scope(tip, environment, app)
        present = scope.home.read(scope.path)
        _begin(session, tip, environment, app, begun)
        if present is None:
            return _not_held(session, tip, scope)
        standing = readable_hold(present, scope.path)
        message = CommitMessage(
            action="resume",
            environments=scope.labels,
            changes=[],
            intent=session.intent,
            subject=f"{scope.title}: resume (held by {standing.by}: {standing.reason})",
        ).render()
        outlasting = _held_by_itself(tip) if environment is None else ()
        return replace(
            scope.plan("resume", message, None),
            notes=(
                f"{scope.label} was held by {standing.by}: {standing.reason}",
                *_prospects(session, tip, scope.overlay),
            ),
            warnings=tuple(f"{label} stays held: it has a hold of its own" for label in outlasting),
        )

    done = write(session, plan, lenient=True)
    return _tell(session, done.report, _overlays(done.tip, environment, app), begun)


def _prospects(session: Session, tip: Tip, overlay: Overlay | None) -> tuple[str, ...]:
    if overlay is None:
        return ()
    return ("automation may write it again", *outlook(view_of(session, tip, overlay)))


def _overlays(tip: Tip, environment: str | None, app: str | None) -> list[Overlay]:
    """Return the overlays that a hold of an environment (None: of all) and app holds."""
    overlays: list[Overlay] = []
    for row in tip.config.environments:
        if environment in (None, row.name):
            with suppress(NotFound):  # its branch is not there yet
                overlays += overlays_of(tip.of(row), row)
    return [one for one in overlays if app in (None, one.app)]


def _begin(
    session: Session,
    tip: Tip,
    environment: str | None,
    app: str | None,
    begun: list[ClusterActions],
) -> None:
    """Begin to read what Argo CD shows, once, while the change is made and pushed."""
    if begun or session.dry_run:
        return
    from gitops.actions.argocd.cluster_actions import ClusterActions  # only where a cluster is

    begun.append(ClusterActions(session, tip, _overlays(tip, environment, app)))


def _tell(
    session: Session,
    report: WriteReport,
    overlays: Sequence[Overlay],
    begun: Sequence[ClusterActions],
) -> WriteReport:
    """Bring the pull requests of what was held or resumed up to date, and Argo CD's notices.

    Those also where nothing was held: a notice may have stayed.
    """
    asking = [one for one in overlays if asks_for_approval(one.environment)]
    if asking and report.outcome == "committed":
        from gitops.actions.pull_requests.publish import refresh  # only where somebody must agree

        report = replace(report, warnings=report.warnings + refresh(session, asking))
    for actions in begun:
        actions.show_holds()
        report = actions.told(report)
    return report


def _not_held(session: Session, tip: Tip, scope: _Scope) -> Plan:
    if scope.overlay is None:
        return Plan(action="resume", notes=("no hold of everything stands",))
    wider = view_of(session, tip, scope.overlay).hold
    if wider is None:
        return Plan(action="resume", notes=(f"{scope.label} is not held",))
    everything = tip.snapshot.read(HOLD_ALL_PATH) is not None
    return Plan(
        action="resume",
        hold=wider,
        warnings=(f"{scope.label}: a wider hold stands, by {wider.by}: {wider.reason}",),
        hint="`gitops resume --all` lifts the hold of everything" if everything else None,
    )


def _held_by_itself(tip: Tip) -> Iterator[str]:
    """Yield the labels of the overlays that have a hold of their own."""
    for row in tip.config.environments:
        try:
            home = tip.of(row)
        except NotFound:
            continue  # no branch, nothing held on it
        for overlay in overlays_of(home, row):
            if home.read(standing_hold_path(home, overlay)) is not None:
                yield overlay.label
