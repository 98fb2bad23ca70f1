"""The plan of a rollback: images, hold and message of the one commit, or of the proposal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from gitops.actions.context.holds import own_hold_path, readable_hold, standing_hold_path
from gitops.actions.context.named import Named
from gitops.actions.context.plan import Draft, Plan
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.draft import propose
from gitops.actions.proposals.wanted import DraftedProposals, ProposalRequest
from gitops.actions.releases.history import releases_of, versions_of
from gitops.core.environments.environment import Overlay
from gitops.core.git.message import ChangeLine, CommitMessage, subject, told_labels
from gitops.core.hold import Hold, render_hold
from gitops.core.kustomization import Edit
from gitops.core.kustomization.image import ImageChange, ImageRequest
from gitops.core.policy.reasons import record_overrides
from gitops.core.releases.crossed import crossed
from gitops.core.releases.history import OverlayVersion, releases
from gitops.core.releases.release import Release
from gitops.core.releases.selection import Choice, describe
from gitops.core.report import HeldOverlay, OverlayChange
from gitops.core.text.plain import LONGEST_TEXT, one_line
from gitops.errors import Refused

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
        schema_risk: go back across a breaking change of the database's schema all the same.
    """

    named: Named
    to: str | None = None
    bad: str | None = None
    images: tuple[str, ...] = ()
    reason: str | None = None
    hold: bool = True
    override: str | None = None
    abort: bool = True
    schema_risk: bool = False


class Restoration(Struct, frozen=True):
    """What a rollback puts back in one overlay.

    Attributes:
        requests: what is wanted of its images; `edit`: what they make of its file.
        choice: how `restored` was chosen.
        crossed: the breaking releases that it goes back across.
    """

    view: OverlayView
    requests: tuple[ImageRequest, ...]
    edit: Edit
    choice: Choice
    restored: Release
    crossed: tuple[Release, ...] = ()

    @property
    def label(self) -> str:
        """What messages call the overlay."""
        return self.view.label

    @property
    def reported(self) -> tuple[OverlayChange, ...]:
        """Its changes, for the report."""
        overlay, branch = self.view.overlay, self.view.branch
        path = self.view.target.path
        return tuple(OverlayChange(overlay, path, change, branch) for change in self.edit.changes)


class _Files(Struct, frozen=True):
    """The files of one restoration after and before it, and the hold that is one of them."""

    after: dict[str, bytes | None]
    before: dict[str, bytes | None]
    hold: Hold | None


def assemble_rollback(found: Sequence[Restoration], request: RollbackRequest) -> Plan:
    """Return the plan that restores `found`: images, holds and messages.

    One commit for each branch, proposals where rollbacks are proposed, edits of a checkout.
    """
    edits = [one for one in found if one.view.row.change == "work-tree"]
    files = {one.label: _files(one, request) for one in found if one not in edits}
    proposing = [one for one in found if one not in edits and one.view.row.rollback != "commit"]
    going = [one for one in found if one not in edits and one.view.row.rollback == "commit"]
    proposed = _propose(proposing, files, request)
    waiting = proposed.waiting
    open_already = {label for one in waiting for label in one.labels}
    holds = [
        HeldOverlay(one.view.overlay, hold)
        for one in (*going, *proposing)
        if (hold := files[one.label].hold) is not None
    ]
    held = [one for one in going if files[one.label].hold is not None]
    labels = told_labels([one.label for one in held])
    return Plan(
        action="rollback",
        commits={branch: _draft(mine, files, request) for branch, mine in _by_branch(going)},
        proposals=proposed.drafts,
        waiting=waiting,
        ending=proposed.ending,
        edits={
            path: content
            for one in edits
            if one.edit.changes
            for path, content in one.edit.files.items()
        },
        before={path: content for one in edits for path, content in one.edit.originals.items()},
        changes=tuple(
            change for one in found if one.label not in open_already for change in one.reported
        ),
        notes=(
            *proposed.notes,
            *([f"with a hold: automation leaves {labels} alone"] if held else []),
        ),
        warnings=proposed.warnings,
        hold=holds[0].hold if holds else None,
        holds=tuple(holds),
        hint=f"`gitops resume {_typed(held, request)}` lifts {_the(held)}" if held else None,
        reached=tuple(one.view.overlay for one in going),
    )


