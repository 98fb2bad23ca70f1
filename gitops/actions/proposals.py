"""Proposal branches: `gitops/ENV`, one for each environment that asks for approval.

A proposal is one commit on top of the tip of main. It is made anew, in place, when the wanted
images change; images that an open proposal carries and that the new call does not name stay in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from gitops.actions.overlays import OverlayFile
from gitops.actions.plan import Draft, ProposalDraft
from gitops.actions.session import Session, Tip
from gitops.core.approval import authors_of, with_authors
from gitops.core.environment import Overlay
from gitops.core.identity import Identity
from gitops.core.image import ImageChange, ImageRequest, ImageValue
from gitops.core.kustomization import edit_images, image_values
from gitops.core.message import trailers
from gitops.core.report import Proposal


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call wants in one overlay whose changes need approval.

    Attributes:
        replace: True drops what an open proposal carries (a rollback); False keeps the images
            that `requests` does not name.
    """

    overlay: Overlay
    file: OverlayFile
    requests: tuple[ImageRequest, ...]
    replace: bool = False
    extra: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Proposed:
    """Drafts to push, and proposals that already say what is wanted."""

    drafts: tuple[ProposalDraft, ...] = ()
    waiting: tuple[Proposal, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenProposal:
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
        wanted = _values(self.content).items()
        requests = [ImageRequest.exactly(image, value) for image, value in wanted]
        return edit_images(self.before, "kustomization", requests, add=True).after == self.content

    def report(self, overlay: Overlay, state: str = "open") -> Proposal:
        """Return what reports say of it."""
        return Proposal(
            overlay,
            proposal_branch(overlay),
            self.commit,
            state=state,
            by=self.author.name,
            since=self.since,
            base=self.base,
        )


def proposal_branch(overlay: Overlay) -> str:
    """Return the branch of the overlay's proposal: `gitops/ENV`, `gitops/APP/ENV`."""
    name = overlay.environment.name
    return f"gitops/{name}" if overlay.app is None else f"gitops/{overlay.app}/{name}"


def find_proposal(
    session: Session, tip: Tip, overlay: Overlay
) -> tuple[str | None, OpenProposal | None]:
    """Return the head of the proposal branch and the open proposal, None where there is none.

    A branch whose commit has landed, or that wants nothing that the tip does not have, is not
    open: it was merged, and left standing.
    """
    head = tip.beside(proposal_branch(overlay))
    if head is None:
        return None, None
    versions = list(islice(session.repository.history(head.commit, overlay.directory), 2))
    if not versions or versions[0].commit.commit != head.commit:
        return head.commit, None
    wanted = _values(versions[0].content)
    before = versions[1].content if len(versions) > 1 else None
    known = _values(before)
    current = _values(head_content(tip, overlay))
    pending = {
        image: value
        for image, value in wanted.items()
        if known.get(image) != value and current.get(image) != value
    }
    info = versions[0].commit
    home = tip.of(overlay.environment)
    if not pending or _has_landed(session, home.commit, info.message, info.parents):
        return head.commit, None
    return head.commit, OpenProposal(
        commit=head.commit,
        images=pending,
        adds=any(image not in known for image in pending),
        author=info.author,
        since=info.time,
        message=info.message,
        base=home.branch,
        before=before,
        content=versions[0].content,
    )


def head_content(tip: Tip, overlay: Overlay) -> bytes | None:
    """Return the overlay's kustomization at the tip, None when it has none."""
    from gitops.core.kustomization import choose_file

    snapshot = tip.of(overlay.environment)
    name = choose_file(snapshot.entries(overlay.directory), overlay.directory)
    return None if name is None else snapshot.read(f"{overlay.directory}/{name}")


def propose(
    session: Session,
    tip: Tip,
    wanted: Sequence[Wanted],
    *,
    render: Callable[[Overlay, Sequence[ImageChange]], str],
    add: bool = False,
    refresh: bool = False,
) -> Proposed:
    """Draft one proposal for each overlay, on top of the tip.

    `render` makes the commit message of one overlay's changes. `refresh` makes a proposal anew that
    already wants the same; each new head drops the approvals of the old one.
    """
    drafts: list[ProposalDraft] = []
    waiting: list[Proposal] = []
    notes: list[str] = []
    for entry in wanted:
        overlay = entry.overlay
        branch = proposal_branch(overlay)
        head, present = find_proposal(session, tip, overlay)
        kept: list[ImageRequest] = []
        if present is not None and not entry.replace:
            named = {request.image for request in entry.requests}
            kept = [
                ImageRequest.exactly(image, value)
                for image, value in present.images.items()
                if image not in named
            ]
        edit = edit_images(entry.file.content, entry.file.path, [*entry.requests, *kept], add=add)
        if present is not None and not entry.replace:
            after = {change.image: change.after for change in edit.changes}
            if after == present.images and not refresh:
                waiting.append(present.report(overlay))
                notes.append(f"{branch} already proposes this; it waits for approval")
                continue
        if kept:
            names = ", ".join(request.image for request in kept)
            notes.append(f"{branch} keeps what it already proposed: {names}")
        files: dict[str, bytes | None] = {entry.file.path: edit.after}
        files |= dict(entry.extra)
        home = tip.of(overlay.environment)
        before = {path: home.read(path) for path in files}
        message = render(overlay, edit.changes)
        if present is not None and kept:
            # Whoever proposed what stays in it is an author still, and must not approve it.
            message = with_authors(message, authors_of(present.author, present.message))
        draft = Draft(files, message, before=before)
        drafts.append(ProposalDraft(overlay, branch, home.branch, draft, head))
        notes.append(f"{overlay.label} waits for approval on branch {branch}")
    return Proposed(tuple(drafts), tuple(waiting), (), tuple(notes))


def _values(content: bytes | None) -> dict[str, ImageValue]:
    return {} if content is None else image_values(content, "kustomization")


def _has_landed(session: Session, commit: str, message: str, parents: tuple[str, ...]) -> bool:
    ids = trailers(message).get("Gitops-Id", ())
    if not ids or not parents:
        return False
    return session.evidence.has_landed(ids[-1], commit, parents[0])
