"""`gitops promote`: carry the images of an environment to the next one, as one change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.named import Named, counterpart, resolve, rows_named
from gitops.actions.context.overlays import find_environment, overlays_of
from gitops.actions.context.plan import NoOtherTry, Plan
from gitops.actions.context.session import Session, Tip, require_words
from gitops.actions.context.targets import Target
from gitops.actions.context.together import Told, refusal_of_all, typed_without
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.images.look import Look
from gitops.actions.policy.judge import Override, judge_carried, told_proofs
from gitops.actions.policy.upstream import read_origins
from gitops.actions.proposals.branches import gather_proposals
from gitops.actions.proposals.find import find_proposal
from gitops.actions.pull_requests.announce import with_pull_requests
from gitops.actions.releases.history import gather_releases, releases_of
from gitops.actions.write.by_mode import Edited, assemble
from gitops.actions.write.write import write
from gitops.core.environments.environment import Environment, Overlay, keep_names
from gitops.core.git.message import ChangeLine, CommitMessage
from gitops.core.git.schema import Schema
from gitops.core.kustomization import missing_image
from gitops.core.kustomization.image import ImageChange, ImageValue
from gitops.core.policy.promotion import Carried, ImageOrigin, carry, judge_registry
from gitops.core.policy.reasons import Reason, plain_branch, record_overrides
from gitops.core.releases.crossed import carried_schema
from gitops.core.releases.provenance import shared_source
from gitops.core.report import Skipped, WriteReport
from gitops.core.text.counting import counted
from gitops.errors import GitopsError, ManifestError, NotFound, UsageError


class PromoteRequest(Struct, frozen=True):
    """What `gitops promote` was asked for.

    Attributes:
        to: environments, groups or `APP/ENV` that get the images.
        names: images to carry; empty means all.
        source: name of the environment that has them; None: the last of `after` of each.
        ref: the source branch that they are expected to come from, or None.
        override: why policy is passed over, or None.
        apps: only these; () means all of them.
        refresh: make a proposal anew, on the newest tip, that already wants the same.
    """

    to: tuple[str, ...]
    names: tuple[str, ...] = ()
    source: str | None = None
    ref: str | None = None
    override: str | None = None
    reason: str | None = None
    apps: tuple[str, ...] = ()
    refresh: bool = False


class _Way(Struct, frozen=True):
    """The overlay that has the images, the one that gets them, and those that go by name."""

    source: OverlayView
    target: OverlayView
    names: tuple[str, ...]


class _Carrying(Struct, frozen=True):
    """One overlay with what goes there, where each image came from, and what policy says."""

    edited: Edited
    origins: tuple[ImageOrigin, ...]
    warnings: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()
    schema: Schema | None = None


def promote(session: Session, request: PromoteRequest) -> WriteReport:
    """Carry images from the environments before: one commit, or one proposal.

    Which values go is settled on the first tip that is read: they are what the caller saw, also
    when the environment before moves on while the push is tried. Policy is asked on every tip. Of
    several overlays all get what is carried, or none does.

    Raises UsageError, NotFound, ManifestError, Refused (with all reasons), and what `write` raises.
    """
    require_words(request.override, "--override")
    require_words(request.reason, "--reason")
    ref = plain_branch(request.ref) if request.ref is not None else None
    settled: dict[str, Mapping[str, ImageValue]] = {}
    override = Override(request.override)
    look = Look(session)

    def plan(tip: Tip) -> Plan:
        ways, notes = _ways(session, tip, request)
        for way in ways:
            settled.setdefault(way.target.label, way.source.images)
        found = _carry_all(ways, settled)
        gather_proposals(session, tip, [way.target.overlay for way in ways])
        seen = counted(session.count, "asking policy", list(_looked_at(tip, found, look)))
        found = [_judge(one, expected=ref) for one in seen]
        reasons = [reason for one in found for reason in one.reasons]
        barred = override.barred(reasons)
        if barred:
            raise override.refusal(barred, _without(found, barred, request))
        overrides = record_overrides(request.override, reasons)
        made = _assemble(
            session,
            found,
            overrides=overrides,
            reason=request.reason,
            # An override is given for the proposal to record it, also for one that waits already.
            refresh=request.refresh or bool(overrides),
        )
        same = [one.edited.target.view for one in found if not one.edited.edit.changes]
        reached = (*(view.overlay for view in same), *made.reached)
        told = (*notes, *(() if made.reached else _left_waiting(same)), *made.notes)
        return replace(made, notes=told, reached=reached)

    return with_pull_requests(session, write(session, plan).report)


def _without(
    found: Sequence[_Carrying], barred: Sequence[Reason], request: PromoteRequest
) -> str | None:
    """Say how what nothing is said against goes by itself."""
    changing = [one.edited.target.view.label for one in found if one.edited.edit.changes]
    source = ["--from", request.source] if request.source is not None else []
    words = ["promote", *request.names, *source]
    return typed_without(words, changing, [reason.overlay for reason in barred])


def _left_waiting(same: Sequence[OverlayView]) -> Iterator[str]:
    """Yield what waits for overlays that have all that would be carried: an older promotion."""
    asking = (view for view in same if view.row.change == "pull-request")
    found = (find_proposal(view) for view in asking)
    older = (one for one in found if one.present is not None and one.present.kind == "forward")
    for branch in dict.fromkeys(one.branch for one in older):
        drop = f"`gitops close {branch.removeprefix('gitops/')}` drops it"
        yield f"these images are there; {branch} still proposes others: {drop}"


def promote_eligible(session: Session) -> WriteReport:
    """Promote whatever policy allows right now, into every environment with `deploy: auto`.

    What is kept out (held, frozen, not yet soaked, waiting for a verdict) is skipped with the
    reasons. A value that an earlier step of the same call would bring waits for the next call.
    """

    look = Look(session)

    def plan(tip: Tip) -> Plan:
        go: list[_Carrying] = []
        skipped: list[Skipped] = []
        for row in tip.config.environments:
            if row.deploy != "auto" or not row.after:
                continue
            try:
                targets = overlays_of(tip.of(row), row)
            except NotFound as error:
                skipped.append(Skipped(Overlay(row), error.message))
                continue
            gather_proposals(session, tip, targets)
            for target in targets:
                try:
                    source = view_of(session, tip, counterpart(tip, row.after[-1], target.app))
                    found = _carry(source, source.beside(target), source.images)
                    (found,) = _looked_at(tip, [found], look)
                except (NotFound, ManifestError, NoOtherTry) as error:
                    # One broken overlay, or registry, must not stop the others.
                    told = error.error if isinstance(error, NoOtherTry) else error
                    skipped.append(Skipped(target, told.message))
                    continue
                found = _judge(found, soak=row.soak)
                if found.reasons:
                    text = "; ".join(reason.text for reason in found.reasons)
                    skipped.append(Skipped(target, text))
                elif found.edited.edit.changes:
                    go.append(found)
        return replace(_assemble(session, go), skipped=tuple(skipped))

    return with_pull_requests(session, write(session, plan).report)


def _ways(
    session: Session, tip: Tip, request: PromoteRequest
) -> tuple[list[_Way], tuple[str, ...]]:
    """Return from where to where images go, and why some of what is named gets none.

    Where images are named the apps are meant that have one of them.
    """
    named = Named(request.to, request.apps)
    rows = rows_named(tip.config, named)
    before = {one.row: _before(tip, one.row, request) for one in rows}
    targets = [view_of(session, tip, one) for one in resolve(tip, rows, named.apps)]
    ways: list[_Way] = []
    told = Told(several=len(targets) > 1)
    for target in targets:
        try:
            overlay = counterpart(tip, before[target.row], target.overlay.app)
        except NotFound as error:
            if not told.several:
                raise
            told.notes(target.label, (f"nothing to promote: {error.message}",))
            continue
        source, names = target.beside(overlay), request.names
        if told.several and names:
            names = tuple(name for name in names if name in target.target_images)
            if not names:
                continue  # of another app
        ways.append(_Way(source, target, names))
    here = {name for way in ways for name in way.names}
    missing = [name for name in request.names if name not in here]
    if told.several and missing:
        known = [name for target in targets for name in target.target_images]
        raise missing_image(missing[0], known, named.text, can_add=False)
    if not ways:
        raise NotFound(f"nothing to promote to {named.text}: {'; '.join(told.all_notes())}")
    if len(ways) > 1:
        gather_releases([way.source for way in ways])
    return ways, told.all_notes()


def _before(tip: Tip, row: Environment, request: PromoteRequest) -> str:
    """Return the environment that has the images: the named one, else the last of `after`."""
    name = request.source
    if name is None:
        if not row.after:
            earlier = [one.name for one in tip.config.environments if one.name != row.name]
            raise UsageError(
                f"{row.name} comes after no environment: say with --from where the images are",
                hint=f"for example --from {earlier[0]}" if earlier else None,
            )
        name = row.after[-1]
    if find_environment(tip.config, name.rpartition("/")[2]) is row:
        raise UsageError(f"--from {name} and --to {name} are the same environment")
    return name


def _carry_all(
    ways: Sequence[_Way], settled: Mapping[str, Mapping[str, ImageValue]]
) -> list[_Carrying]:
    """Return what is carried to each; all of it, or an error with what is in the way."""
    found: list[_Carrying] = []
    against: list[tuple[str, GitopsError]] = []
    nothing: list[str] = []
    for way in ways:
        target = way.target
        try:
            one = _carry(way.source, target, settled[target.label], way.names)
        except (NotFound, ManifestError) as error:
            if len(ways) == 1:
                raise
            against.append((target.label, error))
            continue
        if one.edited.target.requests:
            found.append(one)
        else:
            nothing.append(f"nothing to promote to {target.label}: {'; '.join(one.warnings)}")
    if against:
        raise refusal_of_all("promoted", against)
    if not found:
        raise NotFound(nothing[0], reasons=tuple(nothing[1:]))
    return found


def _carry(
    source: OverlayView,
    target: OverlayView,
    values: Mapping[str, ImageValue],
    names: Sequence[str] = (),
) -> _Carrying:
    """Put `values` of `source` into `target`: those called `names`, or all."""
    carried: Carried = carry(
        values,
        target.target_images,
        names,
        source_label=source.label,
        target_label=target.label,
        keep_names=keep_names(source.row, target.row),
    )
    edit = target.edit(carried.requests)
    wanted = {change.image: values[change.image] for change in edit.changes}
    edited = Edited(Target(target, carried.requests), edit)
    came = read_origins(source, wanted)
    foreign = judge_registry(target.overlay, edit.changes, source.label)
    schema = _schema(source, edited.edit.changes, wanted)
    return _Carrying(edited, came, carried.warnings + edited.warnings, foreign, schema)


def _schema(
    source: OverlayView, changes: Sequence[ImageChange], wanted: Mapping[str, ImageValue]
) -> Schema | None:
    """Return what the images that are carried do to the schema of the target's database."""
    if not wanted:
        return None
    before = {change.image: change.before for change in changes}
    return carried_schema(releases_of(source), before, wanted)


