"""Merge the pull request of a proposal: the very head that was reviewed, by the forge's rules.

The forge counts the approvals. It is told which head is meant, so a push in between merges nothing.
After an answer that got lost the pull request itself tells whether it was merged.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gitops.actions.context.named import Named
from gitops.actions.context.policy_branch import check_policy, newest, open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.proposals.makers import counted
from gitops.actions.pull_requests.decide import Approving, Decided
from gitops.actions.pull_requests.landing import landing_message, strictest
from gitops.actions.pull_requests.merged import (
    ReadyProposal,
    finish,
    left_to,
    merged_by_hand,
    report_of,
)
from gitops.actions.pull_requests.readiness import makers_of, may_wait, waits_for
from gitops.actions.write.report import joined
from gitops.actions.write.retry import Attempts
from gitops.core.git.commit import derived_id
from gitops.core.ledger import LEDGER_BRANCH
from gitops.core.report import WriteReport
from gitops.errors import (
    Conflict,
    GitopsError,
    NotFound,
    Refused,
    TimedOut,
    TryAgain,
    Unavailable,
    UsageError,
)
from gitops.ports import Forge, HandedOver, Merged, NotMerged, Snapshot


def merge_pull_requests(
    session: Session, forge: Forge, approving: Approving, tip: Tip
) -> WriteReport:
    """Merge the open pull requests of what is named, and delete their branches.

    Of several all are asked about, by policy, the forge's rules and the person, before the first
    is merged; then one after the other, since no forge merges two at once.

    Raises what `merge_pull_request` does, telling what was merged before.
    """
    looked = approving.look(tip)
    if len({found.branch for _, found in looked}) == 1:
        return merge_pull_request(session, forge, approving, tip)
    return merge_decided(session, forge, approving, tip, approving.decide(looked))


def merge_decided(
    session: Session, forge: Forge, approving: Approving, tip: Tip, decided: Sequence[Decided]
) -> WriteReport:
    """Do the same with what was decided on `tip` already."""
    branches = dict.fromkeys(one.present.branch for one in decided)
    if len(branches) == 1:
        return merge_pull_request(session, forge, approving, tip, decided)
    groups = [[one for one in decided if one.present.branch == branch] for branch in branches]
    apart = [_apart(approving, group) for group in groups]
    for one, group in zip(apart, groups, strict=True):
        _prepare(forge, one, group)
    approving.ask(decided)
    done: list[WriteReport] = []
    for one in apart:
        try:
            done.append(merge_pull_request(one.session, forge, one))
        except GitopsError as error:
            landed = [text for report in done for text in report.notes[:1]]
            error.reasons += (f"merged before that: {', '.join(landed)}",) if landed else ()
            raise
    return joined(done, ended=(), warnings=())


def _apart(approving: Approving, decided: Sequence[Decided]) -> Approving:
    """Return the same call for one of its proposals: with an id of its own, and asked already."""
    labels = tuple(one.view.label for one in decided)
    name = derived_id(approving.session.intent, " ".join(labels))
    return Approving(
        replace(approving.session, intent=name),
        replace(approving.request, named=Named(labels)),
        None,
        approving.override,
        {one.view.label: one.present.commit for one in decided},
    )


def merge_pull_request(
    session: Session,
    forge: Forge,
    approving: Approving,
    tip: Tip | None = None,
    decided: Sequence[Decided] = (),
) -> WriteReport:
    """Merge the open pull request of an environment, and delete its branch.

    `tip`: what the first try reads, `decided`: what was decided on it. Where a person has read, or
    reviewed, since, it counts only if nothing has moved.

    Raises Refused (policy, what it still waits for, the forge's own words), Conflict when its head
    moved after it was looked at, NotFound without an open proposal or pull request, and what the
    ports raise. In all of these cases nothing was merged.
    """
    attempts = Attempts(session)
    sent: ReadyProposal | None = None  # a merge whose answer was lost: it may have happened
    while True:
        tries = attempts.begin()
        trouble: TryAgain
        try:
            if sent is not None and (commit := _landed(session, forge, sent)) is not None:
                return finish(session, sent, commit, tries)
            first, tip = tip or open_tip(session), None
            known, decided = decided, ()
            ready = _look(session, forge, approving, first, known)
            if isinstance(ready, WriteReport):
                return ready
            if session.dry_run:
                return report_of(session, ready, "planned", None)
            if ready.handed_over is not None:
                return left_to(session, ready, ready.handed_over, tries)
            sent = ready
            title, _, message = ready.message.partition("\n")
            method = ready.decided.view.tip.config.pulls.method
            head = ready.decided.present.commit
            ask = forge.hand_over if ready.hands_over else forge.merge
            answer = ask(ready.pull.number, head, method, title, message.strip("\n"))
            if isinstance(answer, Merged):
                return finish(session, ready, answer.commit, tries)
            if isinstance(answer, HandedOver):
                return left_to(session, ready, answer.how, tries)
            sent = None
            trouble = _refusal(ready, answer)
        except (Unavailable, TimedOut) as error:
            trouble = error
        attempts.failed(trouble)


def _look(
    session: Session, forge: Forge, approving: Approving, tip: Tip, decided: Sequence[Decided]
) -> ReadyProposal | WriteReport:
    """Look at it, unless it is `decided`, and ask everybody; return the report when it was merged.

    Where a person was asked, or reviewed it, policy is asked again when something moved since.
    """
    if not decided:
        looked = approving.look(tip)
        view, found = looked[0]
        if (report := merged_by_hand(session, approving, view.overlay, found)) is not None:
            return report
        decided = approving.decide(looked)
    ready = _prepare(forge, approving, decided)
    if approving.confirm is None or session.dry_run or not _has_moved(session, tip):
        return ready
    return _prepare(forge, approving, approving.decide(approving.look(open_tip(session))))


def _has_moved(session: Session, tip: Tip) -> bool:
    """Say whether a branch that policy is read from is elsewhere by now."""
    seen: dict[str, Snapshot | None] = {**tip.read()}
    if LEDGER_BRANCH in tip.others:
        seen[LEDGER_BRANCH] = tip.others[LEDGER_BRANCH]
    return any(_commit(newest(session, name)) != _commit(one) for name, one in seen.items())


def _commit(snapshot: Snapshot | None) -> str | None:
    return snapshot.commit if snapshot is not None else None


def _prepare(forge: Forge, approving: Approving, sides: Sequence[Decided]) -> ReadyProposal:
    """Ask everybody, and the person once; raises when anything is in the way."""
    decided = sides[0]
    view, found, present, pull = decided.view, decided.found, decided.present, decided.found.pull
    tip, overlay, name = view.tip, view.overlay, view.overlay.typed
    check_policy(view.session, tip, [present.base])
    if pull is None or pull.state != "open":
        raise NotFound(
            f"{overlay.label} has no pull request yet: {found.branch} waits alone",
            hint=f"`gitops promote --to {name}`, or whatever proposed it, opens it",
        )
    if pull.head != present.commit:
        raise Unavailable(
            f"the forge has #{pull.number} at {pull.head[:7]}, its branch is at "
            f"{present.commit[:7]}: it is still to notice"
        )
    method, override = tip.config.pulls.method, approving.request.override
    if override is not None and any(one.passed for one in sides) and method == "rebase":
        raise UsageError(
            "an override cannot be recorded where `pullRequest.mergeMethod` is rebase",
            hint=f"give it to the proposal: gitops promote --to {name} --override REASON",
        )
    ready = forge.readiness(pull.number)
    rule = strictest([one.view.row.approvals for one in sides])
    makers = makers_of(forge, pull.number, ready, rule, present)
    waits = waits_for(pull, ready, rule, makers)
    hands_over = may_wait(pull, ready, rule, makers) and (bool(waits) or ready.queue_only)
    if waits and not hands_over and ready.handed_over is None:
        anew = f"; `gitops promote --to {name} --refresh` makes it anew on {pull.base}"
        raise Refused(
            f"{overlay.label}: #{pull.number} waits for {'; '.join(waits)}",
            hint=f"in the forge: {pull.url}{anew if ready.mergeable is False else ''}"
            + _up_to_date(decided),
            reasons=waits,
        )
    approving.ask(sides)
    by = counted(ready.approvals, makers)
    return ReadyProposal(
        sides,
        pull,
        landing_message(sides, override, by, squashes=method == "squash"),
        override,
        hands_over=hands_over,
        handed_over=ready.handed_over,
    )


def _up_to_date(decided: Decided) -> str:
    """Return more of a hint for a proposal whose base has gone on, nothing where it has not."""
    if not decided.present.behind:
        return ""
    name, base = decided.view.overlay.typed, decided.present.base
    return f"; {base} has gone on: `gitops approve {name} --update` merges that into it first"


def _landed(session: Session, forge: Forge, sent: ReadyProposal) -> str | None:
    """Return the commit of a merge whose answer was lost, None when it did not happen."""
    pull = forge.find(sent.pull.branch, sent.pull.base)
    if pull is None or pull.state != "merged":
        return None
    if (pull.number, pull.head) != (sent.pull.number, sent.pull.head):
        return None
    if pull.merged_as is not None:
        return pull.merged_as
    since = sent.decided.view.tip.at(pull.base).commit
    return session.repository.find_intent(pull.base, session.intent, since)


def _refusal(ready: ReadyProposal, answer: NotMerged) -> TryAgain:
    """Return what may be tried again, raise what may not."""
    label, pull = ready.decided.view.label, ready.pull
    where = f"{label}: #{pull.number}"
    if answer.kind == "not-yet":
        return Unavailable(f"{where}: the forge still finds out whether it merges: {answer.words}")
    if answer.kind == "head-moved":
        raise Conflict(
            f"{pull.branch} moved from {pull.head[:7]} while it was merged ({answer.words})",
            hint="nothing was merged: look at the proposal again",
        )
    if answer.kind == "conflict":
        name = ready.decided.view.overlay.typed
        raise Refused(
            f"{where} does not merge into {pull.base} any more: {answer.words}",
            hint=f"`gitops promote --to {name} --refresh` makes it anew; it needs new approvals"
            + _up_to_date(ready.decided),
            reasons=(answer.words,),
        )
    raise Refused(
        f"{where} was not merged: {answer.words}",
        hint=f"in the forge: {pull.url}{_up_to_date(ready.decided)}",
        reasons=(answer.words,),
    )
