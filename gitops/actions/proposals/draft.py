"""Draft proposals: what a call wants in environments that ask for approval.

A proposal is one commit on top of the tip. It is made anew, in place, when the wanted images
change; images that an open proposal carries and that the new call does not name stay in it. A
rollback keeps nothing of a promotion, nor a promotion anything of a rollback.
"""

from __future__ import annotations

from collections.abc import Sequence

from gitops.actions.context.overlays import kustomization_of
from gitops.actions.context.plan import Draft, ProposalDraft
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.branches import common_branch, proposal_branch, wide_branches
from gitops.actions.proposals.find import OpenProposal, ProposalLookup, find_on, look
from gitops.actions.proposals.wanted import (
    DraftedProposals,
    ProposalRequest,
    Render,
    kept_of,
    kind_of,
)
from gitops.core.git.commit import CommitInfo
from gitops.core.git.message import told_commits
from gitops.core.kustomization import Edit
from gitops.core.proposals.approval import with_authors
from gitops.core.report import Replaced


def propose(
    wanted: Sequence[ProposalRequest],
    *,
    render: Render,
    add: bool = False,
    refresh: bool = False,
) -> DraftedProposals:
    """Draft one proposal for all overlays on a branch that have a common word, on top of the tip.

    Without a group that has them all there is one for each environment. `render` makes the commit
    message of the changes of some overlays. `refresh` makes a proposal anew that already wants the
    same; each new head drops the approvals of the old one.
    """
    found: list[DraftedProposals] = []
    for branch, entries in _by_proposal(wanted):
        if len(entries) == 1 and branch == proposal_branch(entries[0].view.overlay):
            found.append(_propose(entries[0], render, add=add, refresh=refresh))
        else:
            from gitops.actions.proposals.together import propose_together  # few calls are wide

            found.append(propose_together(entries, branch, render, add=add, refresh=refresh))
    return DraftedProposals(
        tuple(one for each in found for one in each.drafts),
        tuple(one for each in found for one in each.waiting),
        tuple(one for each in found for one in each.notes),
        tuple(one for each in found for one in each.warnings),
        tuple(one for each in found for one in each.ending),
    )


def _by_proposal(
    wanted: Sequence[ProposalRequest],
) -> list[tuple[str, list[ProposalRequest]]]:
    """Return the branches of proposals, each with what goes there."""
    together: dict[str, list[ProposalRequest]] = {}
    for base in dict.fromkeys(entry.view.branch for entry in wanted):
        entries = [entry for entry in wanted if entry.view.branch == base]
        config, overlays = entries[0].view.tip.config, [entry.view.overlay for entry in entries]
        branch = common_branch(config, overlays)
        for entry in entries:
            name = branch
            if name is None:  # no group has them all
                row = entry.view.row
                name = common_branch(config, [one for one in overlays if one.environment == row])
            name = _wider(entry, name or "") or name or proposal_branch(entry.view.overlay)
            together.setdefault(name, []).append(entry)
    return list(together.items())


def _wider(entry: ProposalRequest, branch: str) -> str | None:
    """Return the branch of a wider proposal that is open, and of which this one becomes a part."""
    view = entry.view
    for wide in wide_branches(view.tip.config, view.overlay):
        if wide == branch or not view.tip.has(wide):
            continue
        present = find_on(view, wide).present
        if present is not None and present.kind == "forward" == kind_of(entry):
            return wide
    return None


def _propose(
    entry: ProposalRequest,
    render: Render,
    *,
    add: bool,
    refresh: bool,
) -> DraftedProposals:
    view = entry.view
    overlay, home = view.overlay, view.home
    branch = proposal_branch(overlay)
    found = look(view, branch)
    present = found.present
    kept = kept_of(entry, present)
    edit = view.edit([*entry.requests, *kept], add=add)
    if present is not None and not refresh and _says_so(entry, present, edit):
        note = f"{branch} already proposes this; it waits for approval"
        return DraftedProposals((), (present.report(overlay, pull=found.pull),), (note,))
    notes = [f"{overlay.label} waits for approval on branch {branch}"]
    if kept:
        names = ", ".join(request.image for request in kept)
        notes.insert(0, f"{branch} keeps what it already proposed: {names}")
    replaced = None
    onto, drop = _others(entry, found, refresh=refresh)
    files: dict[str, bytes | None] = {**edit.files}
    before = {path: home.read(path) for path in (*files, *dict(entry.extra))}
    below = _content(view, onto) if onto is not None else None
    if onto is not None and below is not None:
        notes.insert(0, f"{branch} keeps {told_commits(onto.others or onto.commits)}")
        read = view.session.evidence.at(onto.commit).read
        added = view.edit_in(read, onto.file, below, [*entry.requests, *kept], add=add)
        files, before = {**added.files}, {**added.originals}
    files |= dict(entry.extra)
    message = render([(overlay, edit.changes)])
    if present is not None:
        replaced = Replaced(present.commit, present.action, present.images)
        if kept:
            # Whoever proposed what stays in it is an author still, and must not approve it.
            message = with_authors(message, present.authors)
    draft = ProposalDraft(
        overlay,
        branch,
        home.branch,
        Draft(files, message, before=before),
        found.head,
        replaced,
        onto=onto.commit if onto is not None else None,
    )
    warnings: tuple[str, ...] = ()
    if drop:
        warnings = (
            f"{branch} drops {told_commits(drop)}; "
            f"`git fetch origin {drop[0].commit}` still gets it",
        )
    return DraftedProposals((draft,), (), tuple(notes), warnings)


def _others(
    entry: ProposalRequest, found: ProposalLookup, *, refresh: bool
) -> tuple[OpenProposal | None, tuple[CommitInfo, ...]]:
    """Say what becomes of what others put on the branch: stay below this, or be dropped.

    Image values are not lost: they stay in it, or are told as replaced. What else somebody wrote
    there stays, unless a rollback takes the place of something else or it is to be made anew.
    """
    present = found.present
    if present is None:
        return None, found.commits
    extra = present.beside(entry.view.overlay, hold=present.kind != "forward")
    if not extra:
        return None, ()
    forward = kind_of(entry) == present.kind == "forward"
    if forward and not refresh and _content(entry.view, present) is not None:
        return present, ()
    return None, present.others or present.commits


def _content(view: OverlayView, present: OpenProposal) -> bytes | None:
    """Return the kustomization at the head of a proposal, None when there is none."""
    return kustomization_of(view.session.evidence.at(present.commit), view.overlay.directory)[1]


def _says_so(entry: ProposalRequest, present: OpenProposal, edit: Edit) -> bool:
    """Does the open proposal want exactly this already?"""
    if {change.image: change.after for change in edit.changes} != present.images:
        return False
    return (entry.restores, kind_of(entry)) == (present.restores, present.kind)