def _looked_at(tip: Tip, found: Sequence[_Carrying], look: Look) -> list[_Carrying]:
    """Look whether what changes is in its registry; see `Look.at`."""
    targets = []
    for one in found:
        changing = {change.image for change in one.edited.edit.changes}
        target = one.edited.target
        requests = tuple(entry for entry in target.requests if entry.image in changing)
        targets.append(Target(target.view, requests))
    seen = look.at(tip, targets, carried=True)
    if seen is None:
        return list(found)
    judged = [replace(one, reasons=one.reasons + seen.reasons[one.edited.label]) for one in found]
    return [replace(judged[0], warnings=judged[0].warnings + seen.warnings), *judged[1:]]


def _judge(
    found: _Carrying, *, expected: str | None = None, soak: timedelta | None = None
) -> _Carrying:
    judgement = judge_carried(
        found.edited.target.view,
        found.edited.edit.changes,
        origins=found.origins,
        expected=expected,
        commits={},
        soak=soak,
    )
    warnings = found.warnings + judgement.warnings
    return replace(found, reasons=found.reasons + judgement.reasons, warnings=warnings)


def _assemble(
    session: Session,
    found: Sequence[_Carrying],
    *,
    overrides: tuple[str, ...] = (),
    reason: str | None = None,
    refresh: bool = False,
) -> Plan:
    told = [
        (one.edited.label, origin.image, origin.revision) for one in found for origin in one.origins
    ]

    def render(labels: Sequence[str], lines: Sequence[ChangeLine]) -> str:
        source, sources = shared_source([entry for entry in told if entry[0] in labels])
        return CommitMessage(
            action="promote",
            environments=labels,
            changes=lines,
            intent=session.intent,
            reason=reason,
            overrides=overrides,
            source=source,
            sources=sources,
            schema={one.edited.label: one.schema for one in found if one.schema} or None,
            proofs=told_proofs(session, [line.change for line in lines]),
        ).render()

    edited = [one.edited for one in found if one.edited.edit.changes]
    made = assemble("promote", edited, render=render, refresh=refresh)
    warnings = (text for one in found for text in one.warnings)
    notes = (
        f"{one.edited.label}: the database's schema: {one.schema}" for one in found if one.schema
    )
    return replace(made, warnings=(*warnings, *made.warnings), notes=(*made.notes, *notes))
