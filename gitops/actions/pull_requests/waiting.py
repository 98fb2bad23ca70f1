"""What is proposed for an overlay, and what its pull request still waits for."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.branches import proposal_branch
from gitops.actions.proposals.find import MORE, OpenProposal, ProposalLookup, find_proposal, look
from gitops.actions.pull_requests.readiness import makers_of, waits_for
from gitops.actions.pull_requests.review import holds_more
from gitops.core.report import Proposal
from gitops.errors import GitopsError, ManifestError
from gitops.ports import NoForge


class WaitingProposal(Struct, frozen=True):
    """What Git and the forge say of one overlay's proposal.

    Attributes:
        proposal: None where nothing is open.
        warnings: sentences for people; what is wrong with it.
        silent: why the forge could not be asked; None: it could, or there is none.
    """

    proposal: Proposal | None = None
    warnings: tuple[str, ...] = ()
    silent: str | None = None


def read_waiting_proposal(view: OverlayView) -> WaitingProposal:
    """Return the open proposal and what it waits for; a forge that is silent hides nothing."""
    overlay, name = view.overlay, view.overlay.typed
    waits: tuple[str, ...] = ()
    silent: str | None = None
    try:
        found = look(view)
        waits = _waits(view, found)
    except ManifestError as error:
        why = f"{proposal_branch(overlay)} cannot be read: {error.message}"
        return WaitingProposal(warnings=(why,))
    except GitopsError as error:
        silent = error.message
        found = find_proposal(view)
    said: tuple[str, ...] = ()
    if silent is not None:
        said = (f"{overlay.label}: its pull request is not known: {silent}",)
    pull = found.pull
    if found.problem is not None:
        dropped = f"{view.label}: {found.problem}: `gitops close {name}` drops it"
        return WaitingProposal(warnings=(*said, dropped), silent=silent)
    if found.present is not None:
        if (more := _more(view, found.present)) is not None:
            said += (f"{more}: `gitops approve` refuses it",)
        proposal = replace(found.present.report(overlay, pull=pull), waits_for=waits)
        return WaitingProposal(proposal, said, silent)
    if pull is not None and pull.state == "open":
        what = "proposes nothing that its base does not have"
        said += (f"#{pull.number} {what}: `gitops close {name}` ends it ({pull.url})",)
    elif pull is not None and pull.state == "closed" and pull.head == found.head:
        what = f"#{pull.number} was closed in the forge ({pull.url}), by somebody or by itself"
        ways = f"the command that proposed it does so again, `gitops close {name}` deletes it"
        said += (f"{overlay.label}: {what}, and {found.branch} is still there: {ways}",)
    return WaitingProposal(warnings=said, silent=silent)


def _more(view: OverlayView, present: OpenProposal) -> str | None:
    """Return what `holds_more` says; an earlier call may have asked."""
    key = MORE + present.branch
    if key not in view.notes:
        view.notes[key] = holds_more(view, present)
    more = view.notes[key]
    return more if isinstance(more, str) else None


def _waits(view: OverlayView, found: ProposalLookup) -> tuple[str, ...]:
    if found.present is None:
        return ()
    forge = view.session.forge(view.tip.config)
    if isinstance(forge, NoForge):
        return ()
    if found.pull is None or found.pull.state != "open":
        return ("its pull request, which nobody opened yet",)
    number, rule = found.pull.number, view.row.approvals
    ready = forge.readiness(number)
    makers = makers_of(forge, number, ready, rule, found.present)
    waits = waits_for(found.pull, ready, rule, makers)
    return waits if ready.handed_over is None else (ready.handed_over, *waits)
