"""What goes to an environment once nobody holds it any more: for whoever lifts a hold."""

from __future__ import annotations

from gitops.actions.context.overlays import counterpart, pinned_images, read_overlay
from gitops.actions.context.session import Session, Tip
from gitops.actions.policy.judge import judge_carried
from gitops.actions.policy.upstream import read_origins
from gitops.actions.releases.history import releases_of
from gitops.core.environments.environment import Overlay
from gitops.core.kustomization import edit_images
from gitops.core.kustomization.image import ImageChange, describe_value
from gitops.core.policy.promotion import carry
from gitops.core.releases.lineage import trace
from gitops.errors import GitopsError


def outlook(session: Session, tip: Tip, overlay: Overlay) -> tuple[str, ...]:
    """Say in sentences what will be promoted to `overlay`, and what a rollback took away of it.

    Its own hold is passed over. What cannot be read is said, too: this never stops anybody.
    """
    row = overlay.environment
    if not row.after:
        if row.deploy == "auto" and row.accepts:
            branches = ", ".join(row.accepts)
            return (f"the next build of {branches} goes to {overlay.label} by itself",)
        return (f"nothing goes to {overlay.label} by itself",)
    try:
        return _promotable(session, tip, overlay, row.after[-1])
    except GitopsError as error:
        return (f"what can be promoted to {overlay.label} is not known: {error.message}",)


def _promotable(session: Session, tip: Tip, overlay: Overlay, name: str) -> tuple[str, ...]:
    source = counterpart(tip, name, overlay.app)
    here = read_overlay(tip.of(overlay.environment), overlay)
    carried = carry(
        pinned_images(tip, source),
        here.read_images(),
        source_label=source.label,
        target_label=overlay.label,
    )
    edit = edit_images(here.content, here.path, carried.requests)
    command = f"`gitops promote --to {overlay.environment.name}`"
    if not edit.changes:
        return (f"{overlay.label} has what {source.label} has: {command} changes nothing",)
    what = ", ".join(_arrow(change) for change in edit.changes)
    automatic = overlay.environment.deploy == "auto"
    command = "`gitops promote --eligible`" if automatic else command
    notes = [f"{command} would carry from {source.label}: {what}"]
    lineage = trace(list(releases_of(session, tip, overlay)), complete=True)
    taken = [change for change in edit.changes if lineage.was_taken(change.image, change.after)]
    if taken:
        named = ", ".join(f"{one.image} {describe_value(one.after)}" for one in taken)
        notes.append(f"a rollback took this away from {overlay.label}: {named}")
    wanted = {change.image: change.after for change in edit.changes}
    found = judge_carried(
        session,
        tip,
        overlay,
        edit.changes,
        origins=read_origins(session, tip, source, wanted),
        soak=overlay.environment.soak if automatic else None,
    )
    against = [reason.text for reason in found.reasons if reason.kind != "hold"]
    notes += [f"until then policy says no: {text}" for text in against]
    return tuple(notes)


def _arrow(change: ImageChange) -> str:
    before, after = describe_value(change.before), describe_value(change.after)
    return f"{change.image} {before} -> {after}"
