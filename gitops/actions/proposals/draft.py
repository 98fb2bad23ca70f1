"""Draft proposals: what a call wants in environments that ask for approval.

A proposal is one commit on top of the tip. It is made anew, in place, when the wanted images
change; images that an open proposal carries and that the new call does not name stay in it. A
rollback keeps nothing of a promotion, nor a promotion anything of a rollback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from gitops.actions.context.plan import Draft, ProposalDraft
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.find import (
    OpenProposal,
    ProposalLookup,
    look,
    proposal_branch,
    told_commits,
)
from gitops.core.environments.environment import Overlay
from gitops.core.git.commit import CommitInfo
from gitops.core.kustomization import Edit
from gitops.core.kustomization.image import ImageChange, ImageRequest
from gitops.core.proposals.approval import with_authors
from gitops.core.report import Proposal, Replaced


class ProposalRequest(Struct, frozen=True):
    """What a call wants in one overlay whose changes need approval.

    Attributes:
        restores: for a rollback, the commit of the release that it restores.
        extra: more files that it writes (a rollback: the hold).
        undo: it takes a rollback back.
    """

    view: OverlayView
    requests: tuple[ImageRequest, ...]
    restores: str | None = None
    extra: tuple[tuple[str, bytes | None], ...] = ()
    undo: bool = False


class DraftedProposals(Struct, frozen=True):
    """Drafts to push, and proposals that already say what is wanted."""

    drafts: tuple[ProposalDraft, ...] = ()
    waiting: tuple[Proposal, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def propose(
    wanted: Sequence[ProposalRequest],
    *,
    render: Callable[[Overlay, Sequence[ImageChange]], str],
    add: bool = False,
    refresh: bool = False,
) -> DraftedProposals:
    """Draft one proposal for each overlay, on top of the tip.

    `render` makes the commit message of one overlay's changes. `refresh` makes a proposal anew that
    already wants the same; each new head drops the approvals of the old one.
    """
    found = [_propose(entry, render, add=add, refresh=refresh) for entry in wanted]
    return DraftedProposals(
        tuple(one for each in found for one in each.drafts),
        tuple(one for each in found for one in each.waiting),
        tuple(one for each in found for one in each.notes),
        tuple(one for each in found for one in each.warnings),
    )


def _propose(
    entry: ProposalRequest,
    render: Callable[[Overlay, Sequence[ImageChange]], str],
    *,
    add: bool,
    refresh: bool,
) -> DraftedProposals:
    view = entry.view
    overlay, home = view.overlay, view.home
    branch = proposal_branch(overlay)
    found = look(view)
    present = found.present
    kept = _kept(entry, present)
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
    if onto is not None and onto.content is not None:
        notes.insert(0, f"{branch} keeps {told_commits(onto.others or onto.commits)}")
        read = view.session.evidence.at(onto.commit).read
        added = view.edit_in(read, onto.file, onto.content, [*entry.requests, *kept], add=add)
        files, before = {**added.files}, {**added.originals}
    files |= dict(entry.extra)
    message = render(overlay, edit.changes)
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
    forward = _kind(entry) == present.kind == "forward"
    if forward and not refresh and present.content is not None:
        return present, ()
    return None, present.others or present.commits


def _kind(entry: ProposalRequest) -> str:
    if entry.restores is not None:
        return "rollback"
    return "undo" if entry.undo else "forward"


def _kept(entry: ProposalRequest, present: OpenProposal | None) -> list[ImageRequest]:
    """Return what the open proposal wants beside this call."""
    if present is None or _kind(entry) != "forward" or present.kind != "forward":
        return []
    named = {request.image for request in entry.requests}
    return [
        ImageRequest.exactly(image, value)
        for image, value in present.images.items()
        if image not in named
    ]


def _says_so(entry: ProposalRequest, present: OpenProposal, edit: Edit) -> bool:
    """Does the open proposal want exactly this already?"""
    if {change.image: change.after for change in edit.changes} != present.images:
        return False
    return (entry.restores, _kind(entry)) == (present.restores, present.kind)
