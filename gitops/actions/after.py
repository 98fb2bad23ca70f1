"""The `after` rule: what goes to prod is, or was, a release in stage, and was not taken back."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.actions.history import releases_of
from gitops.actions.overlays import find_environment, find_overlay, read_overlay
from gitops.actions.session import Session, Tip
from gitops.core.environment import Overlay
from gitops.core.history import was_released
from gitops.core.image import ImageChange, describe_value
from gitops.core.kustomization import image_values
from gitops.core.policy import Reason
from gitops.errors import NotFound


def judge_after(
    session: Session, tip: Tip, overlay: Overlay, changes: Sequence[ImageChange]
) -> tuple[Reason, ...]:
    """Return a reason for each changed image that an `after` environment has not released."""
    reasons: list[Reason] = []
    for name in overlay.environment.after:
        row = find_environment(tip.config, name)
        try:
            before = find_overlay(
                tip.snapshot, tip.config, name, overlay.app if row.per_app else None
            )
            file = read_overlay(tip.snapshot, before)
        except NotFound as error:
            reasons.append(
                Reason("after", overlay.label, f"{name} cannot be asked: {error.message}")
            )
            continue
        current = image_values(file.content, file.path)
        for change in changes:
            # What runs there now needs no look into the past, which may be a long one.
            if current.get(change.image) == change.after:
                continue
            value = describe_value(change.after)
            if change.image not in current:
                text = f"{before.label} has no image {change.image}"
            else:
                found = was_released(releases_of(session, tip, before), change.image, change.after)
                if found:
                    continue
                text = f"{change.image} {value} is not a release of {before.label}"
            reasons.append(Reason("after", overlay.label, text))
    return tuple(reasons)
