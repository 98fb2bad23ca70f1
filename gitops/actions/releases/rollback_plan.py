"""The plan of a rollback: images, hold and message of the one commit, or of the proposal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec import Struct

from gitops.actions.context.holds import own_hold_path, readable_hold, standing_hold_path
from gitops.actions.context.plan import Draft, Plan
from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.draft import ProposalRequest, propose
from gitops.actions.releases.history import versions_of
from gitops.core.environments.environment import Overlay
from gitops.core.git.message import ChangeLine, CommitMessage, subject
from gitops.core.hold import Hold, render_hold
from gitops.core.kustomization import Edit
from gitops.core.kustomization.image import ImageChange, ImageRequest
from gitops.core.policy.reasons import record_overrides
from gitops.core.releases.history import OverlayVersion, Release, releases
from gitops.core.releases.selection import Choice
from gitops.core.report import OverlayChange
from gitops.core.text.plain import LONGEST_TEXT, one_line

_AND_THEN = "; then: "
_EACH = 200  # characters of the first and the newest reason, where there are too many


class RollbackRequest(Struct, frozen=True):
    """What `gitops rollback` was asked for.

    Attributes:
        to: a commit, a tag, or `previous`; None: by the rule.
        bad: the release that is to be taken back: a commit or a tag; None: what runs.
        images: only these; empty means all.
        hold: False leaves the hold out.
        override: why a release that the rule leaves out is taken all the same.
        abort: stop a Rollout that is in the middle of what is taken back.
    """

    environment: str
    to: str | None = None
    bad: str | None = None
    images: tuple[str, ...] = ()
    reason: str | None = None
    hold: bool = True
    override: str | None = None
    app: str | None = None
    abort: bool = True


def assemble_rollback(
    view: OverlayView,
    edit: Edit,
    requests: tuple[ImageRequest, ...],
    choice: Choice,
    restored: Release,
    request: RollbackRequest,
) -> Plan:
    """Return the plan that restores `restored`: images, hold and message, as `choice` chose it.

    `edit` is what `requests` make of the overlay's file.
    """
    session, overlay, file = view.session, view.overlay, view.target
    home = view.home
    reported = tuple(
        OverlayChange(overlay, file.path, change, home.branch) for change in edit.changes
    )
    if overlay.environment.change == "work-tree":
        return Plan(
            action="rollback",
            edits={file.path: edit.after} if edit.changes else {},
            before={file.path: file.content},
            changes=reported,
        )
    files: dict[str, bytes | None] = {file.path: edit.after} if edit.changes else {}
    before: dict[str, bytes | None] = {file.path: file.content}
    hold = None
    if request.hold:
        path = own_hold_path(overlay)
        if overlay.environment.rollback == "commit":
            path = standing_hold_path(home, overlay)
        before[path] = home.read(path)
        hold = _hold(session, restored, choice, request, before[path], path)
        files[path] = render_hold(hold)
    message = partial(_message, session, restored, choice, request)
    if overlay.environment.rollback == "pull-request":
        extra = tuple((path, content) for path, content in files.items() if path != file.path)
        wanted = ProposalRequest(view, requests, restores=restored.commit, extra=extra)
        proposed = propose([wanted], render=message)
        return Plan(
            action="rollback",
            proposals=proposed.drafts,
            waiting=proposed.waiting,
            changes=reported if proposed.drafts else (),
            notes=proposed.notes,
            warnings=proposed.warnings,
            hold=hold,
        )
    draft = Draft(files, message(overlay, edit.changes), before=before)
    return Plan(
        action="rollback",
        commits={home.branch: draft} if files else {},
        changes=reported,
        notes=(f"with a hold: automation leaves {overlay.label} alone",) if hold else (),
        hold=hold,
        hint=f"`gitops resume {overlay.typed}` lifts the hold" if hold else None,
        reached=(overlay,),
    )


def _message(
    session: Session,
    restored: Release,
    choice: Choice,
    request: RollbackRequest,
    overlay: Overlay,
    changes: Sequence[ImageChange],
) -> str:
    return CommitMessage(
        action="rollback",
        environments=[overlay.label],
        changes=[ChangeLine(overlay.label, change) for change in changes],
        intent=session.intent,
        reason=request.reason,
        overrides=record_overrides(request.override, choice.overridden),
        restores=restored.commit,
        rolled_back=choice.rolled_back,
    ).render()


def _hold(
    session: Session,
    restored: Release,
    choice: Choice,
    request: RollbackRequest,
    standing: bytes | None,
    path: str,
) -> Hold:
    """The hold of a rollback; a second one keeps since when it is held and why, and adds to it."""
    held = readable_hold(standing, path) if standing is not None else None
    own = one_line(request.reason or request.override or f"rolled back to {restored.commit[:7]}")
    reasons = held.reason.split(_AND_THEN) if held is not None else []
    reasons += [own] if own not in reasons else []
    if len(_AND_THEN.join(reasons)) > LONGEST_TEXT:
        reasons = [one_line(reasons[0], _EACH), "…", one_line(own, _EACH)]
    return Hold(
        by=session.identity().name,
        since=(held.since if held is not None else None) or session.clock.now(),
        reason=_AND_THEN.join(reasons),
        release=restored.commit,
        restores=restored.commit,
        rolled_back=choice.rolled_back,
    )


def landed_since(
    view: OverlayView, restored: Release, planned_on: str | None
) -> tuple[tuple[str, ...], str | None]:
    """Say what landed while the rollback was pushed, and what else changed in the overlay since.

    The first is taken back too; the second stays, since only image values are restored.

    `planned_on` is the newest commit of the overlay when the rollback was first planned, None when
    it is planned now; returned with the notes, for the next try.
    """
    versions: list[OverlayVersion] = []
    for version in versions_of(view):
        versions.append(version)
        if version.commit.commit == restored.commit:
            break
    planned_on = planned_on or (versions[0].commit.commit if versions else None)
    released = {entry.commit for entry in releases(versions)}
    notes: list[str] = []
    later = True
    for version in versions:
        commit = version.commit.commit
        later = later and commit != planned_on
        about = f"{commit[:7]} ({subject(version.commit.message)})"
        if commit in released:
            if later:
                notes.append(f"landed meanwhile and is taken back too: {about}")
        elif commit != restored.commit:
            notes.append(f"stays, since it changed no image: {about}")
    return tuple(notes), planned_on
