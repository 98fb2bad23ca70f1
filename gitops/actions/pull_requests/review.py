"""An open proposal as of now: what it would change, what it brings, what stands against it."""

from __future__ import annotations

from collections.abc import Sequence

from gitops.actions.context.holds import own_hold_path, readable_hold
from gitops.actions.context.view import OverlayView
from gitops.actions.policy.builds import source_heads
from gitops.actions.policy.judge import judge, judge_carried
from gitops.actions.policy.upstream import read_befores
from gitops.actions.proposals.find import OpenProposal, proposal_branch
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.actions.releases.rollback_target import foresee
from gitops.core.git.message import subject, trailers
from gitops.core.git.revision import parse_revision
from gitops.core.hold import Hold
from gitops.core.kustomization import Edit, edit_images, image_values
from gitops.core.kustomization.image import ImageChange, ImageRequest, ImageValue
from gitops.core.policy.promotion import ImageOrigin, Judgement, Upstream
from gitops.core.proposals.approval import source_of, sources_of, uncovered
from gitops.core.proposals.pull_request import ProposalImage, Review
from gitops.core.releases.provenance import origins
from gitops.core.releases.release import Release
from gitops.core.releases.selection import stability_of
from gitops.errors import Refused


def proposed_edit(view: OverlayView, present: OpenProposal) -> Edit:
    """Put what the proposal wants into the overlay as the tip has it.

    Only that is merged, so a branch that holds more is refused: it would count as merged, too.
    """
    file = view.target
    own = {file.path, own_hold_path(view.overlay)}
    more = [path for path in view.session.evidence.changed_paths(present.commit) if path not in own]
    if not present.only_images:
        more.append(file.path)
    if more:
        raise Refused(
            f"{proposal_branch(view.overlay)} changes more than images: {', '.join(more[:5])}",
            hint="merge it with Git, or propose the images again",
        )
    requests = [ImageRequest.exactly(image, value) for image, value in present.images.items()]
    return edit_images(file.content, file.path, requests, add=present.adds)


def judge_proposal(
    view: OverlayView, present: OpenProposal, changes: Sequence[ImageChange]
) -> Judgement:
    """Ask policy as of now; without the reasons that an override of the proposal covers."""
    if present.action == "rollback":
        return Judgement()  # going back is always allowed
    if present.action == "promote":
        # Its release branches must not have moved since: what QA passed is what goes.
        told = sources_of(present.message, [change.image for change in changes])
        heads = source_heads(view.session, view.tip, told)
        came = tuple(ImageOrigin(image, text, heads[image]) for image, text in told.items())
        found = judge_carried(view, changes, origins=came)
        return Judgement(uncovered(found.reasons, present.message), found.warnings)
    source = source_of(present.message)
    ref = source.branch if source is not None else None
    return Judgement(uncovered(judge(view, changes, ref=ref), present.message))


def hold_brought(view: OverlayView, present: OpenProposal) -> tuple[bytes, Hold] | None:
    """Return the hold that a proposed rollback brings along, its bytes first."""
    if present.restores is None:
        return None
    path = own_hold_path(view.overlay)
    head = view.tip.beside(proposal_branch(view.overlay))
    content = head.read(path) if head is not None else None
    if content is None:
        return None
    hold = readable_hold(content, path)
    return (content, hold) if hold.restores == present.restores else None


def make_review(view: OverlayView, present: OpenProposal) -> Review:
    """Gather what the pull request of an open proposal says.

    Raises Refused for a branch that holds more than images, and what the ports raise.
    """
    edit = proposed_edit(view, present)
    found = judge_proposal(view, present, edit.changes)
    befores: tuple[Upstream, ...] = ()
    doubts: tuple[str, ...] = ()
    if present.action != "rollback":
        befores, doubts = read_befores(view, edit.changes)
    told = dict.fromkeys([*edit.warnings, *doubts, *found.warnings])
    return Review(
        overlay=view.overlay,
        head=present.commit,
        message=present.message,
        by=present.author.name,
        since=present.since,
        rows=_rows(view, present, edit.changes),
        befores=befores,
        reasons=found.reasons,
        warnings=tuple(told),
        way_back=foresee(view, image_values(edit.after, edit.path), _upcoming(present, edit)),
        restored=_restored(view, present),
        brings_hold=hold_brought(view, present) is not None,
        adds=present.adds,
    )


def _rows(
    view: OverlayView, present: OpenProposal, changes: Sequence[ImageChange]
) -> tuple[ProposalImage, ...]:
    told = sources_of(present.message, [change.image for change in changes])
    before = {
        change.image: change.before
        for change in changes
        if told.get(change.image) and change.before != ImageValue()
    }
    old = origins(releases_of(view), before) if before else {}
    return tuple(
        ProposalImage(
            change,
            told.get(change.image),
            _commit(old.get(change.image)),
            view.tip.config.sources.get(change.image),
        )
        for change in changes
    )


def _restored(view: OverlayView, present: OpenProposal) -> tuple[Release, str] | None:
    if present.action != "rollback" or present.restores is None:
        return None
    found = (one for one in releases_of(view) if one.commit == present.restores)
    release = next(found, None)
    if release is None:
        return None
    verdicts = ledger_of(view).verdicts([release])
    return release, stability_of(verdicts.health.get(release.commit))


def _commit(revision: str | None) -> str | None:
    parsed = parse_revision(revision) if revision is not None else None
    return parsed.commit if parsed is not None else None


def _upcoming(present: OpenProposal, edit: Edit) -> Release:
    """Return the release that merging would make."""
    said = trailers(present.message)
    return Release(
        commit=present.commit,
        time=present.since,
        author=present.author,
        subject=subject(present.message),
        action=present.action,
        images=image_values(edit.after, edit.path),
        restores=present.restores,
        rolled_back=said.get("Gitops-Rolled-Back", (None,))[-1],
    )
