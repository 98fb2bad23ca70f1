"""What a call did or would do: the values that faces print (text, JSON)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

# Only annotations name these, and a deploy reports without releases and verdicts.
if TYPE_CHECKING:
    from gitops.core.argocd.reports import Live
    from gitops.core.environments.environment import Overlay
    from gitops.core.environments.freeze import FreezeHit
    from gitops.core.git.proof import Proof
    from gitops.core.git.schema import Schema
    from gitops.core.hold import Hold
    from gitops.core.kustomization.image import ImageChange, ImageValue
    from gitops.core.ledger.verdicts import CountedVerdict
    from gitops.core.releases.release import Release
    from gitops.core.releases.selection import LeftOut

Outcome = Literal["committed", "proposed", "edited", "closed", "unchanged", "planned"]


class OverlayChange(Struct, frozen=True):
    """One image of one overlay (None: a local folder), and the file that pins it.

    Attributes:
        branch: the branch that the overlay lives on; None for a local folder.
    """

    overlay: Overlay | None
    path: str
    change: ImageChange
    branch: str | None = None


class Skipped(Struct, frozen=True):
    """An overlay that automation left alone, with the reason."""

    overlay: Overlay
    reason: str


class Replaced(Struct, frozen=True):
    """The open proposal that a new head took the place of.

    Attributes:
        commit: its head.
        action: what it was made by (`promote`, …), None when it does not say.
        images: image -> the value that it wanted; of several overlays `LABEL: IMAGE` -> value.
    """

    commit: str
    action: str | None
    images: Mapping[str, ImageValue]


class Proposal(Struct, frozen=True):
    """A change waiting for approval.

    Attributes:
        branch: `gitops/ENV`.
        commit: its head.
        base: the branch that it is to be merged into.
        state: open, merged, closed.
        by, since: who proposed its head, and when; None where nobody asked.
        number, url: of the pull request; None without a forge.
        waits_for: what is still to come before it may be merged, as the forge tells it.
        replaced: what this call put it in place of, None when there was none.
        overlays: labels of all that it is about, where these are several; `overlay` is the first.
        gives_way_to: the branch of a wider proposal that took its place.
    """

    overlay: Overlay
    branch: str
    commit: str | None
    state: str = "open"
    by: str | None = None
    since: datetime | None = None
    number: int | None = None
    url: str | None = None
    base: str | None = None
    waits_for: tuple[str, ...] = ()
    replaced: Replaced | None = None
    overlays: tuple[str, ...] = ()
    gives_way_to: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all that it is about, one or several."""
        return self.overlays or (self.overlay.label,)


class Committed(Struct, frozen=True):
    """A commit that landed, and the branch that it landed on."""

    branch: str
    commit: str


class HeldOverlay(Struct, frozen=True):
    """A hold that was written, and what it holds; None: everything."""

    overlay: Overlay | None
    hold: Hold


class FileDiff(Struct, frozen=True):
    """One file before and after, for the preview of `--dry-run`; None: no such file.

    Attributes:
        branch: where it is written; None for a file on disk.
    """

    path: str
    before: bytes | None
    after: bytes | None
    branch: str | None = None


class AuditEntry(Struct, frozen=True):
    """Something that passed policy, or tried to, and that somebody answers for.

    Attributes:
        kind: `override` (somebody passed reasons that stood), `claim` (a proposal says it of
            itself, and it does not count), `bypass` (the rules let it in without an approval: a
            rollback).
        environment: label of the overlay; None when it is about the whole call.
        by: who answers for it, as far as it is known: the signer, else a name.
        reason: in their words, None when they gave none.
        passed: what was passed over.
    """

    kind: Literal["override", "claim", "bypass"]
    environment: str | None
    by: str
    reason: str | None = None
    passed: str | None = None


def audit_of(text: str, environment: str | None, by: str, *, counts: bool = True) -> AuditEntry:
    """Return the entry of an override as commits record it: `REASON (passed: …)`."""
    reason, mark, rest = text.partition(" (passed: ")
    passed = rest.removesuffix(")") if mark else None
    return AuditEntry("override" if counts else "claim", environment, by, reason, passed)


