"""May this proposal be merged, as of now? Asked alike with and without a forge."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from gitops.actions.context.holds import refuse_orphaned
from gitops.actions.context.named import find_overlay
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.policy.judge import Override
from gitops.actions.proposals.find import (
    OpenProposal,
    ProposalLookup,
    check_head,
    look,
    proposal_branch,
    require_open,
    told_commits,
)
from gitops.actions.pull_requests.review import (
    BroughtHold,
    ProposalJudgement,
    hold_brought,
    judge_proposal,
    proposed_edit,
)
from gitops.core.kustomization import Edit
from gitops.core.kustomization.image import ImageChange
from gitops.core.policy.reasons import Reason
from gitops.core.releases.selection import describe
from gitops.core.report import AuditEntry, audit_of
from gitops.errors import Refused


class ApproveRequest(Struct, frozen=True):
    """What `gitops approve` was asked for.

    Attributes:
        head: the proposal's head that was looked at (hex, at least 7 digits); None: the head as
            it is when the call begins.
        override: why policy is passed over, or None.
        update: bring it up to date with its base first, where that has gone on.
    """

    environment: str
    app: str | None = None
    head: str | None = None
    override: str | None = None
    update: bool = False


class ApprovalPreview(Struct, frozen=True):
    """What a person is asked to approve.

    Attributes:
        url: of the pull request, None without a forge.
        notes: what else comes with it, one line each: commits of others, the release that it
            restores, its hold, overrides that it records.
    """

    label: str
    branch: str
    head: str
    by: str
    changes: tuple[tuple[str, ImageChange], ...]
    url: str | None = None
    notes: tuple[str, ...] = ()


class Decided(Struct, frozen=True):
    """A proposal that policy lets in.

    Attributes:
        edit: what it changes in the overlay as the tip has it.
        passed: reasons that an override of this call passes.
        judged: how it stands by itself.
        hold: the hold that comes or goes with it.
    """

    view: OverlayView
    found: ProposalLookup
    present: OpenProposal
    edit: Edit
    passed: tuple[Reason, ...]
    judged: ProposalJudgement
    hold: BroughtHold | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What comes with it beside the images, one line each."""
        found = []
        if self.judged.restored is not None:
            found.append(f"a rollback: it restores {describe(self.judged.restored)}")
        if self.judged.goes_back == "undo":
            found.append("it undoes the newest rollback")
        if self.hold is not None:
            held = self.hold.hold
            found.append(
                "it lifts the hold" if held is None else f"it brings a hold: {held.reason}"
            )
        if self.present.others:
            found.append(f"with commits beside: {told_commits(self.present.others)}")
        return (*found, *map(str, self.judged.overrides))

    @property
    def audit(self) -> tuple[AuditEntry, ...]:
        """What the proposal passes by itself, or says that it does."""
        label = self.view.label
        return tuple(
            audit_of(one.text, label, one.by, counts=one.void is None)
            for one in self.judged.overrides
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What nobody was asked about where `--yes` was given."""
        return tuple(map(str, self.judged.overrides))


class Approving(Struct):
    """One call of `approve`: what was shown at first holds for all of its tries.

    Attributes:
        confirm: shows the changes and asks; None does not ask.
        shown: the head that was asked about, None before.
        override: what `request.override` passes.
    """

    session: Session
    request: ApproveRequest
    confirm: Callable[[ApprovalPreview], bool] | None
    override: Override
    shown: str | None = None

    def look(self, tip: Tip) -> tuple[OverlayView, ProposalLookup]:
        """Find the overlay and what there is of its proposal, as of `tip`.

        Raises Refused, too, for a hold of an environment that nobody names any more.
        """
        overlay = find_overlay(tip, self.request.environment, self.request.app)
        view = view_of(self.session, tip, overlay)
        found = look(view)
        refuse_orphaned(tip.read().values(), tip.config)
        return view, found

    def decide(self, view: OverlayView, found: ProposalLookup) -> Decided:
        """Ask whether this head is the one that is meant, and policy, as of the tip.

        Raises NotFound without an open proposal, Refused when it moved, holds more than images or
        policy says no, and what the ports raise.
        """
        present = require_open(view.overlay, found)
        check_head(view.overlay, present.commit, self.shown or self.request.head)
        edit = proposed_edit(view, present)
        judged = judge_proposal(view, present, edit.changes)
        if judged.false:
            raise _no_rollback(view, judged.false)
        barred = self.override.barred(judged.reasons)
        if barred:
            raise self.override.refusal(barred)
        hold = hold_brought(view, present, judged)
        return Decided(view, found, present, edit, judged.reasons, judged, hold)

    def ask(self, decided: Decided) -> None:
        """Ask once whether this head is meant. Raises Refused when the answer is no."""
        if self.shown is not None:
            return
        present, pull = decided.present, decided.found.pull
        label = decided.view.label
        preview = ApprovalPreview(
            label,
            proposal_branch(decided.view.overlay),
            present.commit,
            present.author.name,
            tuple((label, change) for change in decided.edit.changes),
            pull.url if pull is not None else None,
            decided.notes,
        )
        if self.confirm is not None and not self.session.dry_run and not self.confirm(preview):
            raise Refused("nothing was approved", hint="--yes does not ask")
        self.shown = present.commit


def _no_rollback(view: OverlayView, why: tuple[Reason, ...]) -> Refused:
    texts = tuple(str(reason) for reason in why)
    name, branch = view.overlay.typed, proposal_branch(view.overlay)
    return Refused(
        f"{branch} says that it is a rollback, and is none: {texts[0]}",
        hint=f"`gitops rollback {name}` makes one; `gitops close {name}` drops this",
        reasons=texts,
    )
