"""What one intent wants, as values: commits, proposals and edits, seen from one tip."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gitops.core.environments.environment import Overlay
from gitops.core.hold import Hold
from gitops.core.report import AuditEntry, HeldOverlay, OverlayChange, Proposal, Replaced, Skipped

if TYPE_CHECKING:
    from gitops.core.releases.selection import LeftOut
    from gitops.errors import GitopsError


class NoOtherTry(Exception):
    """What ends a write whatever its error says: no other try on the newest tip mends it.

    A plan raises it for trouble outside of the repository, `before_write` is made to.
    """

    def __init__(self, error: GitopsError) -> None:
        super().__init__(error.message)
        self.error = error


class Draft(Struct, frozen=True):
    """One commit to be.

    Attributes:
        files: path -> new bytes; None deletes.
        before: path -> present bytes of the same files, for the preview.
        merges: the commits that it merges.
    """

    files: Mapping[str, bytes | None]
    message: str
    merges: tuple[str, ...] = ()
    before: Mapping[str, bytes | None] = {}


class ProposalDraft(Struct, frozen=True):
    """A proposal branch to be, in place of `replaces` (None: it is new).

    Attributes:
        base: the branch whose tip it is made on, and which it is to be merged into.
        replaced: what was open there; None when nothing was, whatever stands on the branch.
        onto: the head that it is put on top of, so that what others put there stays; None: it is
            made on the tip of `base`.
        overlays: all that it is about, where these are several; `overlay` is the first.
        update: it merges the tip of `base` into `onto`, and has the files of the base beside its
            own.
    """

    overlay: Overlay
    branch: str
    base: str
    draft: Draft
    replaces: str | None
    replaced: Replaced | None = None
    onto: str | None = None
    update: bool = False
    overlays: tuple[Overlay, ...] = ()


class Plan(Struct, frozen=True):
    """What one intent wants, seen from one tip. Without drafts and edits nothing is to be done.

    Attributes:
        commits: branch -> what goes to it; all of them, and the proposals, in one atomic push.
        edits: path -> content for the caller's checkout.
        waiting: proposals that already say what was asked for.
        ending: proposals whose branch goes, each from exactly its `commit`; `state` says why.
        before: path -> present content of the files in `edits`, for the preview.
        passed_over: what a rollback passes over, with the reasons.
        judged: policy was asked. What it was read from must still be so when the commits land.
        reached: overlays that pin what was asked for, by this plan or already; no proposals.
        audit: what passed policy, or tried to, beside the overrides that the commits record.
        result: what whoever made the plan wants to know of it once it is carried out.
        looked: registries were asked about its images, with the credentials of this call.
        hold: what reports show of the hold; holds: all that are written, overlay by overlay.
    """

    action: str
    commits: Mapping[str, Draft] = {}
    proposals: tuple[ProposalDraft, ...] = ()
    edits: Mapping[str, bytes] = {}
    waiting: tuple[Proposal, ...] = ()
    ending: tuple[Proposal, ...] = ()
    before: Mapping[str, bytes | None] = {}
    changes: tuple[OverlayChange, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hold: Hold | None = None
    hint: str | None = None
    passed_over: tuple[LeftOut, ...] = ()
    judged: bool = False
    looked: bool = False
    reached: tuple[Overlay, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    result: object = None
    holds: tuple[HeldOverlay, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to write."""
        return not (self.commits or self.proposals or self.edits or self.ending)

    @property
    def targets(self) -> tuple[str, ...]:
        """The branches that it changes, now or once a proposal is merged."""
        return (*self.commits, *(draft.base for draft in self.proposals))

    @property
    def touched(self) -> Mapping[Overlay, Collection[str]]:
        """Every overlay that it writes, holds, proposes for or reaches; the images that change."""
        found: dict[Overlay, dict[str, None]] = {one: {} for one in self.reached}
        for draft in self.proposals:
            found |= {one: {} for one in (draft.overlay, *draft.overlays)}
        found |= {held.overlay: {} for held in self.holds if held.overlay is not None}
        for change in self.changes:
            if change.overlay is not None:
                found.setdefault(change.overlay, {})[change.change.image] = None
        return found

    @property
    def parts(self) -> tuple[str | None, ...]:
        """What can be written apart: the branches of commits and proposals, None for `edits`."""
        branches = [*self.commits, *(draft.branch for draft in self.proposals)]
        return (*branches, *([None] if self.edits else []))

    def only(self, part: str | None) -> Plan:
        """Return what goes to one of `parts`; the proposals that end are left out."""
        homes = {
            overlay: draft.branch
            for draft in self.proposals
            for overlay in (draft.overlay, *draft.overlays)
        }

        def place(change: OverlayChange) -> str | None:
            overlay = change.overlay
            if overlay is None or overlay.environment.change == "work-tree":
                return None
            return homes.get(overlay, change.branch)

        return replace(
            self,
            commits={branch: draft for branch, draft in self.commits.items() if branch == part},
            proposals=tuple(draft for draft in self.proposals if draft.branch == part),
            edits=self.edits if part is None else {},
            changes=tuple(change for change in self.changes if place(change) == part),
            ending=(),
        )
