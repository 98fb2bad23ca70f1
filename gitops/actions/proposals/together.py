"""One proposal of several overlays: `gitops/ENV` for its apps, `gitops/GROUP`, `gitops/APP/GROUP`.

It is one commit on top of the tip, made anew in place. What waits on narrower branches becomes part
of it, and these go in the same push. A rollback keeps nothing of a promotion, nor a promotion
anything of a rollback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitops.actions.context.plan import Draft, ProposalDraft
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.branches import covered_by, proposal_branch, wide_branches
from gitops.actions.proposals.find import OpenProposal, ProposalLookup, find_on, look
from gitops.actions.proposals.sides import sides_of
from gitops.actions.proposals.wanted import (
    DraftedProposals,
    ProposalRequest,
    Render,
    kept_of,
    kind_of,
)
from gitops.core.git.message import told_commits, told_labels
from gitops.core.kustomization import Edit
from gitops.core.kustomization.image import ImageValue
from gitops.core.proposals.approval import with_authors
from gitops.core.report import Proposal, Replaced


def propose_together(
    entries: Sequence[ProposalRequest],
    branch: str,
    render: Render,
    *,
    add: bool,
    refresh: bool,
) -> DraftedProposals:
    """Draft the proposal on `branch` of what `entries` want."""
    first = entries[0].view
    head = first.tip.beside(branch)
    known = {entry.view: look(entry.view, branch).present for entry in entries}
    open_ = next((one for one in known.values() if one is not None), None)
    wanted = [*entries, *_rest(entries, branch, open_)]
    known |= {entry.view: look(entry.view, branch).present for entry in wanted[len(entries) :]}
    narrower = _narrower(wanted, branch)
    edits: dict[OverlayView, Edit] = {}
    kept: list[OpenProposal] = []
    for entry in wanted:
        requests = [*entry.requests]
        for present in (known[entry.view], *(one.present for one in narrower.get(entry.view, ()))):
            more = kept_of(entry, present)
            named = {request.image for request in requests}
            requests += [request for request in more if request.image not in named]
            kept += [present] if present is not None and more else []
        edit = entry.view.edit(requests, add=add)
        if edit.changes:
            edits[entry.view] = edit
    if open_ is not None and not refresh and not narrower and _says_so(wanted, known, edits):
        note = f"{branch} already proposes this; it waits for approval"
        pull = look(first, branch).pull
        return DraftedProposals((), (open_.report(first.overlay, pull=pull),), (note,))
    message = render([(view.overlay, edit.changes) for view, edit in edits.items()])
    if kept:
        # Whoever proposed what stays in it is an author still, and must not approve it.
        message = with_authors(message, [who for one in kept for who in one.authors])
    ended = [one for some in narrower.values() for one in some]
    names = ", ".join(dict.fromkeys(one.branch for one in ended))
    labels = told_labels([view.label for view in edits])
    notes = [f"{labels} wait for approval on branch {branch}"]
    notes += [f"{branch} takes the place of {names}"] if names else []
    draft = ProposalDraft(
        first.overlay,
        branch,
        first.branch,
        _draft(entries, edits, message),
        head.commit if head is not None else None,
        _replaced(open_, known),
        overlays=tuple(view.overlay for view in edits),
    )
    return DraftedProposals(
        (draft,), (), tuple(notes), _dropped(branch, known), _ending(narrower, branch)
    )


def _rest(
    entries: Sequence[ProposalRequest], branch: str, present: OpenProposal | None
) -> list[ProposalRequest]:
    """Return the other overlays that it keeps something for: what waits there already."""
    if kind_of(entries[0]) != "forward":
        return []
    first = entries[0].view
    named = {entry.view.overlay for entry in entries}
    forward = present is not None and present.kind == "forward"
    sides = {side.overlay for side in sides_of(first, present)} if forward and present else set()
    rest = []
    for overlay in covered_by(first.tip, branch).overlays:
        view = first.beside(overlay)
        if overlay in named or view.branch != first.branch:
            continue
        if overlay in sides or _waits_elsewhere(view, branch):
            rest.append(ProposalRequest(view, ()))
    return rest


def _waits_elsewhere(view: OverlayView, branch: str) -> bool:
    """Say whether a narrower branch proposes something for the overlay."""
    within = set(covered_by(view.tip, branch).overlays)
    for other in (proposal_branch(view.overlay), *wide_branches(view.tip.config, view.overlay)):
        if other == branch or not view.tip.has(other):
            continue
        present = find_on(view, other).present
        if present is None or present.kind != "forward":
            continue
        if within.issuperset(side.overlay for side in sides_of(view, present)):
            return True
    return False


def _narrower(
    wanted: Sequence[ProposalRequest], branch: str
) -> dict[OverlayView, list[ProposalLookup]]:
    """Return the other branches that something of these overlays is on, and only of these."""
    views = {entry.view.overlay for entry in wanted}
    found: dict[OverlayView, list[ProposalLookup]] = {}
    for entry in wanted:
        view = entry.view
        wide = wide_branches(view.tip.config, view.overlay)
        for other in (proposal_branch(view.overlay), *wide):
            if other == branch or not view.tip.has(other):
                continue
            lookup = look(view, other)
            sides = sides_of(view, lookup.present) if lookup.present is not None else ()
            is_own = other == proposal_branch(view.overlay) or lookup.present is not None
            if is_own and all(side.overlay in views for side in sides):
                found.setdefault(view, []).append(lookup)
    return found


def _says_so(
    wanted: Sequence[ProposalRequest],
    known: Mapping[OverlayView, OpenProposal | None],
    edits: Mapping[OverlayView, Edit],
) -> bool:
    """Does the open proposal want exactly this already?"""
    for entry in wanted:
        present, edit = known[entry.view], edits.get(entry.view)
        images = {change.image: change.after for change in edit.changes} if edit else {}
        if present is None or images != present.images:
            return False
        restores = present.restores_in(entry.view.overlay.labels)
        if (entry.restores, kind_of(entry)) != (restores, present.kind):
            return False
    return True


def _draft(
    entries: Sequence[ProposalRequest], edits: Mapping[OverlayView, Edit], message: str
) -> Draft:
    files: dict[str, bytes | None] = {}
    for edit in edits.values():
        files |= edit.files
    for entry in entries:
        files |= dict(entry.extra)
    home = entries[0].view.home
    return Draft(files, message, before={path: home.read(path) for path in files})


def _replaced(
    open_: OpenProposal | None, known: Mapping[OverlayView, OpenProposal | None]
) -> Replaced | None:
    if open_ is None:
        return None
    images: dict[str, ImageValue] = {
        f"{view.label}: {image}": value
        for view, present in known.items()
        if present is not None
        for image, value in present.images.items()
    }
    return Replaced(open_.commit, open_.action, images)


def _dropped(branch: str, known: Mapping[OverlayView, OpenProposal | None]) -> tuple[str, ...]:
    """Say what others wrote on the branch that is lost: it is made anew, of image values alone."""
    for view, present in known.items():
        if present is None or not present.beside(view.overlay, hold=present.kind != "forward"):
            continue
        drop = present.others or present.commits
        text = f"{branch} drops {told_commits(drop)}"
        return (f"{text}; `git fetch origin {drop[0].commit}` still gets it",)
    return ()


def _ending(
    narrower: Mapping[OverlayView, Sequence[ProposalLookup]], branch: str
) -> tuple[Proposal, ...]:
    found: dict[str, Proposal] = {}
    for view, some in narrower.items():
        for one in some:
            ended = Proposal(
                view.overlay,
                one.branch,
                one.head,
                state="closed",
                base=view.branch,
                gives_way_to=branch,
            )
            found.setdefault(one.branch, ended)
    return tuple(found.values())
