"""Approve a proposal on the forge, as the person who does: with their own token, never with ours.

The command line has no need of it: whoever sits there can open the forge's page. On the server's
page one click is both, the review and the merge that it allows.
"""

from __future__ import annotations

from msgspec.structs import replace

from gitops.actions.context.session import Session, Tip
from gitops.actions.pull_requests.decide import Approving, Decided
from gitops.actions.pull_requests.landing import first_of_each
from gitops.actions.pull_requests.merge import merge_decided
from gitops.core.report import Proposal, WriteReport
from gitops.errors import NotFound, Refused, Unavailable
from gitops.ports import GatedForge


def approve_by_review(
    session: Session, forge: GatedForge, approving: Approving, tip: Tip
) -> WriteReport:
    """Review the very heads that were looked at, then merge what may be merged by now.

    What still waits for others is told, and is no error: the approval is given, or would be where
    nothing is written. Raises what `merge_decided` does before anything was given, Refused where
    the forge does not take it.
    """
    decided = approving.decide(approving.look(tip))
    approving.ask(decided)
    given = [_review(forge, one, gives=not session.dry_run) for one in first_of_each(decided)]
    does = "would be" if session.dry_run else "is"
    told = tuple(
        f"{one.overlay.label}: #{one.number} {does} approved in your name" for one in given
    )
    try:
        report = merge_decided(session, forge, approving, tip, decided)
    except Refused as error:
        return WriteReport(
            action="approve",
            outcome="proposed",
            branch=given[0].base or tip.snapshot.branch,
            repository=session.repository.describe(),
            proposals=tuple(replace(one, waits_for=error.reasons) for one in given),
            notes=(*told, error.message),
            hint=error.hint,
        )
    return replace(report, notes=(*told, *report.notes))


def _review(forge: GatedForge, decided: Decided, *, gives: bool) -> Proposal:
    overlay, pull, present = decided.view.overlay, decided.found.pull, decided.present
    if pull is None or pull.state != "open":
        raise NotFound(f"{overlay.label} has no pull request yet: {present.branch} waits alone")
    if pull.head != present.commit:
        raise Unavailable(f"the forge is still to notice what was pushed to {present.branch}")
    if gives:
        forge.give_approval(pull.number, pull.head)
    return Proposal(
        overlay, pull.branch, pull.head, "open", number=pull.number, url=pull.url, base=pull.base
    )
