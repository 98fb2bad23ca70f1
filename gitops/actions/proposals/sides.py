"""A proposal of several overlays: which they are, and that all of them are meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gitops.actions.context.overlays import kustomization_of
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.ahead import ahead_on
from gitops.actions.proposals.branches import proposal_branch
from gitops.actions.proposals.find import (
    OpenProposal,
    ProposalLookup,
    find_on,
    find_proposal,
    follows,
)
from gitops.core.environments.environment import Overlay
from gitops.core.git.message import told_labels
from gitops.errors import Refused


def sides_of(view: OverlayView, present: OpenProposal) -> tuple[OverlayView, ...]:
    """Return the overlays that an open proposal changes something of, in promotion order."""
    if present.branch == proposal_branch(view.overlay):
        return (view,)
    ahead = ahead_on(view, present.branch)
    return tuple(view.beside(one) for one in ahead.owners) if ahead is not None else ()


def require_whole(
    looked: Iterable[tuple[OverlayView, ProposalLookup]], meant: Collection[Overlay], verb: str
) -> None:
    """Refuse to do something with proposals of several overlays when only some were named.

    A side that wants nothing any more, since its base has the images, may hold nothing else.
    Raises Refused.
    """
    first: dict[str, tuple[OverlayView, ProposalLookup]] = {}
    for view, found in looked:
        first.setdefault(found.branch, (view, found))
    for view, found in first.values():
        if found.present is not None:
            _require_whole(view, found.present, meant, verb)


def _require_whole(
    view: OverlayView, present: OpenProposal, meant: Collection[Overlay], verb: str
) -> None:
    sides = sides_of(view, present)
    name = present.branch.removeprefix("gitops/")
    others = {side: find_proposal(side).branch for side in sides}
    for side, other in others.items() if verb == "approve" else ():
        if other != present.branch and find_on(side, present.branch).present is not None:
            raise Refused(
                f"{side.label} is proposed on {other} and on {present.branch}",
                hint=f"first `gitops {verb} {side.overlay.typed}`",
            )
    missing = [side.label for side in sides if side.overlay not in meant]
    if missing:
        raise Refused(
            f"{view.label} is proposed together with {told_labels(missing)} on {present.branch}",
            hint=f"`gitops {verb} {name}` is about all of it",
        )
    for side in sides:
        more = _more(side, present) if side.overlay != view.overlay else ()
        if more:
            raise Refused(
                f"{present.branch} changes more than images: {', '.join(more[:5])}",
                hint=f"merge it with Git, or propose the images again after `gitops close {name}`",
            )


def _more(side: OverlayView, present: OpenProposal) -> tuple[str, ...]:
    """Return what a proposal changes of one side beside images, what follows them, and its hold."""
    ahead = ahead_on(side, present.branch)
    own = ahead.owned_by(side.overlay) if ahead is not None else ()
    tree = side.session.evidence.at(present.commit)
    file, _ = kustomization_of(tree, side.overlay.directory)
    plain = follows(side, present.fork, present.commit, file, own)
    goes_back = present.kind != "forward"
    return tuple(
        path
        for path in own
        if path not in plain and not (goes_back and path.startswith(".gitops/holds/"))
    )
