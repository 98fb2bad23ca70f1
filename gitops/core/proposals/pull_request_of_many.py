"""Title and body of the pull request of a proposal that is about several overlays."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from gitops.core.git.message import reason_of, subject, told_labels, trailers
from gitops.core.proposals.pull_request import (
    LONGEST_TITLE,
    PullRequestText,
    Review,
    details_of,
    fitting,
    kind_told,
    opened,
    render_pull_request,
    shown_value,
    titled,
)
from gitops.core.text.markdown import code, code_block, table

_LISTED = 50


def render_pull_requests(reviews: Sequence[Review], name: str) -> PullRequestText:
    """Return what the pull request of one head says of all overlays that it is about.

    Args:
        name: what a person types for all of them: an environment, a group, `APP/GROUP`.
    """
    first = reviews[0]
    if len(reviews) == 1:
        return render_pull_request(first)
    said = trailers(first.message)
    action = said.get("Gitops-Action", ("deploy",))[-1]
    labels = told_labels([review.overlay.label for review in reviews])
    where = f"{'of' if action == 'rollback' else 'for'} {code(labels)}"
    parts = [f"**{kind_told(action)}** {where}, {opened(first)}"]
    reason = reason_of(first.message)
    if reason is not None:
        parts.append(f"Reason: {code(reason)}")
    rows = [
        (
            code(review.overlay.label),
            code(row.change.image),
            shown_value(row.change.before),
            shown_value(row.change.after),
        )
        for review in reviews
        for row in review.rows
    ]
    parts.append(table(("overlay", "image", "old", "new"), fitting(rows)))
    # One line for what is the same of many.
    about: dict[str, list[str]] = {}
    for review in reviews:
        for text in details_of(review, action):
            about.setdefault(text, []).append(review.overlay.label)
    lines = [f"{code(told_labels(some))}: {text}" for text, some in about.items()]
    parts += titled("Before it goes in", lines)
    overrides = said.get("Gitops-Override", ())
    parts += titled("Passed over", [code(text) for text in overrides])
    warnings = dict.fromkeys(text for review in reviews for text in review.warnings)
    parts += titled("Warnings", [code(text) for text in warnings])
    back = code(shlex.join(["gitops", "rollback", name]))
    parts.append(f"**Way back**: {back} takes each to its last stable release.")
    parts.append("To merge exactly this:")
    approve = shlex.join(["gitops", "approve", name, "--head", first.head])
    parts.append(code_block([approve], "sh"))
    listed = [f"{key}: {value}" for key, values in said.items() for value in values]
    parts.append(code_block(listed[:_LISTED]))
    return PullRequestText(subject(first.message)[:LONGEST_TITLE], "\n\n".join(parts))
