"""What the commit says that lands proposals: of one overlay, or of several at once."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.actions.policy.judge import told_proofs
from gitops.actions.pull_requests.decide import Decided
from gitops.core.environments.environment import Approvals
from gitops.core.policy.reasons import record_overrides
from gitops.core.proposals.approval import (
    LandingProposal,
    landing_action,
    merge_message,
    merge_message_of_many,
    with_proofs,
)
from gitops.core.report import HeldOverlay
from gitops.errors import Refused


def first_of_each(decided: Sequence[Decided]) -> list[Decided]:
    """Return one overlay of each proposal."""
    return list({one.present.branch: one for one in reversed(decided)}.values())[::-1]


def holds_brought(decided: Sequence[Decided]) -> tuple[HeldOverlay, ...]:
    """Return the holds that come with what lands."""
    return tuple(
        HeldOverlay(one.view.overlay, one.hold.hold)
        for one in decided
        if one.hold is not None and one.hold.hold is not None
    )


def strictest(rules: Sequence[Approvals]) -> Approvals:
    """Return the rule for a proposal that all of these hold for."""
    required = max(rule.required for rule in rules)
    return Approvals(required, all(rule.self for rule in rules))


def landing_message(
    decided: Sequence[Decided],
    override: str | None,
    approved_by: Sequence[str],
    *,
    squashes: bool = False,
) -> str:
    """Return the message of the commit that lands what was decided, with what its images proved.

    `override`: of this call; `squashes`: the proposals' own commits do not land.
    Raises Refused where these are of several kinds, which no single message can tell.
    """
    changes = [change for one in decided for change in one.edit.changes]
    proofs = told_proofs(decided[0].view.session, changes)
    message = _message(decided, override, approved_by, squashes=squashes)
    return with_proofs(message, proofs)


def _message(
    decided: Sequence[Decided],
    override: str | None,
    approved_by: Sequence[str],
    *,
    squashes: bool,
) -> str:
    intent = decided[0].view.session.intent
    overrides = tuple(
        dict.fromkeys(
            text
            for one in decided
            for text in (*one.judged.counting, *record_overrides(override, one.passed))
        )
    )
    if len(decided) == 1:
        (one,) = decided
        return merge_message(
            one.present.message,
            label=one.view.label,
            changes=one.edit.changes,
            approved_by=approved_by,
            intent=intent,
            overrides=overrides,
            goes_back=one.judged.goes_back,
            squashes=squashes,
        )
    parts = [
        LandingProposal(one.view.label, one.present.message, one.edit.changes, one.judged.goes_back)
        for one in decided
    ]
    kinds = {landing_action(part.message, part.goes_back) for part in parts}
    if len(kinds) > 1:
        raise Refused(
            f"these are of several kinds ({', '.join(sorted(kinds))}): nothing was approved",
            hint=f"approve them one by one: `gitops approve {parts[0].label}`",
        )
    return merge_message_of_many(
        parts, approved_by=approved_by, intent=intent, overrides=overrides, squashes=squashes
    )
