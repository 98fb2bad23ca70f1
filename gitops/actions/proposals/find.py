"""Proposal branches: `gitops/ENV`, one for each environment that asks for approval.

A proposal is open by what Git says of it: the branch wants images that its base does not have. A
forge adds one thing: a pull request that somebody closed or merged in its page ends the head that
it was for.
"""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from msgspec import Struct

from gitops.actions.context.session import Session, require_commit
from gitops.actions.context.view import OverlayView
from gitops.core.environments.environment import Overlay
from gitops.core.git.commit import Identity
from gitops.core.git.message import trailers
from gitops.core.kustomization import choose_file, image_values
from gitops.core.kustomization.edit import only_images
from gitops.core.kustomization.image import ImageValue
from gitops.core.report import Proposal
from gitops.errors import NotFound, Refused
from gitops.ports import NoForge, PullRequest


class OpenProposal(Struct, frozen=True):
    """An open proposal.

    Attributes:
        commit: its head.
        images: what it would change, with the values that it wants.
        adds: True when an image has no entry yet in the overlay that it was made for.
        author: of its head.
        since: when the head was made, UTC.
        message: of its head.
        base: the branch that it is to be merged into.
        before, content: the kustomization just before its head, and there; None: there was none.
    """

    commit: str
    images: dict[str, ImageValue]
    adds: bool
    author: Identity
    since: datetime
    message: str
    base: str
    before: bytes | None
    content: bytes | None

    @property
    def only_images(self) -> bool:
        """True when the head's kustomization is the one before with other images, and no more."""
        if self.content is None or self.before is None:
            return False
        return only_images(self.before, self.content, "kustomization")

    @property
    def action(self) -> str | None:
        """What its head was made by (`promote`, …), None when it does not say."""
        return trailers(self.message).get("Gitops-Action", (None,))[-1]

    @property
    def restores(self) -> str | None:
        """The commit of the release that its head restores, None when it does not say."""
        return trailers(self.message).get("Gitops-Restores", (None,))[-1]

    def report(
        self, overlay: Overlay, state: str = "open", *, pull: PullRequest | None = None
    ) -> Proposal:
        """Return what reports say of it."""
        return Proposal(
            overlay,
            proposal_branch(overlay),
            self.commit,
            state=state,
            by=self.author.name,
            since=self.since,
            number=pull.number if pull is not None else None,
            url=pull.url if pull is not None else None,
            base=self.base,
        )


class ProposalLookup(Struct, frozen=True):
    """What there is of an overlay's proposal.

    Attributes:
        head: commit of the branch; None: there is no branch.
        present: the open proposal, None when there is none.
        pull: its pull request, also one that has ended; None where there is none (yet).
    """

    head: str | None
    present: OpenProposal | None
    pull: PullRequest | None = None


def proposal_branch(overlay: Overlay) -> str:
    """Return the branch of the overlay's proposal: `gitops/ENV`, `gitops/APP/ENV`."""
    name = overlay.environment.name
    return f"gitops/{name}" if overlay.app is None else f"gitops/{overlay.app}/{name}"


def find_proposal(view: OverlayView) -> tuple[str | None, OpenProposal | None]:
    """Return the head of the proposal branch and the open proposal, None where there is none.

    A branch whose commit has landed, or that wants nothing that the tip does not have, is not
    open: it was merged, and left standing.
    """
    session, overlay = view.session, view.overlay
    head = view.tip.beside(proposal_branch(overlay))
    if head is None:
        return None, None
    versions = list(islice(session.repository.history(head.commit, overlay.directory), 2))
    if not versions or versions[0].commit.commit != head.commit:
        return head.commit, None
    wanted = _values(versions[0].content)
    before = versions[1].content if len(versions) > 1 else None
    known = _values(before)
    current = _values(head_content(view))
    pending = {
        image: value
        for image, value in wanted.items()
        if known.get(image) != value and current.get(image) != value
    }
    info = versions[0].commit
    if not pending or _has_landed(session, view.home.commit, info.message, info.parents):
        return head.commit, None
    return head.commit, OpenProposal(
        commit=head.commit,
        images=pending,
        adds=any(image not in known for image in pending),
        author=info.author,
        since=info.time,
        message=info.message,
        base=view.branch,
        before=before,
        content=versions[0].content,
    )


def look(view: OverlayView) -> ProposalLookup:
    """Find the proposal as Git and the forge tell it.

    Raises what `find_proposal`, `Session.forge` and `ports.Forge` raise.
    """
    head, present = find_proposal(view)
    if head is None:
        return ProposalLookup(None, None)
    forge = view.session.forge(view.tip.config)
    if isinstance(forge, NoForge):
        return ProposalLookup(head, present)
    pull = forge.find(proposal_branch(view.overlay), view.branch)
    if pull is not None and pull.state != "open" and pull.head == head:
        present = None  # a person ended it in the forge's page
    return ProposalLookup(head, present, pull)


def require_open(overlay: Overlay, found: ProposalLookup) -> OpenProposal:
    """Return the open proposal; NotFound says what there is instead, and what to do."""
    if found.present is not None:
        return found.present
    branch = proposal_branch(overlay)
    name = overlay.environment.name
    if found.head is None:
        raise NotFound(
            f"{overlay.label} has no open proposal: there is no branch {branch}",
            hint="`gitops status` shows what waits",
        )
    if found.pull is not None and found.pull.state != "open" and found.pull.head == found.head:
        raise NotFound(
            f"{overlay.label} has no open proposal: #{found.pull.number} was {found.pull.state} "
            f"in the forge ({found.pull.url})",
            hint=f"`gitops close {name}` deletes the branch {branch} that it left",
        )
    raise NotFound(
        f"{overlay.label} has no open proposal: {branch} holds no change that gitops made "
        "and that is still to be merged",
        hint=f"`gitops close {name}` deletes the branch",
    )


def check_head(overlay: Overlay, head: str, wanted: str | None) -> None:
    """Raise Refused when the branch, at `head`, is not at the commit that was looked at.

    `wanted` is that commit (hex, at least 7 digits); None: nobody looked yet. Raises UsageError.
    """
    if wanted is not None and not head.startswith(require_commit(wanted, "--head")):
        raise Refused(
            f"{proposal_branch(overlay)} moved from {wanted[:7]} to {head[:7]}",
            hint="somebody changed the proposal: look at it again",
        )


def head_content(view: OverlayView) -> bytes | None:
    """Return the overlay's kustomization at the tip, None when it has none."""
    directory = view.overlay.directory
    name = choose_file(view.home.entries(directory), directory)
    return None if name is None else view.home.read(f"{directory}/{name}")


def _values(content: bytes | None) -> dict[str, ImageValue]:
    return {} if content is None else image_values(content, "kustomization")


def _has_landed(session: Session, commit: str, message: str, parents: tuple[str, ...]) -> bool:
    ids = trailers(message).get("Gitops-Id", ())
    if not ids or not parents:
        return False
    return session.evidence.has_landed(ids[-1], commit, parents[0])
