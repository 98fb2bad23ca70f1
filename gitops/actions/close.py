"""`gitops close`: drop a proposal, its branch and its pull request; nothing is merged."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.named import Named, overlays_named
from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Session, Tip, require_words
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.proposals.branches import gather_proposals
from gitops.actions.proposals.find import (
    ProposalLookup,
    check_head,
    find_proposal,
    look,
)
from gitops.actions.proposals.sides import require_whole
from gitops.actions.pull_requests.publish import end_pull_request
from gitops.actions.write.write import write
from gitops.core.git.message import told_commits, told_labels
from gitops.core.proposals.comments import render_closed
from gitops.core.report import Proposal, WriteReport
from gitops.core.text.plain import one_line
from gitops.errors import GitopsError, NotFound
from gitops.ports import PullRequest


class _Ended(Struct, frozen=True):
    """The proposal that goes: its head, and its pull request where there is one."""

    view: OverlayView
    head: str
    pull: PullRequest | None
    proposal: Proposal


def close(session: Session, named: Named, *, reason: str | None = None) -> WriteReport:
    """Delete the proposal branches of what is named; `unchanged` when there are none.

    Their pull requests are closed with the reason. Raises Refused when a proposal moved while it
    was closed, and what `write` raises.
    """
    require_words(reason, "--reason")
    shown: dict[str, str] = {}

    def plan(tip: Tip) -> Plan:
        meant = overlays_named(tip, named)
        gather_proposals(session, tip, meant)
        views = [view_of(session, tip, overlay) for overlay in meant]
        looked = [(view, _look(view)) for view in views]
        require_whole(looked, meant, "close")
        there = {found.branch: one for one in looked if (found := one[1]).head is not None}
        ended = [_ended(view, found, shown) for view, found in there.values()]
        told = told_labels([view.label for view in views])
        if not ended:
            return Plan(action="close", notes=(f"{told} has no proposal",))
        because = f": {one_line(reason)}" if reason is not None else ""
        return Plan(
            action="close",
            ending=tuple(one.proposal for one in ended),
            notes=tuple(
                f"{one.view.label}: the proposal {one.head[:7]} is dropped{because}"
                for one in ended
            ),
            warnings=tuple(text for _, found in there.values() for text in _with_it(found)),
            result=tuple(ended),
        )

    done = write(session, plan)
    report, ended = done.report, done.plan.result
    if not isinstance(ended, tuple) or session.dry_run:
        return report
    return _told(session, report, ended, reason)


def _ended(view: OverlayView, found: ProposalLookup, shown: dict[str, str]) -> _Ended:
    """Return the proposal that goes: the head that was seen at first, by all tries."""
    head, overlay = found.head or "", view.overlay
    check_head(found.branch, head, shown.get(view.label))
    shown.setdefault(view.label, head)
    ended = Proposal(overlay, found.branch, head, state="closed", base=view.branch)
    if found.present is not None:
        ended = found.present.report(overlay, state="closed")
    return _Ended(view, head, found.pull, ended)


def _told(
    session: Session, report: WriteReport, ended: Sequence[_Ended], reason: str | None
) -> WriteReport:
    """Close the pull requests, and return the report with them."""
    warnings: list[str] = []
    told: list[Proposal] = []
    for one in ended:
        pull = one.pull
        if pull is None or pull.state == "open":  # otherwise it was over before
            comment = render_closed(one.view.overlay, _name(session), reason)
            pull, doubts = end_pull_request(one.view, one.proposal.branch, one.head, comment)
            warnings += doubts
        proposal = one.proposal
        if pull is not None:
            proposal = replace(proposal, number=pull.number, url=pull.url)
        told.append(proposal)
    return replace(report, proposals=tuple(told), warnings=(*report.warnings, *warnings))


def _with_it(found: ProposalLookup) -> tuple[str, ...]:
    """Name the commits of others that go with the branch."""
    others = found.present.others if found.present is not None else found.commits
    return (f"with it go {told_commits(others)}",) if others else ()


def _look(view: OverlayView) -> ProposalLookup:
    """Look at the proposal; a forge that does not answer keeps nobody from closing it."""
    try:
        return look(view)
    except GitopsError:
        return find_proposal(view)


def _name(session: Session) -> str:
    """Return who closes it; that takes no commit, so nobody need be known."""
    try:
        return session.identity().name
    except NotFound:
        return "somebody"
