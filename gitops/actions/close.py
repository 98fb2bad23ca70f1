"""`gitops close`: drop a proposal, its branch and its pull request; nothing is merged."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.named import find_overlay
from gitops.actions.context.plan import Plan
from gitops.actions.context.session import Session, Tip, require_words
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.proposals.find import (
    ProposalLookup,
    check_head,
    find_proposal,
    look,
    proposal_branch,
    told_commits,
)
from gitops.actions.pull_requests.publish import end_pull_request
from gitops.actions.write.write import write
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


def close(
    session: Session, environment: str, *, app: str | None = None, reason: str | None = None
) -> WriteReport:
    """Delete the proposal branch of an environment; `unchanged` when there is none.

    Its pull request is closed with the reason. Raises Refused when the proposal moved while it was
    closed, and what `write` raises.
    """
    require_words(reason, "--reason")
    shown: str | None = None

    def plan(tip: Tip) -> Plan:
        nonlocal shown
        overlay = find_overlay(tip, environment, app)
        branch = proposal_branch(overlay)
        view = view_of(session, tip, overlay)
        found = _look(view)
        head, present = found.head, found.present
        if head is None:
            return Plan(action="close", notes=(f"{overlay.label} has no proposal",))
        check_head(overlay, head, shown)
        shown = shown or head
        ended = Proposal(overlay, branch, head, state="closed", base=view.branch)
        if present is not None:
            ended = present.report(overlay, state="closed")
        because = f": {one_line(reason)}" if reason is not None else ""
        return Plan(
            action="close",
            ending=(ended,),
            notes=(f"{overlay.label}: the proposal {head[:7]} is dropped{because}",),
            warnings=_with_it(found),
            result=_Ended(view, head, found.pull),
        )

    done = write(session, plan)
    report, ended = done.report, done.plan.result
    if not isinstance(ended, _Ended) or session.dry_run:
        return report
    view, pull = ended.view, ended.pull
    warnings: tuple[str, ...] = ()
    comment = render_closed(view.overlay, _name(session), reason)
    if pull is None or pull.state == "open":  # otherwise it was over before
        pull, warnings = end_pull_request(view, ended.head, comment)
    told = tuple(
        replace(one, number=pull.number, url=pull.url) if pull is not None else one
        for one in report.proposals
    )
    return replace(report, proposals=told, warnings=report.warnings + warnings)


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