def _typed(found: Sequence[Restoration], request: RollbackRequest) -> str:
    """Return what names these overlays on a command line."""
    return found[0].view.overlay.typed if len(found) == 1 else request.named.text


def _the(found: Sequence[Restoration]) -> str:
    return "the hold" if len(found) == 1 else "the holds"


def _by_branch(found: Sequence[Restoration]) -> list[tuple[str, list[Restoration]]]:
    branches = dict.fromkeys(one.view.branch for one in found)
    return [(branch, [one for one in found if one.view.branch == branch]) for branch in branches]


def _files(one: Restoration, request: RollbackRequest) -> _Files:
    view, home = one.view, one.view.home
    after: dict[str, bytes | None] = {**one.edit.files} if one.edit.changes else {}
    before: dict[str, bytes | None] = {**one.edit.originals}
    hold = None
    if request.hold:
        path = own_hold_path(view.overlay)
        if view.row.rollback == "commit":
            path = standing_hold_path(home, view.overlay)
        before[path] = home.read(path)
        hold = _hold(one, request, before[path], path)
        after[path] = render_hold(hold)
    return _Files(after, before, hold)


def _draft(
    found: Sequence[Restoration], files: Mapping[str, _Files], request: RollbackRequest
) -> Draft:
    """Return the one commit that a branch gets."""
    mine = [files[one.label] for one in found]
    return Draft(
        {path: content for one in mine for path, content in one.after.items()},
        _message(found, request),
        before={path: content for one in mine for path, content in one.before.items()},
    )


def _propose(
    found: Sequence[Restoration], files: Mapping[str, _Files], request: RollbackRequest
) -> DraftedProposals:
    if not found:
        return DraftedProposals()
    by_overlay = {one.view.overlay: one for one in found}
    wanted = [
        ProposalRequest(
            one.view,
            one.requests,
            restores=one.restored.commit,
            extra=tuple(
                (path, content)
                for path, content in files[one.label].after.items()
                if path not in one.edit.files
            ),
        )
        for one in found
    ]

    def message(changed: Sequence[tuple[Overlay, Sequence[ImageChange]]]) -> str:
        lines = [ChangeLine(one.label, change) for one, changes in changed for change in changes]
        return _message([by_overlay[overlay] for overlay, _ in changed], request, lines)

    return propose(wanted, render=message)


def _message(
    found: Sequence[Restoration],
    request: RollbackRequest,
    lines: Sequence[ChangeLine] | None = None,
) -> str:
    if lines is None:
        lines = [ChangeLine(one.label, change) for one in found for change in one.edit.changes]
    overridden = [
        text if len(found) == 1 else f"{one.label}: {text}"
        for one in found
        for text in one.choice.overridden
    ]
    bad = {one.label: one.choice.rolled_back for one in found if one.choice.rolled_back}
    return CommitMessage(
        action="rollback",
        environments=[one.label for one in found],
        changes=lines,
        intent=found[0].view.session.intent,
        reason=request.reason,
        overrides=record_overrides(request.override, overridden),
        restores={one.label: one.restored.commit for one in found},
        rolled_back=bad,
        crosses=[f"{one.label} {breaking.commit}" for one in found for breaking in one.crossed],
    ).render()


def _hold(one: Restoration, request: RollbackRequest, standing: bytes | None, path: str) -> Hold:
    """The hold of a rollback; a second one keeps since when it is held and why, and adds to it."""
    session, commit = one.view.session, one.restored.commit
    held = readable_hold(standing, path) if standing is not None else None
    own = one_line(request.reason or request.override or f"rolled back to {commit[:7]}")
    reasons = held.reason.split(_AND_THEN) if held is not None else []
    reasons += [own] if own not in reasons else []
    if len(_AND_THEN.join(reasons)) > LONGEST_TEXT:
        reasons = [one_line(reasons[0], _EACH), "…", one_line(own, _EACH)]
    return Hold(
        by=session.identity().name,
        since=(held.since if held is not None else None) or session.clock.now(),
        reason=_AND_THEN.join(reasons),
        release=commit,
        restores=commit,
        rolled_back=one.choice.rolled_back,
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
