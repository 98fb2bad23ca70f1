"""What is proposed for an overlay, as Git alone tells it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.branches import proposal_branch, wide_branches
from gitops.core.environments.environment import Config, Overlay, asks_for_approval
from gitops.core.kustomization.image import ImageValue
from gitops.core.report import Proposal
from gitops.errors import GitopsError


class IndexedProposal(Struct, frozen=True):
    """What a branch of our own proposes for an overlay.

    Attributes:
        proposal: the open one; None: the branch was merged, or nobody can tell what it changes.
        notes: what is wrong with it, and the way out.
        images: the values that it wants.
    """

    proposal: Proposal | None = None
    notes: tuple[str, ...] = ()
    images: Mapping[str, ImageValue] = {}


def may_wait(config: Config, overlay: Overlay, own: Mapping[str, str]) -> bool:
    """Say whether one of the branches of our own (name -> commit) may propose something for it."""
    if not own or not asks_for_approval(overlay.environment):
        return False
    return proposal_branch(overlay) in own or not own.keys().isdisjoint(
        wide_branches(config, overlay)
    )


def read_waiting(view: OverlayView) -> IndexedProposal | None:
    """Return what is proposed for an overlay; None: nothing. Nobody is asked but Git."""
    from gitops.actions.proposals.find import find_proposal  # only for what is proposed

    try:
        found = find_proposal(view)
    except GitopsError as error:
        return IndexedProposal(
            None, (f"{proposal_branch(view.overlay)} cannot be read: {error.message}",)
        )
    if found.problem is not None:
        drop = f"`gitops close {view.overlay.typed}` drops it"
        return IndexedProposal(None, (f"{found.problem}: {drop}",))
    if found.present is None:
        return None
    return IndexedProposal(found.present.report(view.overlay), images=found.present.images)
