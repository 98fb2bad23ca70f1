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
from gitops.actions.proposals.find import OpenProposal, look, proposal_branch
from gitops.core.environments.environment import Overlay
from gitops.core.kustomization import Edit, edit_images
from gitops.core.kustomization.image import ImageChange, ImageRequest
from gitops.core.proposals.approval import authors_of, with_authors
from gitops.core.report import Proposal, Replaced


class ProposalRequest(Struct, frozen=True):
    """What a call wants in one overlay whose changes need approval.

    Attributes:
        restores: for a rollback, the commit of the release that it restores.
        extra: more files that it writes (a rollback: the hold).
    """

    view: OverlayView
    requests: tuple[ImageRequest, ...]
    restores: str | None = None
    extra: tuple[tuple[str, bytes | None], ...] = ()


class DraftedProposals(Struct, frozen=True):
    """Drafts to push, and proposals that already say what is wanted."""

    drafts: tuple[ProposalDraft, ...] = ()
    waiting: tuple[Proposal, ...] = ()
    notes: tuple[str, ...] = ()


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
    drafts: list[ProposalDraft] = []
    waiting: list[Proposal] = []
    notes: list[str] = []
    for entry in wanted:
        view, file = entry.view, entry.view.target
        overlay = view.overlay
        branch = proposal_branch(overlay)
        found = look(view)
        present = found.present
        kept = _kept(entry, present)
        edit = edit_images(file.content, file.path, [*entry.requests, *kept], add=add)
        if present is not None and not refresh and _says_so(entry, present, edit):
            waiting.append(present.report(overlay, pull=found.pull))
            notes.append(f"{branch} already proposes this; it waits for approval")
            continue
        if kept:
            names = ", ".join(request.image for request in kept)
            notes.append(f"{branch} keeps what it already proposed: {names}")
        files: dict[str, bytes | None] = {file.path: edit.after}
        files |= dict(entry.extra)
        before = {path: view.home.read(path) for path in files}
        message = render(overlay, edit.changes)
        replaced = None
        if present is not None:
            replaced = Replaced(present.commit, present.action, present.images)
            if kept:
                # Whoever proposed what stays in it is an author still, and must not approve it.
                message = with_authors(message, authors_of(present.author, present.message))
        draft = Draft(files, message, before=before)
        drafts.append(ProposalDraft(overlay, branch, view.branch, draft, found.head, replaced))
        notes.append(f"{overlay.label} waits for approval on branch {branch}")
    return DraftedProposals(tuple(drafts), tuple(waiting), tuple(notes))


def _kept(entry: ProposalRequest, present: OpenProposal | None) -> list[ImageRequest]:
    """Return what the open proposal wants beside this call."""
    if present is None or entry.restores is not None or present.action == "rollback":
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
    rolls_back = present.action == "rollback"
    return (entry.restores, entry.restores is not None) == (present.restores, rolls_back)