class WriteReport(Struct, frozen=True):
    """The result of every verb that writes.

    Attributes:
        branch: where it landed, or would; of several branches the first in promotion order.
        commit: the commit there (a proposal's head when nothing else was committed).
        commits: every commit that landed, one for each branch; no proposals.
        attempts: pushes tried.
        notes: what a person should know beside the warnings (which release a rollback took).
        hint: what to do next, or None.
        reached: overlays that pin what was asked for, by this write or already; no proposals.
        audit: what passed policy, or tried to.
        passed_over: releases newer than the one that a rollback restores, each with its reason.
        hold: the first of `holds`, or the one of everything.
        holds: the holds that were written, overlay by overlay.
    """

    action: str
    outcome: Outcome
    branch: str
    repository: str
    commit: str | None = None
    attempts: int = 0
    changes: tuple[OverlayChange, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    diffs: tuple[FileDiff, ...] = ()
    hold: Hold | None = None
    hint: str | None = None
    commits: tuple[Committed, ...] = ()
    reached: tuple[Overlay, ...] = ()
    passed_over: tuple[LeftOut, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    holds: tuple[HeldOverlay, ...] = ()


class NewestChange(Struct, frozen=True):
    """What is new in one overlay: its newest release, None without any, and what that changed."""

    overlay: Overlay
    release: Release | None
    changes: tuple[ImageChange, ...] = ()


class HistoryReport(Struct, frozen=True):
    """The releases of one overlay, newest first.

    Attributes:
        branch: the branch that the overlay lives on.
        more: there are older ones.
        words: commit of a release -> what counts of the words on its images: health, then QA.
        undone: commit of a rollback that was undone -> the commit that undid it.
        warnings: lines of the ledger that do not count.
    """

    overlay: Overlay
    branch: str
    releases: tuple[Release, ...]
    more: bool = False
    undone: Mapping[str, str] = {}
    words: Mapping[str, tuple[CountedVerdict, ...]] = {}
    warnings: tuple[str, ...] = ()


class OverlayStatus(Struct, frozen=True):
    """What runs in one overlay, since when, by whom, and what stands in its way.

    Attributes:
        branch: the branch that it lives on.
        images: None when the overlay cannot be read; `problem` says why.
        bot: the machine that made the newest release without gitops; None: a person, or gitops.
        words: what counts of the words on the newest release: health, then QA.
        live: what the clusters say; None where none is set up.
        schema: what the newest release did to the database's schema; None: nobody said.
        proofs: what the images of the newest release proved of where they were built from.
    """

    overlay: Overlay
    branch: str
    images: Mapping[str, ImageValue] | None
    commit: str | None = None
    time: datetime | None = None
    by: str | None = None
    hold: Hold | None = None
    freeze: FreezeHit | None = None
    proposals: tuple[Proposal, ...] = ()
    problem: str | None = None
    words: tuple[CountedVerdict, ...] = ()
    live: Live | None = None
    bot: str | None = None
    schema: Schema | None = None
    proofs: tuple[Proof, ...] = ()

    @property
    def is_failing(self) -> bool:
        """Whether it cannot be read, a counted verdict is bad, or a cluster says that it failed."""
        said = any(word.verdict in ("degraded", "qa-failed") for word in self.words)
        live = self.live.applications if self.live is not None else ()
        bad = any(one.state in ("degraded", "failed", "unrendered") for one in live)
        return said or bad or self.problem is not None


class StatusPart:
    """Overlays of `status`; `mark` is one of all that is told of them, None: more than Git tells.

    What was said under a mark may be said again.
    """

    def __init__(self, tell: Callable[[], tuple[OverlayStatus, ...]], mark: str | None) -> None:
        """`tell` is asked once, when they are wanted."""
        self._tell = tell
        self.mark = mark

    def __eq__(self, other: object) -> bool:
        """Say whether the same is told; how it is known does not matter."""
        return isinstance(other, StatusPart) and self.overlays == other.overlays

    @classmethod
    def of(cls, overlays: Iterable[OverlayStatus]) -> StatusPart:
        """Return a part of overlays that are told already."""
        told = tuple(overlays)
        return cls(lambda: told, None)

    @cached_property
    def overlays(self) -> tuple[OverlayStatus, ...]:
        """What is told of each."""
        return self._tell()


class StatusReport(Struct, frozen=True):
    """All overlays, in promotion order."""

    branch: str
    repository: str
    parts: tuple[StatusPart, ...]
    warnings: tuple[str, ...] = ()

    @property
    def overlays(self) -> tuple[OverlayStatus, ...]:
        """Those of all parts."""
        return tuple(one for part in self.parts for one in part.overlays)


class Difference(Struct, frozen=True):
    """An image that differs between two sides; None: the side does not have it.

    Attributes:
        by: the release that made it so on the right side; None where nobody asked.
        sources: the source commits of the left and the right value, as far as they are known.
        page: the address of the page with the source changes between them.
    """

    image: str
    left: ImageValue | None
    right: ImageValue | None
    by: Release | None = None
    sources: tuple[str | None, str | None] = (None, None)
    page: str | None = None


class DiffReport(Struct, frozen=True):
    """Which images differ between two sides.

    Attributes:
        names: what the sides are called: `prod`, `prod@4b1d9ab`.
        warnings: values beside the images that do not follow them now.
    """

    left: Overlay
    right: Overlay
    differences: tuple[Difference, ...] = ()
    names: tuple[str, str] = ("", "")
    warnings: tuple[str, ...] = ()


class CutBranch(Struct, frozen=True):
    """A release branch that was made (or would be) in one source repository."""

    url: str
    images: tuple[str, ...]
    branch: str
    commit: str


class CutReport(Struct, frozen=True):
    """What `release cut` did."""

    outcome: Literal["created", "planned"]
    version: str
    branches: tuple[CutBranch, ...]


class RunningImage(Struct, frozen=True):
    """An image of one overlay, and where its build came from.

    Attributes:
        commit: None when only the branch was recorded.
        words: what counts of the words on the images that the overlay pins: health, then QA.
    """

    overlay: Overlay
    image: str
    branch: str
    commit: str | None
    words: tuple[CountedVerdict, ...] = ()


class LiveBranch(Struct, frozen=True):
    """A release branch of one source repository, its head, and what of it runs where."""

    url: str
    images: tuple[str, ...]
    branch: str
    head: str
    running: tuple[RunningImage, ...] = ()


class ReleaseListReport(Struct, frozen=True):
    """Every release branch, repository by repository, the newest version first.

    Attributes:
        undone: commit of a rollback that was undone -> the commit that undid it.
        warnings: lines of the ledger that do not count.
    """

    branches: tuple[LiveBranch, ...]
    warnings: tuple[str, ...] = ()


ProblemLevel = Literal["error", "warning"]


class Problem(Struct, frozen=True):
    """One thing that is wrong.

    Attributes:
        line, column: from 1; 1:1 where the whole file, or a folder, is meant.
        level: an `error` stops gitops from working there; a `warning` is for a person to judge.
        branch: where `path` is, when it is on another branch than the one that was looked at.
    """

    path: str
    line: int
    column: int
    level: ProblemLevel
    message: str
    branch: str | None = None
