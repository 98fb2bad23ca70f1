"""`gitops deploy`: put images into the environments that are named, or that follow a branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.named import Named, NamedRow, rows_named
from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Session, Tip, require_commit, require_words
from gitops.actions.context.targets import Target, find_targets
from gitops.actions.context.together import typed_without
from gitops.actions.context.view import OverlayView
from gitops.actions.images.look import Look
from gitops.actions.policy.judge import Override, judge, told_proofs
from gitops.actions.pull_requests.announce import with_pull_requests
from gitops.actions.write.by_mode import Edited, assemble
from gitops.actions.write.write import write
from gitops.core.environments.environment import Overlay, asks_for_approval
from gitops.core.git.message import ChangeLine, CommitMessage, trailers
from gitops.core.git.schema import SCHEMAS, Schema, read_schema, schema_of, worst
from gitops.core.kustomization.image import ImageChange, parse_image
from gitops.core.policy.reasons import (
    Reason,
    environments_taking,
    plain_branch,
    record_overrides,
)
from gitops.core.report import Skipped, WriteReport
from gitops.errors import Denied, ManifestError, UsageError

if TYPE_CHECKING:
    from gitops.actions.images.before_write import LookedAt
    from gitops.actions.policy.builds import SourceBuild
    from gitops.core.batch.intents import Intent


class DeployRequest(Struct, frozen=True):
    """What `gitops deploy` was asked for.

    Attributes:
        images: IMAGE arguments, as typed.
        to: environments, groups, `APP/ENV`; empty means that policy decides by `ref`.
        ref: the source branch that the images were built from, or None.
        commit: its source commit (hex), or None.
        override: why policy is passed over, or None.
        add: make entries that an overlay does not have yet.
        apps: only these; () means all that have the images.
        schema: what the images do to the database's schema: none, compatible or breaking; None:
            nobody said.
        only: labels of the overlays that it may reach, of those that follow `ref`; None: all.
        stays: says of a change why the overlay keeps what it has; asked on each tip.
        bars: says of an overlay why the caller may not deploy there: it is left out.
    """

    images: tuple[str, ...]
    to: tuple[str, ...] = ()
    ref: str | None = None
    commit: str | None = None
    override: str | None = None
    reason: str | None = None
    add: bool = False
    apps: tuple[str, ...] = ()
    schema: str | None = None
    only: frozenset[str] | None = None
    stays: Callable[[OverlayView, ImageChange], str | None] | None = None
    bars: Callable[[OverlayView], Denied | None] | None = None


class _Edits(Struct, frozen=True):
    """What is to become of each overlay.

    Attributes:
        edited: those that change, with the reasons against it.
        left_out: those of which something stays: what runs is newer, or the caller may not.
        same: those that pin all that was asked for.
    """

    edited: list[Edited] = []
    left_out: list[Skipped] = []
    same: list[Overlay] = []


def deploy(session: Session, request: DeployRequest) -> WriteReport:
    """Write the images into every environment concerned: one commit, one proposal each.

    Raises UsageError, NotFound, ManifestError, Refused (with all reasons, nothing half done),
    and what `write` raises.
    """
    look = Look(session)
    plan = plan_deploy(session, request, look)
    look.foresee(partial(_foreseen, session, request))
    combining = session.combining
    # What an override passes is what stands now, and nobody knows that of a remembered tip; an
    # intent that others carry names one app, or none, and says nothing of what follows here.
    alone = request.override is not None or session.dry_run or len(request.apps) > 1
    alone = alone or any((request.schema, request.only is not None, request.bars))
    if combining is None or alone:
        report = write(session, plan, eager=request.override is None).report
        look.note()
        return with_pull_requests(session, report)
    from gitops.actions.batch.join import Batch  # loads what seals need; most calls have no key
    from gitops.core.batch.intents import Intent

    wish = partial(
        Intent,
        id=session.intent,
        images=request.images,
        to=request.to,
        ref=request.ref,
        commit=request.commit,
        app=next(iter(request.apps), None),
        reason=request.reason,
        add=request.add,
    )
    others = Batch(session, combining, plan, wish, _plan_other)
    return with_pull_requests(session, write(session, plan, others, eager=True).report)


def _plan_other(session: Session, intent: Intent) -> Callable[[Tip], Plan]:
    """Plan what another writer asked for."""
    request = DeployRequest(
        images=intent.images,
        to=intent.to,
        ref=intent.ref,
        commit=intent.commit,
        reason=intent.reason,
        add=intent.add,
        apps=(intent.app,) if intent.app is not None else (),
    )
    return plan_deploy(session, request)


def _foreseen(session: Session, request: DeployRequest, tip: Tip) -> tuple[Target, ...]:
    """Return what `request` would go to on `tip`, as far as that one branch tells."""
    images = [parse_image(text) for text in request.images]
    rows = [one for one in _environments(tip, request)[0] if one.row.branch is None]
    return find_targets(session, tip, rows, images, lenient=True, add=request.add).found


def _without(
    edited: Sequence[Edited], barred: Sequence[Reason], request: DeployRequest
) -> str | None:
    """Say how what nothing is said against goes by itself, where overlays were named."""
    if not request.to:
        return None
    said = (("--ref", request.ref), ("--commit", request.commit))
    source = [word for name, value in said if value for word in (name, value)]
    words = ["deploy", *request.images, *source]
    labels = [one.target.view.label for one in edited]
    return typed_without(words, labels, [reason.overlay for reason in barred])


def plan_deploy(
    session: Session, request: DeployRequest, look: Look | None = None
) -> Callable[[Tip], Plan]:
    """Return the function that plans `request` on a tip. Raises UsageError.

    `look`: what registries have been asked already.
    """
    _check(request)
    ref = plain_branch(request.ref) if request.ref is not None else None
    commit = require_commit(request.commit, "--commit") if request.commit is not None else None
    request = replace(request, ref=ref, commit=commit)
    images = [parse_image(text) for text in request.images]
    override = Override(request.override)
    look = look or Look(session)

    def plan(tip: Tip) -> Plan:
        environments, warnings = _environments(tip, request)
        if not environments:
            return Plan(action="deploy", warnings=warnings)
        there = find_targets(
            session, tip, environments, images, lenient=not request.to, add=request.add
        )
        only, warnings = request.only, (*warnings, *there.warnings)
        targets = tuple(one for one in there.found if only is None or one.view.label in only)
        build = _build(session, tip, request, [image.image for image in images])
        seen = look.at(tip, targets)
        if seen is not None:
            targets, warnings = seen.targets, (*warnings, *seen.warnings)
        if asking := [one.view.overlay for one in targets if asks_for_approval(one.view.row)]:
            from gitops.actions.proposals.branches import gather_proposals  # only for these

            gather_proposals(session, tip, asking)
        edits = _edit_all(targets, request, build, seen)
        barred = override.barred(reason for entry in edits.edited for reason in entry.reasons)
        # What is not there goes nowhere: nothing that only one environment keeps out.
        if barred and (request.to or any(reason.kind == "image" for reason in barred)):
            raise override.refusal(barred, _without(edits.edited, barred, request))
        kept_out = {reason.overlay for reason in barred}
        go: list[Edited] = []
        out: list[Edited] = []
        for entry in edits.edited:
            (out if entry.target.view.label in kept_out else go).append(entry)
        schemas = _schemas(go, request, seen.schemas if seen is not None else {})
        made = _assemble(session, go, request, build, schemas)
        return replace(
            made,
            skipped=(*edits.left_out, *(_skip(entry, barred) for entry in out)),
            warnings=(
                *warnings,
                *(text for entry in edits.edited for text in entry.warnings),
                *made.warnings,
            ),
            reached=(*edits.same, *made.reached),
            looked=seen is not None,
        )

    return plan


def _check(request: DeployRequest) -> None:
    """Refuse options that do not go together. Raises UsageError."""
    if not request.to and request.ref is None:
        raise UsageError(
            "say where to: --to ENVIRONMENT, or --ref BRANCH to let policy decide",
            hint="gitops deploy shop/api:1.4.2 --to dev",
        )
    require_words(request.override, "--override")
    require_words(request.reason, "--reason")
    if request.schema is not None and read_schema(request.schema) is None:
        raise UsageError(f"--schema is one of {', '.join(SCHEMAS)}, not {request.schema!r}")
    if request.commit is not None and request.ref is None:
        raise UsageError("--commit says which commit of a branch: name that with --ref")


def _environments(tip: Tip, request: DeployRequest) -> tuple[tuple[NamedRow, ...], tuple[str, ...]]:
    """Return the environments to write, and warnings when policy names none."""
    if request.to:
        return rows_named(tip.config, Named(request.to, request.apps)), ()
    ref = request.ref or ""
    following = environments_taking(tip.config, ref, "auto")
    if following:
        return tuple(NamedRow(row, request.apps, alone=False) for row in following), ()
    by_hand = ", ".join(row.name for row in environments_taking(tip.config, ref, "manual"))
    if by_hand:
        return (), (f"no environment follows {ref} by itself; {by_hand} takes it with --to",)
    return (), (f"no environment accepts {ref}",)


def _build(
    session: Session, tip: Tip, request: DeployRequest, images: Sequence[str]
) -> SourceBuild | None:
    """Return what is known of the build, None when nobody said where it comes from."""
    if request.ref is None:
        return None
    from gitops.actions.policy.builds import SourceBuild, ask_build

    if not tip.config.sources:
        return SourceBuild(request.ref, request.commit)
    return ask_build(session, tip, images, request.ref, request.commit)


def _edit_all(
    targets: Sequence[Target],
    request: DeployRequest,
    build: SourceBuild | None,
    seen: LookedAt | None,
) -> _Edits:
    """Edit all of them. Raises Denied where the caller may go nowhere."""
    edits = _Edits()
    denied: list[tuple[Overlay, Denied]] = []
    for target in targets:
        entry, older = _edit(target, request, build)
        if request.bars is not None and (error := request.bars(target.view)) is not None:
            if entry.edit.changes:
                denied.append((target.view.overlay, error))
            continue
        if seen is not None:
            entry = replace(entry, reasons=entry.reasons + seen.reasons[target.view.label])
        edits.left_out.extend(Skipped(target.view.overlay, text) for text in older)
        if entry.edit.changes:
            edits.edited.append(entry)
        elif not older:
            edits.same.append(target.view.overlay)
    if denied and not (edits.edited or edits.left_out or edits.same):
        raise denied[0][1]
    edits.left_out.extend(Skipped(overlay, error.message) for overlay, error in denied)
    return edits


def _edit(
    target: Target, request: DeployRequest, build: SourceBuild | None
) -> tuple[Edited, tuple[str, ...]]:
    """Return the edit with the reasons against it, and which images stay since they are newer."""
    view = target.view
    edit = view.edit(target.requests, add=request.add)
    older: dict[str, str] = {}
    if build is not None and build.found:
        from gitops.actions.policy.builds import superseded

        older = superseded(view, edit.changes, build)
    if request.stays is not None:
        told = {one.image: request.stays(view, one) for one in edit.changes}
        older |= {image: why for image, why in told.items() if why is not None}
    if older and request.override is None:
        kept = tuple(entry for entry in target.requests if entry.image not in older)
        target = Target(view, kept)
        edit = view.edit(kept, add=request.add)
    reasons = judge(view, edit.changes, ref=request.ref, commits=_commits(view.tip, build))
    if edit.changes and build is not None:
        from gitops.actions.policy.builds import judge_follow

        reasons += judge_follow(view.overlay, build)
    if request.override is None:
        return Edited(target, edit, reasons), tuple(older.values())
    passed = tuple(Reason("superseded", view.label, text) for text in older.values())
    return Edited(target, edit, reasons + passed), ()


def _commits(tip: Tip, build: SourceBuild | None) -> dict[str, str]:
    """Return image -> the commit that it was built from, for those that have a source."""
    if build is None or build.commit is None:
        return {}
    sources = tip.config.sources
    return {image: build.found.get(url, build.commit) for image, url in sources.items()}


def _skip(entry: Edited, barred: Sequence[Reason]) -> Skipped:
    """Tell why policy keeps an overlay out."""
    against = [reason.text for reason in barred if reason in entry.reasons]
    return Skipped(entry.target.view.overlay, "; ".join(against))


def _assemble(
    session: Session,
    entries: Sequence[Edited],
    request: DeployRequest,
    build: SourceBuild | None,
    schemas: Mapping[str, Schema],
) -> Plan:
    """Put the edits that policy lets in where their environments take them.

    `schemas`: label of an overlay -> what its images do to the database's schema.
    """
    passed: tuple[str, ...] = ()
    if request.override is not None:
        against = [reason for entry in entries for reason in entry.reasons]
        passed = record_overrides(request.override, against)

    def render(labels: Sequence[str], lines: Sequence[ChangeLine]) -> str:
        return CommitMessage(
            action="deploy",
            environments=labels,
            changes=lines,
            intent=session.intent,
            reason=request.reason,
            overrides=passed,
            source=(build.branch, build.commit) if build is not None else None,
            schema={label: schemas[label] for label in labels if label in schemas} or None,
            proofs=told_proofs(session, [line.change for line in lines]),
        ).render()

    made = assemble(
        "deploy",
        entries,
        render=render,
        add=request.add,
        # An override is given for the proposal to record it, also for one that waits already.
        refresh=bool(passed),
    )
    said = {f"the database's schema: {schema}": None for schema in schemas.values()}
    return replace(made, notes=(*made.notes, *said)) if said else made


def _schemas(
    entries: Sequence[Edited], request: DeployRequest, told: Mapping[str, Schema]
) -> dict[str, Schema]:
    """Return what each overlay's images do to its database: as they say, else as the caller says.

    Where both say something the worse counts, and so does what waits there already: the newer one
    takes its place and brings it along.
    """
    own = read_schema(request.schema) if request.schema is not None else None
    found: dict[str, Schema] = {}
    for view in (one.target.view for one in entries):
        said = (told.get(view.label), own, _waiting(view))
        if any(said) and (schema := worst(said)) is not None:
            found[view.label] = schema
    return found


def _waiting(view: OverlayView) -> Schema | None:
    """Return what the proposal that waits for an overlay says of the schema; None without one."""
    if view.row.change != "pull-request":
        return None
    from gitops.actions.proposals.find import find_proposal  # only for what is proposed

    try:
        present = find_proposal(view).present
    except ManifestError:
        return None
    return schema_of(trailers(present.message), view.overlay.labels) if present else None
