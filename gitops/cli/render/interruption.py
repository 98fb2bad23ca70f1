"""What an interrupted call says: what landed, or may have."""

from __future__ import annotations

from gitops import interrupts
from gitops.errors import Interrupted


def interruption() -> Interrupted:
    """Return the error of an interrupted call: it tells what landed, or may have."""
    intent, pushes = interrupts.written()
    landed = [f"{_short(one)} had landed" for one in pushes if one.landed]
    unsure = [f"{_short(one)} may have landed" for one in pushes if not one.landed]
    if not pushes or intent is None:
        return Interrupted("interrupted")
    when = "while a push was on its way" if unsure else "afterwards"
    found = f"`git log --grep {intent}` on {pushes[-1].branch}, freshly fetched, finds the commit"
    return Interrupted(
        f"interrupted {when}: {', '.join((*landed, *unsure))}",
        hint=f"look before you repeat it: `gitops status` shows what stands; {found}",
        id=intent,
        pushes=tuple(
            {"branch": one.branch, "commit": one.commit, "landed": one.landed or None}
            for one in pushes
        ),
    )


def _short(push: interrupts.Push) -> str:
    what = push.commit[:7] if push.commit is not None else "the end"
    return f"{what} on {push.branch}" if push.commit is not None else f"{what} of {push.branch}"
