"""May these images go there, as of now? The one place that asks every rule of policy.

`deploy`, `promote` and `approve` all call `judge`, on the very tip that their write builds on: a
rule that is added here holds for every way in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitops.actions.after import judge_after
from gitops.actions.holds import hold_on
from gitops.actions.session import Session, Tip
from gitops.core.environment import Overlay
from gitops.core.image import ImageChange
from gitops.core.policy import Reason, judge_hold, judge_source
from gitops.errors import Refused


def judge(
    session: Session,
    tip: Tip,
    overlay: Overlay,
    changes: Sequence[ImageChange],
    *,
    ref: str | None = None,
) -> tuple[Reason, ...]:
    """Return every reason why `changes` may not go to `overlay` now; () when they may.

    `ref` is the source branch that the images come from, None when nobody said it.
    """
    if not changes:
        return ()
    return (
        judge_source(overlay, ref)
        + judge_hold(overlay, hold_on(tip.snapshot, overlay))
        + judge_after(session, tip, overlay, changes)
    )


def refusal(barred: Iterable[Reason], *, overridden: bool) -> Refused:
    """Return the error that names all of `barred`; `overridden`: an override was given already."""
    texts = tuple(str(reason) for reason in barred)
    count = f"{len(texts)} reasons" if len(texts) > 1 else texts[0]
    hint = "`--override REASON` passes this, and is recorded in the commit"
    if overridden:
        hint = "these came up after the override was given: look at them, then override again"
    return Refused(f"refused: {count}", hint=hint, reasons=texts)


def record_overrides(override: str | None, passed: Iterable[object]) -> tuple[str, ...]:
    """Return what the commit says of each reason that was passed over (`Gitops-Override`)."""
    if override is None:
        return ()
    return tuple(f"{override} (passed: {reason})" for reason in passed)
