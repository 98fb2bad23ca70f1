"""`gitops approve` and `gitops close`: end a proposal where there is no forge to do it.

What is approved is one head of the branch `gitops/ENV`, the one that was shown. Policy is asked
again as of now, and the images that it wants are put into the overlay as the tip has it, so that
nothing but what was shown gets in. The approval is a line of the ledger; when enough of them count,
landing and deleting the branch is one push.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gitops.actions.holds import own_hold_path, readable_hold
from gitops.actions.judging import judge, judge_carried, record_overrides, refusal
from gitops.actions.ledger import Appended, append_records, ledger_of
from gitops.actions.overlays import find_overlay
from gitops.actions.plan import Draft, Plan
from gitops.actions.proposals import OpenProposal, find_proposal, proposal_branch
from gitops.actions.session import Session, Tip, check_policy, open_tip, require_words
from gitops.actions.sources import source_heads
from gitops.actions.targets import read_target
from gitops.actions.write import write
from gitops.core.approval import (
    authors_of,
    is_author,
    merge_message,
    source_of,
    sources_of,
    uncovered,
)
from gitops.core.environment import Overlay
from gitops.core.hold import Hold
from gitops.core.image import ImageChange, ImageRequest
from gitops.core.kustomization import Edit, edit_images
from gitops.core.ledger import LEDGER_BRANCH, Record, approvals
from gitops.core.message import one_line, trailers
from gitops.core.policy import Reason, outstanding
from gitops.core.promotion import Origin
from gitops.core.report import Committed, OverlayChange, Proposal, WriteReport
from gitops.errors import NotFound, Refused, UsageError


@dataclass(frozen=True, slots=True)
class ApproveRequest:
    """What `gitops approve` was asked for.

    Attributes:
        head: the proposal's head that was looked at (hex, at least 7 digits); None: the head as
            it is when the call begins.
        override: why policy is passed over, or None.
    """

    environment: str
    app: str | None = None
    head: str | None = None
    override: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovalPreview:
    """What a person is asked to approve."""

    label: str
    branch: str
    head: str
    by: str
    changes: tuple[tuple[str, ImageChange], ...]


def approve(
    session: Session,
    request: ApproveRequest,
    *,
    confirm: Callable[[ApprovalPreview], bool] | None = None,
) -> WriteReport:
    """Merge an open proposal into the branch that its environment lives on, and delete its own.

    `confirm` shows the changes and asks; None does not ask. The proposal's head is fixed by
    `request.head`, else by the first look: one that moves later is refused.

    Raises NotFound without an open proposal, Refused (policy, the approver is an author, the head
    moved), and what `write` raises.
    """
    require_words(request.override, "--override")
    shown: list[str] = []
    first: list[frozenset[Reason]] = []  # what stood when the override was given
    overlays: list[Overlay] = []
    recorded: list[Appended] = []

    def plan(tip: Tip) -> Plan:
        overlay = find_overlay(tip, request.environment, request.app)
        present = _open(session, tip, overlay)
        _check_head(overlay, present, request.head, shown)
        edit = _edit(session, tip, overlay, present)
        _check_approver(session, overlay, present)
        reasons = _reasons(session, tip, overlay, present, edit)
        if request.override is not None and not first:
            first.append(frozenset(reasons))
        barred = outstanding(reasons, first[0] if first else frozenset())
        if barred:
            raise refusal(barred, overridden=request.override is not None)
        if not shown:
            overlays.append(overlay)
            preview = ApprovalPreview(
                overlay.label,
                proposal_branch(overlay),
                present.commit,
                present.author.name,
                tuple((overlay.label, change) for change in edit.changes),
            )
            if confirm is not None and not session.dry_run and not confirm(preview):
                raise Refused("nothing was approved", hint="--yes does not ask")
            shown.append(present.commit)
        missing = _missing(session, tip, overlay, present) if recorded else 0
        if missing:
            return _waiting(overlay, present, missing)
        return _assemble(session, tip, overlay, present, edit, request, reasons)

    looked_at = open_tip(session)
    check_policy(session, looked_at, plan(looked_at).targets)
    if session.dry_run:
        return write(session, plan)
    recorded.append(_record(session, overlays[0], shown[0]))
    report = write(session, plan)
    if report.outcome != "unchanged":
        return report
    commit = recorded[0].commit
    if commit is None:
        return replace(report, branch=LEDGER_BRANCH)
    return replace(
        report,
        outcome="committed",
        branch=LEDGER_BRANCH,
        commit=commit,
        commits=(Committed(LEDGER_BRANCH, commit),),
    )


def close(
    session: Session, environment: str, *, app: str | None = None, reason: str | None = None
) -> WriteReport:
    """Delete the proposal branch of an environment; `unchanged` when there is none.

    Raises Refused when the proposal moved while it was closed, and what `write` raises.
    """
    require_words(reason, "--reason")
    shown: list[str] = []

    def plan(tip: Tip) -> Plan:
        overlay = find_overlay(tip, environment, app)
        branch = proposal_branch(overlay)
        head, present = find_proposal(session, tip, overlay)
        if head is None:
            return Plan(action="close", notes=(f"{overlay.label} has no proposal",))
        _check_head(overlay, head, None, shown)
        shown.append(head)
        base = tip.branch_of(overlay.environment)
        ended = Proposal(overlay, branch, head, state="closed", base=base)
        if present is not None:
            ended = present.report(overlay, state="closed")
        because = f": {one_line(reason)}" if reason is not None else ""
        return Plan(
            action="close",
            ending=(ended,),
            notes=(f"{overlay.label}: the proposal {head[:7]} is dropped{because}",),
        )

    return write(session, plan)


def _open(session: Session, tip: Tip, overlay: Overlay) -> OpenProposal:
    head, present = find_proposal(session, tip, overlay)
    if present is not None:
        return present
    branch = proposal_branch(overlay)
    if head is None:
        raise NotFound(
            f"{overlay.label} has no open proposal: there is no branch {branch}",
            hint="`gitops status` shows what waits",
        )
    raise NotFound(
        f"{overlay.label} has no open proposal: {branch} holds no change that gitops made "
        "and that is still to be merged",
        hint=f"`gitops close {overlay.environment.name}` deletes the branch",
    )


def _check_head(
    overlay: Overlay, present: OpenProposal | str, wanted: str | None, shown: Sequence[str]
) -> None:
    """Raise Refused when the branch is not at the head that was looked at."""
    head = present if isinstance(present, str) else present.commit
    if wanted is not None and len(wanted) < 7:
        raise UsageError(f"--head {wanted!r} is no commit: 40 hex digits, at least 7")
    seen = shown[0] if shown else wanted
    if seen is not None and not head.startswith(seen.lower()):
        raise Refused(
            f"{proposal_branch(overlay)} moved from {seen[:7]} to {head[:7]}",
            hint="somebody changed the proposal: look at it again",
        )


def _check_approver(session: Session, overlay: Overlay, present: OpenProposal) -> None:
    rule = overlay.environment.approvals
    approver = session.identity()
    authors = authors_of(present.author, present.message)
    if not rule.self and is_author(approver, authors):
        names = ", ".join(author.name for author in authors)
        raise Refused(
            f"{overlay.label}: {approver.name} <{approver.email}> is an author of this proposal",
            hint=f"somebody else must approve it; its authors: {names}",
        )


def _record(session: Session, overlay: Overlay, head: str) -> Appended:
    """Write the approval of `head` to the ledger; nothing when it stands there already."""
    person = session.identity().name
    tip = open_tip(session)
    known = approvals(ledger_of(session, tip, overlay).entries, head)
    if any(entry.record.by == person for entry in known):
        return Appended(None, 0, ())
    record = Record(
        commit=head,
        verdict="approved",
        time=session.clock.now(),
        by=person,
        intent=session.intent,
    )
    subject = f"{overlay.label}: approved {head[:7]}"
    return append_records(session, overlay, [record], action="approve", subject=subject)


def _missing(session: Session, tip: Tip, overlay: Overlay, present: OpenProposal) -> int:
    """Return how many approvals of the head are still to come; authors count where they may."""
    rule = overlay.environment.approvals
    names = {author.name for author in authors_of(present.author, present.message)}
    known = approvals(ledger_of(session, tip, overlay).entries, present.commit)
    counting = [entry for entry in known if rule.self or entry.record.by not in names]
    return max(rule.required - len(counting), 0)


def _waiting(overlay: Overlay, present: OpenProposal, missing: int) -> Plan:
    required = overlay.environment.approvals.required
    note = f"{required - missing} of {required} approvals of {present.commit[:7]} count so far"
    return Plan(
        action="approve",
        waiting=(present.report(overlay),),
        notes=(note,),
        hint="where gitops.yaml names signers, only approvals count that a listed key signed",
    )


def _edit(session: Session, tip: Tip, overlay: Overlay, present: OpenProposal) -> Edit:
    """Put what the proposal wants into the overlay as the tip has it.

    Only that is merged, so a branch that holds more is refused: it would count as merged, too.
    """
    file = read_target(session, tip, overlay)
    own = {file.path, own_hold_path(overlay)}
    more = [path for path in session.evidence.changed_paths(present.commit) if path not in own]
    if not present.only_images:
        more.append(file.path)
    if more:
        raise Refused(
            f"{proposal_branch(overlay)} changes more than images: {', '.join(more[:5])}",
            hint="merge it with Git, or propose the images again",
        )
    requests = [ImageRequest.exactly(image, value) for image, value in present.images.items()]
    return edit_images(file.content, file.path, requests, add=present.adds)


def _reasons(
    session: Session, tip: Tip, overlay: Overlay, present: OpenProposal, edit: Edit
) -> tuple[Reason, ...]:
    action = trailers(present.message).get("Gitops-Action")
    if action == ("rollback",):
        return ()  # going back is always allowed
    if action == ("promote",):
        # Its release branches must not have moved since: what QA passed is what goes.
        told = sources_of(present.message, [change.image for change in edit.changes])
        heads = source_heads(session, tip, told)
        came = tuple(Origin(image, text, heads[image]) for image, text in told.items())
        judgement = judge_carried(session, tip, overlay, edit.changes, origins=came)
        return uncovered(judgement.reasons, present.message)
    source = source_of(present.message)
    ref = source.branch if source is not None else None
    return uncovered(judge(session, tip, overlay, edit.changes, ref=ref), present.message)


def _assemble(
    session: Session,
    tip: Tip,
    overlay: Overlay,
    present: OpenProposal,
    edit: Edit,
    request: ApproveRequest,
    passed: tuple[Reason, ...],
) -> Plan:
    files: dict[str, bytes | None] = {edit.path: edit.after}
    before: dict[str, bytes | None] = {edit.path: edit.before}
    home = tip.of(overlay.environment)
    hold = _hold(tip, overlay, present)
    if hold is not None:
        path = own_hold_path(overlay)
        files[path], before[path] = hold[0], home.read(path)
    message = merge_message(
        present.message,
        label=overlay.label,
        changes=edit.changes,
        approver=session.identity(),
        intent=session.intent,
        overrides=record_overrides(request.override, passed),
    )
    return Plan(
        action="approve",
        commits={home.branch: Draft(files, message, merges=present.commit, before=before)},
        ending=(present.report(overlay, state="merged"),),
        changes=tuple(
            OverlayChange(overlay, edit.path, change, home.branch) for change in edit.changes
        ),
        warnings=tuple(f"{edit.path}: {text}" for text in edit.warnings),
        notes=(f"{proposal_branch(overlay)} at {present.commit[:7]} by {present.author.name}",),
        hold=hold[1] if hold is not None else None,
        judged=True,
    )


def _hold(tip: Tip, overlay: Overlay, present: OpenProposal) -> tuple[bytes, Hold] | None:
    """Return the hold that a proposed rollback brings along."""
    restores = trailers(present.message).get("Gitops-Restores", ())
    if not restores:
        return None
    path = own_hold_path(overlay)
    head = tip.beside(proposal_branch(overlay))
    content = head.read(path) if head is not None else None
    if content is None:
        return None
    hold = readable_hold(content, path)
    return (content, hold) if hold.restores == restores[-1] else None
