"""What one intent wants, as values: commits, proposals and edits, seen from one tip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitops.core.environment import Overlay
from gitops.core.hold import Hold
from gitops.core.report import OverlayChange, Proposal, Skipped


@dataclass(frozen=True, slots=True)
class Draft:
    """One commit to be.

    Attributes:
        files: path -> new bytes; None deletes.
        before: path -> present bytes of the same files, for the preview.
        merges: a commit that it merges.
    """

    files: Mapping[str, bytes | None]
    message: str
    merges: str | None = None
    before: Mapping[str, bytes | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProposalDraft:
    """A proposal branch to be, in place of `replaces` (None: it is new).

    Attributes:
        base: the branch whose tip it is made on, and which it is to be merged into.
    """

    overlay: Overlay
    branch: str
    base: str
    draft: Draft
    replaces: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one intent wants, seen from one tip. Without drafts and edits nothing is to be done.

    Attributes:
        commits: branch -> what goes to it; all of them, and the proposals, in one atomic push.
        edits: path -> content for the caller's checkout.
        waiting: proposals that already say what was asked for.
        ending: proposals whose branch goes, each from exactly its `commit`; `state` says why.
        before: path -> present content of the files in `edits`, for the preview.
    """

    action: str
    commits: Mapping[str, Draft] = field(default_factory=dict)
    proposals: tuple[ProposalDraft, ...] = ()
    edits: Mapping[str, bytes] = field(default_factory=dict)
    waiting: tuple[Proposal, ...] = ()
    ending: tuple[Proposal, ...] = ()
    before: Mapping[str, bytes | None] = field(default_factory=dict)
    changes: tuple[OverlayChange, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hold: Hold | None = None
    hint: str | None = None

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to write."""
        return not (self.commits or self.proposals or self.edits or self.ending)
