"""Put every edit where its environment takes changes: commit, proposal or checkout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from gitops.actions.context.plan import Draft, Plan
from gitops.actions.context.targets import Target
from gitops.core.git.message import ChangeLine
from gitops.core.kustomization import Edit
from gitops.core.policy.reasons import Reason
from gitops.core.report import OverlayChange

if TYPE_CHECKING:
    from gitops.actions.proposals.wanted import DraftedProposals


class Edited(Struct, frozen=True):
    """One overlay with the edit that is wanted there.

    Attributes:
        reasons: why policy keeps it out, () when it does not.
    """

    target: Target
    edit: Edit
    reasons: tuple[Reason, ...] = ()

    @property
    def label(self) -> str:
        """What messages call the overlay."""
        return self.target.view.label

    @property
    def lines(self) -> tuple[ChangeLine, ...]:
        """Its changes as the body of a message tells them."""
        return tuple(ChangeLine(self.label, change) for change in self.edit.changes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the edit has to say, each with its place."""
        return self.edit.warnings


def assemble(
    action: str,
    entries: Sequence[Edited],
    *,
    render: Callable[[Sequence[str], Sequence[ChangeLine]], str],
    add: bool = False,
    refresh: bool = False,
) -> Plan:
    """Return the plan that writes `entries`: a commit for each branch, a proposal for each overlay,
    edits of a checkout. It reaches what is committed; what is proposed waits for approval.

    `render` makes the message of a commit from the labels of its overlays and their changes.
    """
    by_mode: dict[str, list[Edited]] = {"commit": [], "pull-request": [], "work-tree": []}
    for entry in entries:
        by_mode[entry.target.view.row.change].append(entry)
    by_branch: dict[str, list[Edited]] = {}
    for entry in by_mode["commit"]:
        by_branch.setdefault(entry.target.view.branch, []).append(entry)
    proposed = _propose(by_mode["pull-request"], render, add=add, refresh=refresh)
    waiting = proposed.waiting if proposed is not None else ()
    open_already = {label for one in waiting for label in one.labels}
    return Plan(
        action=action,
        commits={branch: _draft(found, render) for branch, found in by_branch.items()},
        proposals=proposed.drafts if proposed is not None else (),
        waiting=waiting,
        ending=proposed.ending if proposed is not None else (),
        edits=_files(by_mode["work-tree"]),
        before=_originals(by_mode["work-tree"]),
        changes=tuple(
            OverlayChange(
                entry.target.view.overlay,
                entry.edit.path,
                change,
                entry.target.view.branch,
            )
            for entry in entries
            if entry.label not in open_already
            for change in entry.edit.changes
        ),
        notes=proposed.notes if proposed is not None else (),
        warnings=proposed.warnings if proposed is not None else (),
        judged=True,
        reached=tuple(entry.target.view.overlay for entry in by_mode["commit"]),
    )


def _propose(
    entries: Sequence[Edited],
    render: Callable[[Sequence[str], Sequence[ChangeLine]], str],
    *,
    add: bool,
    refresh: bool,
) -> DraftedProposals | None:
    if not entries:
        return None

    # Most calls propose nothing.
    from gitops.actions.proposals.draft import propose
    from gitops.actions.proposals.wanted import ProposalRequest

    return propose(
        [ProposalRequest(entry.target.view, entry.target.requests) for entry in entries],
        render=lambda changed: render(
            [overlay.label for overlay, _ in changed],
            [ChangeLine(one.label, change) for one, changes in changed for change in changes],
        ),
        add=add,
        refresh=refresh,
    )


def _draft(
    entries: Sequence[Edited], render: Callable[[Sequence[str], Sequence[ChangeLine]], str]
) -> Draft:
    """Return the one commit that a branch gets."""
    return Draft(
        _files(entries),
        render(
            [entry.label for entry in entries], [line for entry in entries for line in entry.lines]
        ),
        before=_originals(entries),
    )


def _files(entries: Sequence[Edited]) -> dict[str, bytes]:
    return {path: content for entry in entries for path, content in entry.edit.files.items()}


def _originals(entries: Sequence[Edited]) -> dict[str, bytes]:
    return {path: content for entry in entries for path, content in entry.edit.originals.items()}
