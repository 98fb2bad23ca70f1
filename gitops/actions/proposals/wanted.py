"""What a call wants in overlays that ask for approval, and what it drafts: the values of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from gitops.actions.context.plan import ProposalDraft
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.find import OpenProposal
from gitops.core.environments.environment import Overlay
from gitops.core.kustomization.image import ImageChange, ImageRequest
from gitops.core.report import Proposal

Render = Callable[[Sequence[tuple[Overlay, Sequence[ImageChange]]]], str]
"""Makes the message of a commit from the changes of some overlays."""


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
    """Drafts to push, and proposals that already say what is wanted.

    Attributes:
        ending: narrower proposals that give way.
    """

    drafts: tuple[ProposalDraft, ...] = ()
    waiting: tuple[Proposal, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    ending: tuple[Proposal, ...] = ()


def kind_of(entry: ProposalRequest) -> str:
    if entry.restores is not None:
        return "rollback"
    return "undo" if entry.undo else "forward"


def kept_of(entry: ProposalRequest, present: OpenProposal | None) -> list[ImageRequest]:
    """Return what the open proposal wants beside this call."""
    if present is None or kind_of(entry) != "forward" or present.kind != "forward":
        return []
    named = {request.image for request in entry.requests}
    return [
        ImageRequest.exactly(image, value)
        for image, value in present.images.items()
        if image not in named
    ]
