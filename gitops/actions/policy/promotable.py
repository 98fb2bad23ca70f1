"""What goes to an environment once nobody holds it any more: for whoever lifts a hold."""

from __future__ import annotations

from gitops.actions.context.named import counterpart
from gitops.actions.context.view import OverlayView
from gitops.actions.policy.judge import judge_carried
from gitops.actions.policy.upstream import read_origins
from gitops.actions.releases.history import releases_of
from gitops.core.environments.environment import keep_names
from gitops.core.kustomization.image import ImageChange, describe_change, describe_value
from gitops.core.policy.promotion import carry, judge_registry
from gitops.core.releases.lineage import trace
from gitops.errors import GitopsError


def outlook(view: OverlayView) -> tuple[str, ...]:
    """Say in sentences what will be promoted to the overlay, and what a rollback took away of it.

    Its own hold is passed over. What cannot be read is said, too: this never stops anybody.
    """
    row = view.row
    if not row.after:
        if row.deploy == "auto" and row.accepts:
            branches = ", ".join(row.accepts)
            return (f"the next build of {branches} goes to {view.label} by itself",)
        return (f"nothing goes to {view.label} by itself",)
    try:
        return _promotable(view, row.after[-1])
    except GitopsError as error:
        return (f"what can be promoted to {view.label} is not known: {error.message}",)


def _promotable(view: OverlayView, name: str) -> tuple[str, ...]:
    source = view.beside(counterpart(view.tip, name, view.overlay.app))
    carried = carry(
        source.images,
        view.images,
        source_label=source.label,
        target_label=view.label,
        keep_names=keep_names(source.row, view.row),
    )
    edit = view.edit(carried.requests)
    command = f"`gitops promote --to {view.overlay.typed}`"
    if not edit.changes:
        return (f"{view.label} has what {source.label} has: {command} changes nothing",)
    what = ", ".join(_arrow(change) for change in edit.changes)
    automatic = view.row.deploy == "auto"
    command = "`gitops promote --eligible`" if automatic else command
    notes = [f"{command} would carry from {source.label}: {what}"]
    lineage = trace(list(releases_of(view)), complete=True)
    taken = [change for change in edit.changes if lineage.taken_by(change.image, change.after)]
    if taken:
        named = ", ".join(f"{one.image} {describe_value(one.after)}" for one in taken)
        notes.append(f"a rollback took this away from {view.label}: {named}")
    wanted = {change.image: source.images[change.image] for change in edit.changes}
    found = judge_carried(
        view,
        edit.changes,
        origins=read_origins(source, wanted),
        soak=view.row.soak if automatic else None,
    )
    foreign = judge_registry(view.overlay, edit.changes, source.label)
    against = [reason.text for reason in foreign + found.reasons if reason.kind != "hold"]
    notes += [f"until then policy says no: {text}" for text in against]
    return tuple(notes)


def _arrow(change: ImageChange) -> str:
    before, after = describe_change(change)
    return f"{change.image} {before} -> {after}"
