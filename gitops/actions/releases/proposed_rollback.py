"""Does a proposal that says it is a rollback restore an earlier release, and do no more?

What it says is a claim of whoever may push its branch. It is proved on what would land: the images
put into the overlay as the base has it now, and the hold that comes along.
"""

from __future__ import annotations

from msgspec.structs import replace

from gitops.actions.context.holds import hold_paths, own_hold_path
from gitops.actions.context.overlays import kustomization_of
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.branches import own_paths, proposal_branch
from gitops.actions.proposals.find import OpenProposal, head_content
from gitops.actions.releases.claimed_rollback import (
    ClaimedRollback,
    RollbackProof,
    followers_beside,
    prove,
    prove_undo,
)
from gitops.actions.releases.history import file_around, releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.core.audit.findings import Claim, claim_of, undo_of
from gitops.core.audit.rollback_claim import ChangedFile, RollbackOffence
from gitops.core.git.commit import CommitInfo
from gitops.core.hold import Hold, parse_hold
from gitops.core.kustomization.image import ImageRequest
from gitops.core.text.plain import one_line
from gitops.errors import GitopsError, ManifestError
from gitops.ports import Tree

_LOOKED_AT = 20  # commits of a proposal that may each be a rollback


def claim_in(view: OverlayView, present: OpenProposal) -> Claim | None:
    """Return what the proposal says of itself when that is: a rollback, or that it undoes one.

    Any of its commits may say so.
    """
    for info in present.commits:
        alone = replace(info, merged=())
        claim = claim_of(alone, {}) or undo_of(alone)
        if claim is not None:
            return claim
    path = hold_in(view, present)
    hold = _hold(view.session.evidence.at(present.commit), path) if path in present.paths else None
    return claim_of(replace(present.made, message=""), {view.label: hold} if hold else {})


def prove_proposed(
    view: OverlayView, present: OpenProposal, *, override: str | None = None
) -> RollbackProof | None:
    """Judge what a proposal says of itself, None when it does not say that it is a rollback.

    `override` is why a release may be restored that the rule leaves out.
    """
    session, overlay = view.session, view.overlay
    claim = claim_in(view, present)
    if claim is None:
        return None
    alone = present.branch == proposal_branch(overlay)
    if overlay.label not in claim.labels or (alone and len(claim.labels) > 1):
        named = ", ".join(one_line(label, 60) for label in claim.labels) or "no environment"
        what = f"{claim.kind} of {overlay.label} names it, and this names {named}"
        return RollbackProof(None, (RollbackOffence(None, what),), undo=claim.undo)
    current, also = head_content(view), view.tip.config.also
    requests = [ImageRequest.exactly(image, value) for image, value in present.images.items()]
    after = None
    if current is not None:
        read = view.home.read
        after = view.edit_in(read, present.file, current, requests, add=present.adds).after
    head, fork = session.evidence.at(present.commit), session.evidence.at(present.fork)
    hold = hold_in(view, present)
    claimed = ClaimedRollback(
        overlay.label,
        present.paths,
        ChangedFile(present.file, current, after, mode=_mode(fork, head, present.file)),
        _changed(fork, head, hold),
        tuple(
            _changed(fork, head, one) for one in followers_beside(present.file, present.paths, also)
        ),
        also,
    )
    if claim.undo:
        offences = prove_undo(
            claimed, releases_of(view), lambda rollback: file_around(view, hold, rollback)[0]
        )
        return RollbackProof(None, offences, undo=True)
    ledger = ledger_of(view)
    return prove(claimed, claim, releases_of(view), ledger, override=override)


def hold_in(view: OverlayView, present: OpenProposal) -> str:
    """Return the path of the hold that a proposal changes; its own where it changes none."""
    own = hold_paths(view.overlay)
    return next((path for path in own if path in present.paths), own[0])


def rollback_waits(view: OverlayView, present: OpenProposal) -> bool:
    """Say whether a rollback waits in the proposal, whatever somebody put on top of it.

    A release that the rule leaves out counts where the proposal has an override: whoever approves
    it is asked, not whoever waits.
    """
    claim = claim_in(view, present)
    if claim is not None and not claim.undo:
        proof = prove_proposed(view, present, override="as proposed")
        if proof is not None and not proof.offences:
            return True
    return any(_is_rollback(view, present.branch, info) for info in present.commits[:_LOOKED_AT])


def _is_rollback(view: OverlayView, branch: str, info: CommitInfo) -> bool:
    """Say whether one commit of a proposal is a rollback by itself."""
    overlay, evidence, also = view.overlay, view.session.evidence, view.tip.config.also
    claim = claim_of(replace(info, merged=()), {})
    if claim is None or overlay.label not in claim.labels or len(info.parents) != 1:
        return False
    if len(claim.labels) > 1 and branch == proposal_branch(overlay):
        return False
    hold = own_hold_path(overlay)
    try:
        before, after = evidence.at(info.parents[0]), evidence.at(info.commit)
        paths = own_paths(view.tip, overlay, branch, evidence.changed(info.parents[0], info.commit))
        path, content = kustomization_of(after, overlay.directory)
        if path is None:
            return False
        claimed = ClaimedRollback(
            overlay.label,
            paths,
            ChangedFile(path, before.read(path), content),
            ChangedFile(hold, before.read(hold), after.read(hold)),
            tuple(_changed(before, after, one) for one in followers_beside(path, paths, also)),
            also,
        )
        ledger = ledger_of(view)
        stream = releases_of(view)
        return not prove(
            claimed, claim.about(overlay.label), stream, ledger, override="as proposed"
        ).offences
    except GitopsError:
        return False


def _hold(tree: Tree, path: str) -> Hold | None:
    try:
        content = tree.read(path)
        return parse_hold(content, path) if content is not None else None
    except ManifestError:
        return None


def _changed(before: Tree, after: Tree, path: str) -> ChangedFile:
    mode = _mode(before, after, path)
    return ChangedFile(path, before.read(path), after.read(path), mode=mode)


def _mode(before: Tree, after: Tree, path: str) -> bool:
    """Say whether the mode of a file changed."""
    sides = [entry for tree in (before, after) if (entry := tree.entry(path)) is not None]
    return len({entry.executable for entry in sides}) > 1
