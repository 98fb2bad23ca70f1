"""`gitops promote`: carry the images of an environment to the next one, as one change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.named import counterpart, find_overlay
from gitops.actions.context.overlays import apps_of, find_environment, overlays_of
from gitops.actions.context.plan import NoOtherTry, Plan
from gitops.actions.context.session import Session, Tip, require_words
from gitops.actions.context.targets import Target
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.images.look import Look
from gitops.actions.policy.judge import Override, judge_carried
from gitops.actions.policy.upstream import read_origins
from gitops.actions.pull_requests.announce import with_pull_requests
from gitops.actions.write.by_mode import Edited, assemble, reached_by
from gitops.actions.write.write import write
from gitops.core.environments.environment import Environment, Overlay, keep_names
from gitops.core.git.message import ChangeLine, CommitMessage
from gitops.core.kustomization.image import ImageValue
from gitops.core.policy.promotion import Carried, ImageOrigin, carry, judge_registry
from gitops.core.policy.reasons import Reason, plain_branch, record_overrides
from gitops.core.releases.provenance import shared_source
from gitops.core.report import Skipped, WriteReport
from gitops.errors import ManifestError, NotFound, UsageError


class PromoteRequest(Struct, frozen=True):
    """What `gitops promote` was asked for.

    Attributes:
        to: name of the environment that gets the images.
        names: images to carry; empty means all.
        source: name of the environment that has them; None: the last of `after`.
        ref: the source branch that they are expected to come from, or None.
        override: why policy is passed over, or None.
        refresh: make a proposal anew, on the newest tip, that already wants the same.
    """

    to: str
    names: tuple[str, ...] = ()
    source: str | None = None
    ref: str | None = None
    override: str | None = None
    reason: str | None = None
    app: str | None = None
    refresh: bool = False


class _Carrying(Struct, frozen=True):
    """One overlay with what goes there, where each image came from, and what policy says."""

    edited: Edited
    origins: tuple[ImageOrigin, ...]
    warnings: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()


def promote(session: Session, request: PromoteRequest) -> WriteReport:
    """Carry images from the environment before: one commit, or one proposal.

    Which values go is settled on the first tip that is read: they are what the caller saw, also
    when the environment before moves on while the push is tried. Policy is asked on every tip.

    Raises UsageError, NotFound, ManifestError, Refused (with all reasons), and what `write` raises.
    """
    require_words(request.override, "--override")
    require_words(request.reason, "--reason")
    ref = plain_branch(request.ref) if request.ref is not None else None
    settled: Mapping[str, ImageValue] | None = None
    override = Override(request.override)
    look = Look(session)

    def plan(tip: Tip) -> Plan:
        nonlocal settled
        target, source = _ends(session, tip, request)
        if settled is None:
            settled = source.images
        found = _carry(source, target, settled, request.names)
        if not found.edited.target.requests:
            raise NotFound(f"nothing to promote to {target.label}: {'; '.join(found.warnings)}")
        found = _judge(_looked_at(found, look), expected=ref)
        barred = override.barred(found.reasons)
        if barred:
            raise override.refusal(barred)
        overrides = record_overrides(request.override, found.reasons)
        made = _assemble(
            session,
            [found],
            overrides=overrides,
            reason=request.reason,
            # An override is given for the proposal to record it, also for one that waits already.
            refresh=request.refresh or bool(overrides),
        )
        same = () if found.edited.edit.changes else (target.overlay,)
        return replace(made, reached=same or reached_by([found.edited]))

    return with_pull_requests(session, write(session, plan).report)


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
            for target in targets:
                try:
                    source = view_of(session, tip, counterpart(tip, row.after[-1], target.app))
                    found = _carry(source, source.beside(target), source.images)
                    found = _looked_at(found, look)
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
        return replace(
            _assemble(session, go),
            skipped=tuple(skipped),
            reached=reached_by([one.edited for one in go]),
        )

    return with_pull_requests(session, write(session, plan).report)


def _ends(session: Session, tip: Tip, request: PromoteRequest) -> tuple[OverlayView, OverlayView]:
    """Return the overlay that gets the images, and the one that has them."""
    row = find_environment(tip.config, request.to)
    name = request.source
    if name is None:
        if not row.after:
            earlier = [one.name for one in tip.config.environments if one.name != row.name]
            raise UsageError(
                f"{row.name} comes after no environment: say with --from where the images are",
                hint=f"for example --from {earlier[0]}" if earlier else None,
            )
        name = row.after[-1]
    if name == row.name:
        raise UsageError(f"--from {name} and --to {name} are the same environment")
    target = find_overlay(tip, row.name, _app(session, tip, row, request))
    source = counterpart(tip, name, target.app)
    return view_of(session, tip, target), view_of(session, tip, source)


def _app(session: Session, tip: Tip, row: Environment, request: PromoteRequest) -> str | None:
    """Return the app that is meant: the one of `--app`, else the only one with all named images."""
    if request.app is not None or not row.per_app or not request.names:
        return request.app
    having = [
        app
        for app in apps_of(tip.of(row), row)
        if set(request.names) <= set(view_of(session, tip, Overlay(row, app)).images)
    ]
    return having[0] if len(having) == 1 else None


def _carry(
    source: OverlayView,
    target: OverlayView,
    values: Mapping[str, ImageValue],
    names: Sequence[str] = (),
) -> _Carrying:
    """Put `values` of `source` into `target`: those called `names`, or all."""
    file = target.target
    carried: Carried = carry(
        values,
        file.read_images(),
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
    return _Carrying(edited, came, carried.warnings + edited.warnings, foreign)


def _looked_at(found: _Carrying, look: Look) -> _Carrying:
    """Look whether what changes is in its registry; see `Look.carried`."""
    changing = {change.image for change in found.edited.edit.changes}
    target = found.edited.target
    requests = tuple(entry for entry in target.requests if entry.image in changing)
    seen = look.carried(target.view.tip, [Target(target.view, requests)])
    if seen is None:
        return found
    reasons = found.reasons + seen.reasons[target.view.label]
    return replace(found, reasons=reasons, warnings=found.warnings + seen.warnings)


def _judge(
    found: _Carrying, *, expected: str | None = None, soak: timedelta | None = None
) -> _Carrying:
    judgement = judge_carried(
        found.edited.target.view,
        found.edited.edit.changes,
        origins=found.origins,
        expected=expected,
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
        ).render()

    edited = [one.edited for one in found if one.edited.edit.changes]
    made = assemble("promote", edited, render=render, refresh=refresh)
    warnings = (text for one in found for text in one.warnings)
    return replace(made, warnings=(*warnings, *made.warnings))
