"""May this proposal be merged, as of now? Asked alike with and without a forge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field

from gitops.actions.context.holds import refuse_orphaned
from gitops.actions.context.named import Named, overlays_named
from gitops.actions.context.plan import NoOtherTry
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.targets import Target
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.images.look import Look
from gitops.actions.policy.judge import Override
from gitops.actions.proposals.branches import gather_proposals
from gitops.actions.proposals.find import (
    OpenProposal,
    ProposalLookup,
    check_head,
    look,
    require_open,
)
from gitops.actions.proposals.sides import require_whole
from gitops.actions.pull_requests.review import (
    BroughtHold,
    ProposalJudgement,
    hold_brought,
    judge_proposal,
    proposed_edit,
    told_schema,
)
from gitops.core.git.commit import Identity
from gitops.core.git.message import told_commits, told_labels
from gitops.core.kustomization import Edit
from gitops.core.kustomization.image import ImageChange, ImageRequest
from gitops.core.policy.reasons import Reason
from gitops.core.proposals.approval import uncovered
from gitops.core.releases.selection import describe
from gitops.core.report import AuditEntry, audit_of
from gitops.errors import Refused, UsageError


class ApproveRequest(Struct, frozen=True):
    """What `gitops approve` was asked for.

    Attributes:
        head: the proposal's head that was looked at (hex, at least 7 digits); None: the heads as
            they are when the call begins.
        override: why policy is passed over, or None.
        update: bring it up to date with its base first, where that has gone on.
        reviews: approve it on the forge first, as the person whose token the session has.
    """

    named: Named
    head: str | None = None
    override: str | None = None
    update: bool = False
    reviews: bool = False


class ApprovalPreview(Struct, frozen=True):
    """What a person is asked to approve.

    Attributes:
        label: the overlays.
        heads: each proposal: its branch, head, and who proposed it.
        urls: of the pull requests, () without a forge.
        notes: what else comes with it, one line each: commits of others, the release that it
            restores, its hold, overrides that it records.
        authors: of everything that would land.
    """

    label: str
    heads: tuple[str, ...]
    changes: tuple[tuple[str, ImageChange], ...]
    urls: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    authors: tuple[Identity, ...] = ()


class Decided(Struct, frozen=True):
    """A proposal that policy lets in.

    Attributes:
        edit: what it changes in the overlay as the tip has it.
        passed: reasons that an override of this call passes.
        judged: how it stands by itself.
        hold: the hold that comes or goes with it.
        looked: what a person should know of its images in their registries.
    """

    view: OverlayView
    found: ProposalLookup
    present: OpenProposal
    edit: Edit
    passed: tuple[Reason, ...]
    judged: ProposalJudgement
    hold: BroughtHold | None = None
    looked: tuple[str, ...] = ()

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
        schema = told_schema(self.present.message, self.view.overlay.labels)
        if schema is not None:
            found.append(schema)
        if self.present.others:
            found.append(f"with commits beside: {told_commits(self.present.others)}")
        return (*found, *map(str, self.judged.overrides), *self.looked)

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
        return (*map(str, self.judged.overrides), *self.looked)


Looked = tuple[OverlayView, ProposalLookup]


class Approving(Struct):
    """One call of `approve`: what was shown at first holds for all of its tries.

    Attributes:
        confirm: shows the changes and asks; None does not ask.
        shown: label of the overlay -> the head that was asked about; empty before.
        override: what `request.override` passes.
        registries: what these have been asked; None before.
    """

    session: Session
    request: ApproveRequest
    confirm: Callable[[ApprovalPreview], bool] | None
    override: Override
    shown: dict[str, str] = field(default_factory=dict)
    registries: Look | None = None

    def look(self, tip: Tip) -> list[Looked]:
        """Find the overlays and what there is of their proposals, as of `tip`.

        Of several overlays those are left out that have none; once somebody was asked, those count
        that were shown. Raises Refused, too, for a hold of an environment that nobody names any
        more.
        """
        overlays = named = overlays_named(tip, self.request.named)
        if self.shown:
            overlays = tuple(one for one in overlays if one.label in self.shown)
        gather_proposals(self.session, tip, overlays)
        found = [(view := view_of(self.session, tip, one), look(view)) for one in overlays]
        refuse_orphaned(tip.read().values(), tip.config)
        if len(found) > 1 and not self.shown:
            waiting = [one for one in found if one[1].present is not None or one[1].problem]
            found = waiting or found[:1]
        require_whole(found, named, "approve")
        if self.request.head is not None and len({lookup.branch for _, lookup in found}) > 1:
            raise UsageError("--head is of one proposal: name one environment")
        return found

    def look_at_one(self, tip: Tip) -> Looked:
        """Return what `look` finds where only one proposal can be meant. Raises UsageError."""
        found = self.look(tip)
        if len(found) > 1:
            raise UsageError("--update is of one overlay's proposal: name one environment")
        return found[0]

    def decide(self, found: Sequence[Looked]) -> list[Decided]:
        """Ask whether these heads are those that are meant, and policy, as of the tip.

        Raises NotFound without an open proposal, Refused when one moved, holds more than images or
        policy says no to any, and what the ports raise.
        """
        decided = [self._decide(view, lookup) for view, lookup in found]
        barred = self.override.barred(reason for one in decided for reason in one.passed)
        if barred:
            raise self.override.refusal(barred)
        return decided

    def _decide(self, view: OverlayView, found: ProposalLookup) -> Decided:
        present = require_open(view.overlay, found)
        check_head(present.branch, present.commit, self.shown.get(view.label) or self.request.head)
        edit = proposed_edit(view, present)
        judged = judge_proposal(view, present, edit.changes, prove=True)
        if judged.false:
            raise _no_rollback(view, present.branch, judged.false)
        hold = hold_brought(view, present, judged)
        missing, told = self._images(view, edit, is_way_back=judged.goes_back is not None)
        missing = uncovered(missing, judged.counting)
        passed = (*judged.reasons, *missing)
        return Decided(view, found, present, edit, passed, judged, hold, told)

    def _images(
        self, view: OverlayView, edit: Edit, *, is_way_back: bool
    ) -> tuple[tuple[Reason, ...], tuple[str, ...]]:
        """Look at the images that would go in: what is against them, and what is told of them.

        Nothing is against those that go back.
        """
        self.registries = self.registries or Look(self.session)
        requests = tuple(ImageRequest.exactly(one.image, one.after) for one in edit.changes)
        target = Target(view, requests)
        if is_way_back:
            return (), self.registries.restored([target])
        try:
            seen = self.registries.at(view.tip, [target], carried=True)
        except NoOtherTry as ended:
            raise ended.error from None  # a registry that must answer does not
        return (seen.reasons[view.label], seen.warnings) if seen is not None else ((), ())

    def ask(self, decided: Sequence[Decided]) -> None:
        """Ask once whether these heads are meant. Raises Refused when the answer is no."""
        if self.shown:
            return
        preview = ApprovalPreview(
            told_labels([one.view.label for one in decided]),
            tuple(dict.fromkeys(_head_told(one) for one in decided)),
            tuple((one.view.label, change) for one in decided for change in one.edit.changes),
            tuple(
                dict.fromkeys(one.found.pull.url for one in decided if one.found.pull is not None)
            ),
            tuple(note for one in decided for note in one.notes),
            tuple(dict.fromkeys(who for one in decided for who in one.present.authors)),
        )
        if self.confirm is not None and not self.session.dry_run and not self.confirm(preview):
            raise Refused("nothing was approved", hint="--yes does not ask")
        self.shown = {one.view.label: one.present.commit for one in decided}


def _head_told(decided: Decided) -> str:
    present = decided.present
    return f"{present.branch} at {present.commit[:7]}, proposed by {present.author.name}"


def _no_rollback(view: OverlayView, branch: str, why: tuple[Reason, ...]) -> Refused:
    texts = tuple(str(reason) for reason in why)
    name = view.overlay.typed
    return Refused(
        f"{branch} says that it is a rollback, and is none: {texts[0]}",
        hint=f"`gitops rollback {name}` makes one; `gitops close {name}` drops this",
        reasons=texts,
    )
