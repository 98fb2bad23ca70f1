"""Merge the pull request of a proposal: the very head that was reviewed, by the forge's rules.

The forge counts the approvals. It is told which head is meant, so a push in between merges nothing.
After an answer that got lost the pull request itself tells whether it was merged.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.named import Named
from gitops.actions.context.policy_branch import check_policy, open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.actions.proposals.find import ProposalLookup
from gitops.actions.proposals.makers import counted
from gitops.actions.pull_requests.decide import Approving, Decided, Looked
from gitops.actions.pull_requests.landing import holds_brought, landing_message, strictest
from gitops.actions.pull_requests.readiness import makers_of, may_wait, waits_for
from gitops.actions.write.report import joined, who_writes
from gitops.actions.write.retry import Attempts
from gitops.core.environments.environment import Overlay
from gitops.core.git.commit import derived_id
from gitops.core.policy.reasons import record_overrides
from gitops.core.report import (
    Committed,
    FileDiff,
    Outcome,
    OverlayChange,
    Proposal,
    WriteReport,
    audit_of,
)
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
from gitops.ports import Forge, HandedOver, Merged, NotMerged, PullRequest, RefUpdate


class _Ready(Struct, frozen=True):
    """A proposal that policy and the forge's rules let in, and the message of its merge.

    `hands_over`: the forge is to merge it by itself, once it is ready; `handed_over`: it was told.
    """

    sides: Sequence[Decided]
    pull: PullRequest
    message: str
    override: str | None = None
    hands_over: bool = False
    handed_over: str | None = None

    @property
    def decided(self) -> Decided:
        """The first overlay that it is about."""
        return self.sides[0]


def merge_pull_requests(
    session: Session, forge: Forge, approving: Approving, tip: Tip
) -> WriteReport:
    """Merge the open pull requests of what is named, and delete their branches.

    Of several all are asked about, by policy, the forge's rules and the person, before the first
    is merged; then one after the other, since no forge merges two at once.

    Raises what `merge_pull_request` does, telling what was merged before.
    """
    looked = approving.look(tip)
    branches = dict.fromkeys(found.branch for _, found in looked)
    if len(branches) == 1:
        return merge_pull_request(session, forge, approving)
    decided = approving.decide(looked)
    groups = [[one for one in looked if one[1].branch == branch] for branch in branches]
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


def _apart(approving: Approving, looked: Sequence[Looked]) -> Approving:
    """Return the same call for one of its proposals: with an id of its own, and asked already."""
    labels = tuple(view.label for view, _ in looked)
    name = derived_id(approving.session.intent, " ".join(labels))
    heads = {view.overlay: found.head or "" for view, found in looked}
    return Approving(
        replace(approving.session, intent=name),
        replace(approving.request, named=Named(labels)),
        None,
        approving.override,
        heads,
    )


def merge_pull_request(session: Session, forge: Forge, approving: Approving) -> WriteReport:
    """Merge the open pull request of an environment, and delete its branch.

    Raises Refused (policy, what it still waits for, the forge's own words), Conflict when its head
    moved after it was looked at, NotFound without an open proposal or pull request, and what the
    ports raise. In all of these cases nothing was merged.
    """
    attempts = Attempts(session)
    sent: _Ready | None = None  # a merge whose answer was lost: it may have happened
    while True:
        tries = attempts.begin()
        trouble: TryAgain
        try:
            if sent is not None and (commit := _landed(session, forge, sent)) is not None:
                return _finish(session, sent, commit, tries)
            tip = open_tip(session)
            looked = approving.look(tip)
            view, found = looked[0]
            if (report := _merged_by_hand(session, approving, view.overlay, found)) is not None:
                return report
            ready = _prepare(forge, approving, looked)
            if session.dry_run:
                return _report(session, ready, "planned", None)
            if ready.handed_over is not None:
                return _left_to(session, ready, ready.handed_over, tries)
            sent = ready
            title, _, message = ready.message.partition("\n")
            method = ready.decided.view.tip.config.pulls.method
            head = ready.decided.present.commit
            ask = forge.hand_over if ready.hands_over else forge.merge
            answer = ask(ready.pull.number, head, method, title, message.strip("\n"))
            if isinstance(answer, Merged):
                return _finish(session, ready, answer.commit, tries)
            if isinstance(answer, HandedOver):
                return _left_to(session, ready, answer.how, tries)
            sent = None
            trouble = _refusal(ready, answer)
        except (Unavailable, TimedOut) as error:
            trouble = error
        attempts.failed(trouble)


def _merged_by_hand(
    session: Session, approving: Approving, overlay: Overlay, found: ProposalLookup
) -> WriteReport | None:
    """Return the report when the very head was merged already; its branch goes as after a merge."""
    pull, asked = found.pull, approving.request.head
    if pull is None or (pull.state, pull.head) != ("merged", found.head):
        return None
    if asked is not None and not pull.head.startswith(asked.lower()):
        return None
    commit = f" as {pull.merged_as[:7]}" if pull.merged_as is not None else ""
    warnings = () if session.dry_run else _delete_branch(session, pull.branch, pull.head)
    merged = Proposal(
        overlay, pull.branch, pull.head, "merged", number=pull.number, url=pull.url, base=pull.base
    )
    return WriteReport(
        action="approve",
        outcome="unchanged",
        branch=pull.base,
        repository=session.repository.describe(),
        proposals=(merged,),
        warnings=tuple(warnings),
        notes=(f"{overlay.label}: #{pull.number} was merged already{commit}",),
    )


def _prepare(forge: Forge, approving: Approving, looked: Sequence[Looked]) -> _Ready:
    """Ask everybody, and the person once; raises when anything is in the way."""
    view, found = looked[0]
    tip, overlay = view.tip, view.overlay
    sides = approving.decide(looked)
    decided = sides[0]
    present, pull = decided.present, found.pull
    name = overlay.typed
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
    return _Ready(
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


def _left_to(session: Session, ready: _Ready, how: str, tries: int) -> WriteReport:
    """Return the report of a pull request that the forge merges by itself."""
    report = _report(session, ready, "proposed", None, tries)
    (proposal,) = report.proposals
    name = ready.decided.view.overlay.typed
    return replace(
        report,
        proposals=(replace(proposal, waits_for=(how,)),),
        notes=(*report.notes, f"left to {how}: the forge merges it when it is ready"),
        hint=f"`gitops status {name}` tells how far it is; a hold that is set now does not stop it",
    )


def _landed(session: Session, forge: Forge, sent: _Ready) -> str | None:
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


def _refusal(ready: _Ready, answer: NotMerged) -> TryAgain:
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


def _finish(session: Session, ready: _Ready, commit: str, tries: int) -> WriteReport:
    """Tidy up after the merge; nothing here undoes it, so trouble becomes a warning."""
    warnings = _delete_branch(session, ready.pull.branch, ready.decided.present.commit)
    warnings += _look_again(session, ready)
    return _report(session, ready, "committed", commit, tries, warnings)


def _delete_branch(session: Session, branch: str, head: str) -> list[str]:
    try:
        if session.repository.snapshot(branch).commit != head:
            return [f"{branch} moved meanwhile: what it wants now is a proposal of its own"]
        lost = session.repository.push([RefUpdate(f"refs/heads/{branch}", head, None)])
    except NotFound:
        return []  # the forge deletes merged branches itself
    except GitopsError as error:
        return [f"{branch} was merged but not deleted: {error.message}"]
    return [] if lost is None else [f"{branch} was merged but not deleted: {lost.words}"]


def _look_again(session: Session, ready: _Ready) -> list[str]:
    """A forge merges text: say so when the outcome is not what was approved."""
    told: list[str] = []
    try:
        tip = open_tip(session)
        for one in ready.sides:
            view = view_of(session, tip, one.view.overlay)
            file, present = view.file, view.images
            told += [
                f"{file.path} does not have what was approved for {change.image}: look at it"
                for change in one.edit.changes
                if present.get(change.image) != change.after
            ]
    except GitopsError as error:
        return [*told, f"what landed could not be looked at: {error.message}"]
    return told


def _report(
    session: Session,
    ready: _Ready,
    outcome: Outcome,
    commit: str | None,
    tries: int = 0,
    warnings: list[str] | None = None,
) -> WriteReport:
    sides, present = ready.sides, ready.decided.present
    base = present.base
    state = "merged" if commit is not None else "open"
    proposal: Proposal = present.report(ready.decided.view.overlay, state, pull=ready.pull)
    holds = holds_brought(sides)
    own = [
        audit_of(text, one.view.label, who_writes(session))
        for one in sides
        for text in record_overrides(ready.override, one.passed)
    ]
    return WriteReport(
        action="approve",
        outcome=outcome,
        branch=base,
        repository=session.repository.describe(),
        commit=commit,
        commits=(Committed(base, commit),) if commit is not None else (),
        attempts=tries,
        changes=tuple(
            OverlayChange(one.view.overlay, one.edit.path, change, base)
            for one in sides
            for change in one.edit.changes
        ),
        proposals=(proposal,),
        warnings=(
            *(f"{one.edit.path}: {text}" for one in sides for text in one.edit.warnings),
            *dict.fromkeys(text for one in sides for text in one.warnings),
            *(warnings or ()),
        ),
        notes=(
            f"#{ready.pull.number} at {present.commit[:7]} by {present.author.name}",
            *dict.fromkeys(note for one in sides for note in one.notes if note not in one.warnings),
        ),
        diffs=tuple(
            FileDiff(path, one.edit.originals[path], after, base)
            for one in sides
            for path, after in one.edit.files.items()
        ),
        hold=holds[0].hold if holds else None,
        holds=holds,
        audit=(*(entry for one in sides for entry in one.audit), *own),
    )
