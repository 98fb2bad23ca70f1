"""What the comments on a pull request say, when something became of its proposal."""

from __future__ import annotations

from collections.abc import Mapping

from gitops.core.environments.environment import Overlay
from gitops.core.kustomization.image import ImageValue
from gitops.core.proposals.pull_request import fitting, shown_value
from gitops.core.text.markdown import code, table

_SHORT = 7


def render_replaced(
    old: str, new: str, by: str, was: Mapping[str, ImageValue], now: Mapping[str, ImageValue]
) -> str:
    """Return the comment for a proposal whose head `old` was replaced by `new`, made by `by`.

    Args:
        was, now: image -> the value that was proposed, and is proposed.
    """
    images = dict.fromkeys([*was, *now])
    rows = [
        (code(image), shown_value(was.get(image)), shown_value(now.get(image)))
        for image in images
        if was.get(image) != now.get(image)
    ]
    first = (
        f"{code(by)} replaced {code(old[:_SHORT])} by {code(new[:_SHORT])}. "
        "An approval of the old one is for the old images: please look again."
    )
    return "\n\n".join([first, table(("image", "was proposed", "is proposed"), fitting(rows))])


def render_closed(overlay: Overlay, by: str, reason: str | None) -> str:
    """Return the comment of `gitops close`."""
    because = f": {code(reason)}" if reason is not None else "."
    return f"{code(by)} closed this with {code(f'gitops close {overlay.label}')}{because}"


def render_gave_way(branch: str) -> str:
    """Return the comment for a proposal that became part of a wider one."""
    return (
        f"This is part of {code(branch)} now, which proposes it together with others. "
        "An approval of this one does not count there: please look at that one."
    )


def render_rolled_back(
    overlay: Overlay, by: str, *, restores: str, commit: str | None, reason: str | None
) -> str:
    """Return the comment for a proposal that was open when its environment was rolled back.

    `commit` is the rollback where it landed directly, None where it is a proposal of its own.
    """
    where = f" in {code(commit[:_SHORT])}" if commit is not None else ""
    because = f": {code(reason)}" if reason is not None else "."
    how = "rolled back" if commit is not None else "asked for a rollback of"
    return (
        f"Closed, since {code(by)} {how} {code(overlay.label)} to {code(restores[:_SHORT])}"
        f"{where}{because}\n\n"
        f"The way forward: {code(f'gitops resume {overlay.typed}')} lifts the hold and "
        "says what can be promoted then."
    )
