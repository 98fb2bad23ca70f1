"""The pull request of each proposal: opened, kept true, and ended with the branch.

The branch is written first, by Git and with a lease; then the forge is told. What the forge says is
made from what stands on the branch at that moment, so a call that was killed in between, lost an
answer, or came second is mended by the next one: same branch, same text, one pull request. Only
the comment on what was replaced belongs to one call, the one whose push replaced it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.proposals.branches import gather_proposals, proposal_branch
from gitops.actions.proposals.find import OpenProposal, find_on, look
from gitops.actions.proposals.sides import sides_of
from gitops.actions.pull_requests.review import make_review
from gitops.actions.write.retry import Attempts
from gitops.core.environments.environment import Overlay, PullRules
from gitops.core.git.message import reason_of, said_of, trailers
from gitops.core.kustomization.image import ImageValue
from gitops.core.proposals.comments import render_gave_way, render_replaced, render_rolled_back
from gitops.core.proposals.pull_request import (
    PullRequestText,
    Review,
    action_told,
    head_told,
    render_pull_request,
)
from gitops.core.report import Proposal, Replaced, WriteReport
from gitops.errors import GitopsError, NotFound, TimedOut, Unavailable
from gitops.ports import Forge, NoForge, PullRequest, PullText


def publish(session: Session, report: WriteReport) -> WriteReport:
    """Give each open proposal of `report` its pull request, and return the report with them.

    Raises what `ports.Forge` raises, with what landed before in its message: the same call again
    opens what is missing.
    """
    if session.dry_run or not any(one.state == "open" for one in report.proposals):
        return report
    proposals: list[Proposal] = []
    more: list[str] = []
    hint = report.hint
    for proposal in report.proposals:
        if proposal.state != "open":
            more += _give_way(session, proposal)
            proposals.append(proposal)
            continue
        try:
            told = _publish(session, proposal)
        except GitopsError as error:
            _tell_what_stands(error, proposal)
            raise
        if isinstance(told, NoForge):
            hint = hint or told.hint
            proposals.append(proposal)
        else:
            pull, found = told
            more += pull.messages if pull is not None else ()
            proposals.append(found)
    return replace(
        report, proposals=tuple(proposals), warnings=(*report.warnings, *more), hint=hint
    )


def _give_way(session: Session, proposal: Proposal) -> tuple[str, ...]:
    """Close the pull request of a proposal that became part of a wider one, and say so there."""
    if proposal.gives_way_to is None:
        return ()
    try:
        view = view_of(session, open_tip(session), proposal.overlay)
    except GitopsError as error:
        return (f"the pull request of {proposal.branch} was not told why: {error.message}",)
    comment = render_gave_way(proposal.gives_way_to)
    _, doubts = end_pull_request(view, proposal.branch, proposal.commit or "", comment)
    return doubts


def end_pull_request(
    view: OverlayView, branch: str, head: str, comment: str
) -> tuple[PullRequest | None, tuple[str, ...]]:
    """Comment on and close the pull request of a proposal whose branch, at `head`, is gone.

    Returns it, None where there is none, and warnings: what the forge does not take is no error,
    since a branch that is gone closes its pull request on every forge.
    """
    base = view.branch
    try:
        forge = view.session.forge(view.tip.config)
        if isinstance(forge, NoForge):
            return None, ()
        pull = forge.find(branch, base)
        if pull is None or pull.state == "merged":
            return None, ()
        if pull.state == "closed" and pull.head != head:
            return None, ()  # the one of an earlier head
        forge.close(pull.number)
        forge.comment(pull.number, comment)
    except GitopsError as error:
        return None, (f"the pull request of {branch} was not told why: {error.message}",)
    return replace(pull, state="closed"), ()


def refresh(session: Session, overlays: Iterable[Overlay]) -> tuple[str, ...]:
    """Bring the texts of open pull requests up to date, after something else changed.

    Returns warnings: whoever holds an environment or records a verdict has done it all the same.
    """
    warnings: list[str] = []
    if session.dry_run:
        return ()
    try:
        tip = open_tip(session)
        forge = session.forge(tip.config)
    except GitopsError as error:
        return (f"pull requests are as they were: {error.message}",)
    if isinstance(forge, NoForge):
        return ()  # where there is none, no branch of a proposal is fetched for nothing
    overlays = list(overlays)
    gather_proposals(session, tip, overlays)
    shown: set[int] = set()  # one of several overlays tells of all of them
    for overlay in overlays:
        try:
            view = view_of(session, tip, overlay)
            found = look(view)
            pull, present = found.pull, found.present
            if present is None or pull is None or pull.number in shown:
                continue
            if pull.state == "open":
                text = _text(_reviews(view, present), present)
                _show(forge, pull, pull.branch, pull.base, text, tip.config.pulls)
                shown.add(pull.number)
        except GitopsError as error:
            warnings.append(f"the pull request of {overlay.label} is as it was: {error.message}")
    return tuple(warnings)


def _publish(session: Session, proposal: Proposal) -> NoForge | tuple[PullRequest | None, Proposal]:
    attempts = Attempts(session)
    owed = proposal.replaced  # to be told once, by the call whose push replaced it
    while True:
        attempts.begin()
        try:
            tip = open_tip(session)
            forge = session.forge(tip.config)
            if isinstance(forge, NoForge):
                return forge
            view = view_of(session, tip, proposal.overlay)
            branch, base = proposal.branch, view.branch
            found = find_on(view, branch)
            head, present = found.head, found.present
            if present is None:
                return None, proposal  # somebody ended it meanwhile
            reviews = _reviews(view, present)
            pull = forge.find(branch, base)
            if pull is not None and pull.state != "open":
                pull = None  # of an earlier head
            if pull is not None and _is_rollback(action_told(pull.body)) != _is_rollback(
                present.action
            ):
                # Nobody's approval of the one shall count for the other.
                forge.close(pull.number)
                forge.comment(pull.number, _handed_over(reviews, pull, owed))
                pull, owed = None, None
            text_now = _text(reviews, present)
            shown = _show(forge, pull, branch, base, text_now, tip.config.pulls)
            if pull is not None and owed is not None and head == proposal.commit:
                text = _replaced(reviews, owed.commit, owed.images)
                owed = None  # once: after an answer that got lost, a second one would be noise
                forge.comment(shown.number, text)
            if shown.head == head or head == _head(session, branch):
                return shown, replace(proposal, number=shown.number, url=shown.url)
        except (Unavailable, TimedOut) as error:
            attempts.failed(error)


def _head(session: Session, branch: str) -> str | None:
    """Return where the branch is now, whatever was read of it before."""
    try:
        return session.repository.snapshot(branch).commit
    except NotFound:
        return None


def _show(
    forge: Forge,
    pull: PullRequest | None,
    branch: str,
    base: str,
    text: PullRequestText,
    rules: PullRules,
) -> PullRequest:
    wanted = PullText(text.title, text.body, rules.labels, rules.reviewers, rules.draft)
    if pull is None:
        return forge.open(branch, base, wanted)
    if (pull.title, pull.body) == (text.title, text.body):
        return pull
    return forge.update(pull.number, wanted)


def _is_rollback(action: str | None) -> bool:
    return action == "rollback"


def _reviews(view: OverlayView, present: OpenProposal) -> list[Review]:
    """Return what is to be said of each overlay that a proposal is about."""
    if present.branch == proposal_branch(view.overlay):
        return [make_review(view, present)]
    found = [(side, find_on(side, present.branch).present) for side in sides_of(view, present)]
    return [make_review(side, one) for side, one in found if one is not None]


def _text(reviews: Sequence[Review], present: OpenProposal) -> PullRequestText:
    return render_pull_request(reviews, present.branch.removeprefix("gitops/"))


def _handed_over(reviews: Sequence[Review], pull: PullRequest, owed: Replaced | None) -> str:
    """Say why a pull request ends whose branch now holds a change of the other kind."""
    review = reviews[0]
    said = trailers(review.message)
    if not _is_rollback(said.get("Gitops-Action", (None,))[-1]):
        old = owed.commit if owed is not None else head_told(pull.body) or pull.head
        return _replaced(reviews, old, owed.images if owed is not None else {})
    return render_rolled_back(
        review.overlay,
        review.by,
        restores=said_of(said, "Gitops-Restores", review.overlay.labels) or "?",
        commit=None,
        reason=reason_of(review.message),
    )


def _replaced(reviews: Sequence[Review], old: str, was: Mapping[str, ImageValue]) -> str:
    several = len(reviews) > 1
    now = {
        f"{review.overlay.label}: {row.change.image}" if several else row.change.image: (
            row.change.after
        )
        for review in reviews
        for row in review.rows
    }
    return render_replaced(old, reviews[0].head, reviews[0].by, was, now)


def _tell_what_stands(error: GitopsError, proposal: Proposal) -> None:
    """Put into the error of a forge what stands in Git all the same, and the way on."""
    head = (proposal.commit or "")[:7]
    error.message = f"{proposal.branch} is at {head}, but not its pull request: {error.message}"
    error.hint = error.hint or "run the same command again: it opens what is missing"
