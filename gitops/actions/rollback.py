"""`gitops rollback`: restore an earlier release as a new commit, with a hold in the same commit.

The rule of which release is `core/rollback.py`. Here it is fed with the history, asked once, and
what it chose is carried through lost races: whatever landed meanwhile, *that* release is restored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gitops.actions.history import releases_of
from gitops.actions.holds import own_hold_path, readable_hold
from gitops.actions.ledger import ledger_of
from gitops.actions.overlays import OverlayFile, find_overlay
from gitops.actions.plan import Draft, Plan
from gitops.actions.proposals import Wanted, propose
from gitops.actions.session import Session, Tip, require_words
from gitops.actions.targets import read_target
from gitops.actions.write import write
from gitops.core.environment import Overlay
from gitops.core.history import OverlayVersion, Release, releases
from gitops.core.hold import Hold, render_hold
from gitops.core.image import ImageChange, ImageRequest
from gitops.core.kustomization import edit_images, image_values, missing_image
from gitops.core.message import Line, one_line, render_message, subject
from gitops.core.report import OverlayChange, WriteReport
from gitops.core.rollback import Choice, NeedMore, choose, undo_edits
from gitops.errors import NotFound, Refused

_FIRST = 8  # releases that are looked at first, then twice as many: older ones cost requests


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """What `gitops rollback` was asked for.

    Attributes:
        to: a commit, a tag, or `previous`; None: by the rule.
        images: only these; empty means all.
        hold: False leaves the hold out.
        override: why a release that the rule leaves out is taken all the same.
    """

    environment: str
    to: str | None = None
    images: tuple[str, ...] = ()
    reason: str | None = None
    hold: bool = True
    override: str | None = None
    app: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rollback will do, for the person who is asked."""

    label: str
    changes: tuple[tuple[str, ImageChange], ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def rollback(
    session: Session,
    request: RollbackRequest,
    *,
    confirm: Callable[[Preview], bool] | None = None,
) -> WriteReport:
    """Restore an earlier release of one environment and hold it.

    `confirm` is asked once, before anything is written; None means yes.
    Raises Refused when there is nothing to go back to or the answer was no, NotFound for an
    unknown environment, image or release, and what `write` raises.
    """
    require_words(request.override, "--override")
    require_words(request.reason, "--reason")
    chosen: list[tuple[str, Choice]] = []  # the tip it was chosen on, and the choice: asked once

    def plan(tip: Tip) -> Plan:
        overlay = find_overlay(tip, request.environment, request.app)
        home = tip.of(overlay.environment)
        file = read_target(session, tip, overlay)
        _known_images(file, request)
        if not chosen:
            chosen.append((home.commit, _choose(session, tip, overlay, file, request)))
        seen, choice = chosen[0]
        restored = choice.release
        if restored is None:
            return Plan(
                action="rollback",
                notes=choice.notes,
                warnings=choice.warnings,
                hint=f"`gitops hold {request.environment} --reason TEXT` keeps it as it is",
            )
        present = image_values(file.content, file.path)
        requests = tuple(entry for entry in choice.requests if entry.image in present)
        edit = edit_images(file.content, file.path, requests)
        made = _assemble(
            session, tip, file, edit.after, edit.changes, requests, restored, choice, request
        )
        made = replace(
            made,
            warnings=choice.warnings + edit.warnings + made.warnings,
            notes=choice.notes + _since(session, tip, overlay, restored, choice) + made.notes,
        )
        if confirm is not None and not session.dry_run and seen == home.commit:
            changes = tuple((overlay.label, change) for change in edit.changes)
            if not confirm(Preview(overlay.label, changes, made.notes, made.warnings)):
                raise Refused("nothing was rolled back", hint="--yes does not ask")
        return made

    return write(session, plan)


def _known_images(file: OverlayFile, request: RollbackRequest) -> None:
    present = image_values(file.content, file.path)
    for image in request.images:
        if image not in present:
            raise missing_image(image, present, file.path, can_add=False)


def _choose(
    session: Session, tip: Tip, overlay: Overlay, file: OverlayFile, request: RollbackRequest
) -> Choice:
    """Ask the rule, with as much of the history as it needs."""
    stream = releases_of(session, tip, overlay)
    current = image_values(file.content, file.path)
    if overlay.environment.change == "work-tree" and request.to is None:
        return undo_edits(stream, current, only=frozenset(request.images) or None)
    ledger = ledger_of(session, tip, overlay)
    read: list[Release] = []
    most = _FIRST
    while True:
        read += islice(stream, most - len(read))
        complete = len(read) < most
        try:
            choice = choose(
                read,
                current,
                only=frozenset(request.images) or None,
                to=request.to,
                override=request.override,
                verdicts=ledger.verdicts(read),
                complete=complete,
            )
            unseen = filter(None, [stream.unseen()])
            return replace(choice, warnings=(*choice.warnings, *unseen, *ledger.warnings))
        except NeedMore:
            most *= 2
        except (NotFound, Refused) as error:
            error.reasons += tuple(filter(None, [stream.unseen()]))
            raise


def _assemble(
    session: Session,
    tip: Tip,
    file: OverlayFile,
    after: bytes,
    changes: Sequence[ImageChange],
    requests: tuple[ImageRequest, ...],
    restored: Release,
    choice: Choice,
    request: RollbackRequest,
) -> Plan:
    overlay = file.overlay
    environment = overlay.environment
    home = tip.of(environment)
    reported = tuple(OverlayChange(overlay, file.path, change, home.branch) for change in changes)
    if environment.change == "work-tree":
        return Plan(
            action="rollback",
            edits={file.path: after} if changes else {},
            before={file.path: file.content},
            changes=reported,
        )
    files: dict[str, bytes | None] = {file.path: after} if changes else {}
    before: dict[str, bytes | None] = {file.path: file.content}
    hold = None
    if request.hold:
        path = own_hold_path(overlay)
        before[path] = home.read(path)
        hold = _hold(session, restored, choice, request, before[path], path)
        files[path] = render_hold(hold)

    def message(overlay: Overlay, changes: Sequence[ImageChange]) -> str:
        return render_message(
            action="rollback",
            environments=[overlay.label],
            changes=[Line(overlay.label, change) for change in changes],
            intent=session.intent,
            reason=request.reason,
            overrides=tuple(f"{request.override} (passed: {text})" for text in choice.overridden),
            restores=restored.commit,
            rolled_back=choice.rolled_back,
        )

    notes = (f"with a hold: automation leaves {overlay.label} alone",) if hold else ()
    hint = f"`gitops resume {request.environment}` lifts the hold" if hold else None
    if environment.rollback == "pull-request":
        extra = tuple((path, content) for path, content in files.items() if path != file.path)
        wanted = Wanted(overlay, file, requests, replace=True, extra=extra)
        proposed = propose(session, tip, [wanted], render=message)
        return Plan(
            action="rollback",
            proposals=proposed.drafts,
            changes=reported,
            notes=proposed.notes,
            hold=hold,
        )
    return Plan(
        action="rollback",
        commits={home.branch: Draft(files, message(overlay, changes), before=before)}
        if files
        else {},
        changes=reported,
        notes=notes,
        hold=hold,
        hint=hint,
    )


def _hold(
    session: Session,
    restored: Release,
    choice: Choice,
    request: RollbackRequest,
    standing: bytes | None,
    path: str,
) -> Hold:
    """The hold of a rollback; a second rollback keeps since when the environment is held."""
    now = session.clock.now()
    since = readable_hold(standing, path).since if standing is not None else None
    fallback = f"rolled back to {restored.commit[:7]}"
    return Hold(
        by=session.identity().name,
        since=since or now,
        reason=one_line(request.reason or fallback),
        release=restored.commit,
        restores=restored.commit,
        rolled_back=choice.rolled_back,
    )


def _since(
    session: Session, tip: Tip, overlay: Overlay, restored: Release, choice: Choice
) -> tuple[str, ...]:
    """Say what landed while the rollback was pushed, and what else changed in the overlay since.

    The first is taken back too; the second stays, since only image values are restored.
    """
    versions: list[OverlayVersion] = []
    for version in session.repository.history(
        tip.of(overlay.environment).commit, overlay.directory
    ):
        versions.append(version)
        if version.commit.commit == restored.commit:
            break
    released = {entry.commit for entry in releases(versions)}
    notes: list[str] = []
    later = True
    for version in versions[:-1]:
        commit = version.commit.commit
        later = later and commit != choice.rolled_back
        about = f"{commit[:7]} ({subject(version.commit.message)})"
        if commit in released:
            if later:
                notes.append(f"landed meanwhile and is taken back too: {about}")
        else:
            notes.append(f"stays, since it changed no image: {about}")
    return tuple(notes)
