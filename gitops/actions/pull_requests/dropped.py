"""The proposals that go with a rollback: what waits for its environment is wanted no longer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.branches import gather_proposals, proposal_branch
from gitops.actions.proposals.find import OpenProposal, ProposalLookup, find_proposal
from gitops.actions.proposals.sides import sides_of
from gitops.core.git.message import told_commits, told_labels
from gitops.core.report import Proposal, WriteReport
from gitops.errors import ManifestError, NotFound


class DroppedProposal(Struct, frozen=True):
    """A proposal that goes with a rollback; `with_it` names what others wrote in it."""

    view: OverlayView
    proposal: Proposal
    with_it: str

    def __str__(self) -> str:
        one = self.proposal
        by = f", by {one.by}" if one.by is not None else ""
        return f"drops the proposal {one.branch} ({(one.commit or '')[:7]}{by}){self.with_it}"


def dropped_by(views: Iterable[OverlayView]) -> tuple[list[DroppedProposal], tuple[str, ...]]:
    """Return the proposals that a rollback ends, also those that have landed and were left.

    One of several overlays stays when one of them does not go back: what waits for that one is
    still wanted. Returns warnings about those.
    """
    views = list(views)
    meant = {view.overlay for view in views}
    views = [view for view in views if view.row.change == "pull-request"]
    if views:
        gather_proposals(views[0].session, views[0].tip, [view.overlay for view in views])
    found: dict[str, DroppedProposal] = {}
    stays: dict[str, str] = {}
    for view in views:
        one, present = _dropped(view)
        if one is None or one.proposal.branch in found:
            continue
        branch = one.proposal.branch
        rest = [] if present is None else sides_of(view, present)
        missing = [side.label for side in rest if side.overlay not in meant]
        if missing:
            name = branch.removeprefix("gitops/")
            stays[branch] = (
                f"{branch} still wants {told_labels([side.label for side in rest])}: "
                f"`gitops close {name}` drops it"
            )
        else:
            found[branch] = one
    return list(found.values()), tuple(stays.values())


def _dropped(view: OverlayView) -> tuple[DroppedProposal | None, OpenProposal | None]:
    overlay = view.overlay
    try:
        found = find_proposal(view)
    except (ManifestError, NotFound):
        # Whoever may push that branch cannot stop a rollback with what it holds.
        branch = proposal_branch(overlay)
        head_there = view.session.repository.snapshot(branch).commit
        found = ProposalLookup(head_there, None, branch=branch)
    head, present = found.head, found.present
    if head is None:
        return None, None
    ended = Proposal(overlay, found.branch, head, state="closed", base=view.branch)
    if present is not None:
        ended = present.report(overlay, state="closed")
    others = present.others if present is not None else found.commits
    with_it = f", and with it {told_commits(others)}" if others else ""
    return DroppedProposal(view, ended, with_it), present


def tell_dropped(
    session: Session,
    report: WriteReport,
    dropped: Sequence[DroppedProposal],
    restored: Mapping[str, str],
    *,
    reason: str | None,
    keeps_branch: bool,
) -> WriteReport:
    """Close their pull requests, and return the report of the rollback with them.

    `restored`: label -> the commit of the release that it went back to; `keeps_branch`: the server
    did not let the branches go.
    """
    proposals: list[Proposal] = []
    warnings: list[str] = []
    for one in dropped:
        ended, texts = _tell(
            session, one, report.commit, restored, reason=reason, keeps_branch=keeps_branch
        )
        proposals.append(ended)
        warnings += texts
    branches = {one.branch for one in proposals}
    proposals += [one for one in report.proposals if one.branch not in branches]
    return replace(report, proposals=tuple(proposals), warnings=(*report.warnings, *warnings))


def _tell(
    session: Session,
    one: DroppedProposal,
    commit: str | None,
    restored: Mapping[str, str],
    *,
    reason: str | None,
    keeps_branch: bool,
) -> tuple[Proposal, list[str]]:
    from gitops.actions.pull_requests.publish import end_pull_request
    from gitops.core.proposals.comments import render_rolled_back

    ended = one.proposal
    comment = render_rolled_back(
        ended.overlay,
        session.identity().name,
        restores=restored.get(ended.overlay.label, "?"),
        commit=commit,
        reason=reason,
    )
    pull, doubts = end_pull_request(one.view, ended.branch, ended.commit or "", comment)
    if pull is not None:
        ended = replace(ended, number=pull.number, url=pull.url)
    elif keeps_branch:
        ended = replace(ended, state="open")
    kept = f"{ended.branch} could not be deleted: its server says no"
    return ended, [*([kept] if keeps_branch else []), *doubts]
