"""Read the holds that stand on an overlay, and the verbs `hold` and `resume`."""

from __future__ import annotations

from collections.abc import Iterator

from gitops.actions.history import releases_of
from gitops.actions.overlays import find_overlay, overlays_of
from gitops.actions.plan import Draft, Plan
from gitops.actions.session import Session, Tip, require_words
from gitops.actions.write import write
from gitops.core.environment import Overlay
from gitops.core.hold import HOLD_ALL_PATH, Hold, hold_path, parse_hold, render_hold
from gitops.core.message import one_line, render_message
from gitops.core.report import WriteReport
from gitops.errors import ManifestError, NotFound, Refused


def own_hold_path(overlay: Overlay) -> str:
    """Return the path of the overlay's own hold file."""
    return hold_path(overlay.environment.name, overlay.app)


def hold_on(tip: Tip, overlay: Overlay) -> Hold | None:
    """Return the hold that keeps automation away from `overlay`: its own, else a wider one.

    Its own stands on the branch that the environment lives on, the one of everything on the
    top-level branch. A hold that cannot be read still holds: whoever wrote it wanted automation to
    stop.
    """
    home = tip.of(overlay.environment)
    own = [own_hold_path(overlay), hold_path(overlay.environment.name, None)]
    for snapshot, path in [*((home, path) for path in own), (tip.snapshot, HOLD_ALL_PATH)]:
        content = snapshot.read(path)
        if content is not None:
            return readable_hold(content, path)
    return None


def readable_hold(content: bytes, path: str) -> Hold:
    """Return the hold in `content`; one that cannot be read becomes a hold that says so."""
    try:
        return parse_hold(content, path)
    except ManifestError as error:
        return Hold(by="someone", since=None, reason=f"{path} cannot be read: {error.problem}")


def hold(
    session: Session, environment: str | None, *, reason: str, app: str | None = None
) -> WriteReport:
    """Keep automation away from an environment (None: from all of them) until `resume`.

    Raises Refused, naming the holder, when it is held already; UsageError without a reason.
    """
    require_words(reason, "--reason")
    if environment is None:
        return write(session, lambda tip: _hold_all(session, tip, reason))

    def plan(tip: Tip) -> Plan:
        overlay = find_overlay(tip, environment, app)
        home = tip.of(overlay.environment)
        path = own_hold_path(overlay)
        present = home.read(path)
        if present is not None:
            standing = readable_hold(present, path)
            raise Refused(
                f"{overlay.label} is already held by {standing.by}: {standing.reason}",
                hint=f"`gitops resume {environment}` lifts it",
                reasons=(f"held by {standing.by}: {standing.reason}",),
            )
        newest = next(releases_of(session, tip, overlay), None)
        wanted = Hold(
            by=session.identity().name,
            since=session.clock.now(),
            reason=one_line(reason),
            release=newest.commit if newest is not None else None,
        )
        message = render_message(
            action="hold",
            environments=[overlay.label],
            changes=[],
            intent=session.intent,
            reason=reason,
            subject=f"{overlay.label}: hold ({one_line(reason)})",
        )
        return Plan(
            action="hold",
            commits={home.branch: Draft({path: render_hold(wanted)}, message)},
            hold=wanted,
            notes=(f"{overlay.label} is held: automation leaves it alone",),
            hint=f"`gitops resume {environment}` lifts it",
        )

    return write(session, plan)


def resume(session: Session, environment: str | None, *, app: str | None = None) -> WriteReport:
    """Lift the hold of an environment (None: the one of all); `unchanged` when there is none.

    Holds of single environments outlast the one of all.
    """
    if environment is None:
        return write(session, lambda tip: _resume_all(session, tip))

    def plan(tip: Tip) -> Plan:
        overlay = find_overlay(tip, environment, app)
        home = tip.of(overlay.environment)
        path = own_hold_path(overlay)
        present = home.read(path)
        if present is None:
            wider = hold_on(tip, overlay)
            if wider is None:
                return Plan(action="resume", notes=(f"{overlay.label} is not held",))
            return Plan(
                action="resume",
                hold=wider,
                warnings=(f"{overlay.label}: a wider hold stands, by {wider.by}: {wider.reason}",),
                hint="`gitops resume --all` lifts the hold of everything"
                if tip.snapshot.read(HOLD_ALL_PATH) is not None
                else None,
            )
        standing = readable_hold(present, path)
        message = render_message(
            action="resume",
            environments=[overlay.label],
            changes=[],
            intent=session.intent,
            subject=f"{overlay.label}: resume (held by {standing.by}: {standing.reason})",
        )
        return Plan(
            action="resume",
            commits={home.branch: Draft({path: None}, message, before={path: present})},
            notes=(
                f"{overlay.label} was held by {standing.by}: {standing.reason}",
                "automation may write it again",
            ),
        )

    return write(session, plan)


def _hold_all(session: Session, tip: Tip, reason: str) -> Plan:
    present = tip.snapshot.read(HOLD_ALL_PATH)
    if present is not None:
        standing = readable_hold(present, HOLD_ALL_PATH)
        raise Refused(
            f"everything is already held by {standing.by}: {standing.reason}",
            hint="`gitops resume --all` lifts it",
            reasons=(f"held by {standing.by}: {standing.reason}",),
        )
    wanted = Hold(session.identity().name, session.clock.now(), one_line(reason))
    message = render_message(
        action="hold",
        environments=[],
        changes=[],
        intent=session.intent,
        reason=reason,
        subject=f"all environments: hold ({one_line(reason)})",
    )
    return Plan(
        action="hold",
        commits={tip.snapshot.branch: Draft({HOLD_ALL_PATH: render_hold(wanted)}, message)},
        hold=wanted,
        notes=("every environment is held: automation leaves all of them alone",),
        hint="`gitops resume --all` lifts it",
    )


def _resume_all(session: Session, tip: Tip) -> Plan:
    present = tip.snapshot.read(HOLD_ALL_PATH)
    if present is None:
        return Plan(action="resume", notes=("no hold of everything stands",))
    standing = readable_hold(present, HOLD_ALL_PATH)
    message = render_message(
        action="resume",
        environments=[],
        changes=[],
        intent=session.intent,
        subject=f"all environments: resume (held by {standing.by}: {standing.reason})",
    )
    return Plan(
        action="resume",
        commits={
            tip.snapshot.branch: Draft(
                {HOLD_ALL_PATH: None}, message, before={HOLD_ALL_PATH: present}
            )
        },
        notes=(f"everything was held by {standing.by}: {standing.reason}",),
        warnings=tuple(
            f"{label} stays held: it has a hold of its own" for label in _held_by_itself(tip)
        ),
    )


def _held_by_itself(tip: Tip) -> Iterator[str]:
    """Yield the labels of the overlays that have a hold of their own."""
    for row in tip.config.environments:
        try:
            home = tip.of(row)
        except NotFound:
            continue  # no branch, nothing held on it
        for overlay in overlays_of(home, row):
            if home.read(own_hold_path(overlay)) is not None:
                yield overlay.label
