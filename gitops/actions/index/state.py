"""The index in the memory of a process that lives long: all cells, moved on by each new tip.

A state is a value: whoever shows it keeps it, and hands it back with the next session. What decides
reads Git, never a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from gitops.actions.context.holds import hold_of_all
from gitops.actions.context.overlays import overlays_of
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.actions.index.board import has_pages, read_index, read_some
from gitops.actions.index.found import FoundProposals
from gitops.actions.index.page import IndexedOverlay, IndexPage
from gitops.actions.index.waiting import IndexedProposal, may_wait, read_waiting
from gitops.actions.proposals.branches import gather_proposals
from gitops.actions.releases.history import releases_of
from gitops.core.environments.environment import Config, Environment, Overlay
from gitops.core.hold import Hold
from gitops.core.kustomization.image import ImageValue
from gitops.core.ledger.verdicts import CountedVerdict
from gitops.core.releases.held import strayed
from gitops.core.releases.release import Release
from gitops.core.report import Proposal
from gitops.errors import NotFound


class IndexedCell(Struct, frozen=True):
    """What Git and the ledger say of one overlay.

    Attributes:
        branch: the branch that it lives on.
        known: what the index has on it.
        hold: its own, its environment's, or the one of everything.
        astray: what it runs in place of what its hold restores; None: it runs that.
        waiting: what is proposed for it; None: nothing.
    """

    overlay: Overlay
    branch: str
    known: IndexedOverlay
    hold: Hold | None = None
    astray: str | None = None
    waiting: IndexedProposal | None = None

    @property
    def images(self) -> Mapping[str, ImageValue] | None:
        """What it pins; None: that cannot be read, and `problem` says why."""
        return self.known.images

    @property
    def problem(self) -> str | None:
        """Why it cannot be read."""
        return self.known.problem

    @property
    def release(self) -> Release | None:
        """The newest release: commit, time, author, subject, action, images. None: none is seen."""
        return self.known.newest

    @property
    def words(self) -> tuple[CountedVerdict, ...]:
        """What counts of the words on that release: health, then QA; each with who and when."""
        return self.known.words

    @property
    def proposal(self) -> Proposal | None:
        """The open proposal, as Git tells it; a pull request is the forge's to tell."""
        return self.waiting.proposal if self.waiting is not None else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it, sentence by sentence."""
        waits = self.waiting.notes if self.waiting is not None else ()
        said = filter(None, (self.astray, self.known.unseen))
        return (*said, *waits, *self.known.heard)


class IndexState(Struct, frozen=True, eq=False):
    """All cells, as of one tip of each branch.

    Attributes:
        config: `gitops.yaml` as it stands on `branch`; `problem`: why it is not the newest one.
        branch: the top-level branch.
        tips: branch -> commit of all that was read: the top-level branch, those of environments,
            and those of our own (the ledger, proposals).
        cells: by what messages call the overlay (`prod`, `shop/prod`), environments in promotion
            order, apps sorted.
        changed: the names of the cells that are not as they were in the earlier state, those that
            went included; all of them where there was none.
        pages: what the next one is made of.
    """

    config: Config
    branch: str
    problem: str | None
    tips: Mapping[str, str]
    cells: Mapping[str, IndexedCell]
    changed: frozenset[str]
    pages: Mapping[str, IndexPage] = {}

    @property
    def commit(self) -> str:
        """The newest commit of the top-level branch."""
        return self.tips[self.branch]


def read_state(
    session: Session, earlier: IndexState | None = None, tip: Tip | None = None
) -> IndexState:
    """Return the cells of all environments as of now; `earlier` itself where nothing moved.

    `tip`: the one that the caller has just opened. One request where nothing did; else it costs
    what landed since. Raises as `open_tip` does; whatever is wrong with one overlay, or one
    environment, stands in its cells.
    """
    tip = tip or open_tip(session, lenient=True)
    rows, lost = _with_branch(tip)
    own = session.repository.own_branches()
    tips = {name: snapshot.commit for name, snapshot in tip.read().items()} | dict(own)
    if earlier is not None and _same(earlier, tip, tips):
        return earlier
    pages = dict(earlier.pages) if earlier is not None else {}
    whole = read_index(session, tip, [row for row in rows if has_pages(row)], pages)
    others = {row: overlays_of(tip.of(row), row) for row in rows if row.name not in whole}
    some = read_some(session, tip, [one for found in others.values() for one in found])
    before = earlier.cells if earlier is not None else {}
    overlays = [Overlay(row, one.app) for row in rows for one in whole.get(row.name, ())]
    found = FoundProposals(session, tip)
    gather_proposals(session, tip, found.recall(overlays))
    cells: dict[str, IndexedCell] = {}
    for row in tip.config.environments:
        if row.name in lost:
            made: Iterable[IndexedCell] = [
                IndexedCell(Overlay(row), row.branch or "", lost[row.name])
            ]
        else:
            known = (
                [(Overlay(row, one.app), one) for one in whole[row.name]]
                if row.name in whole
                else [(one, some[one]) for one in others[row]]
            )
            made = _cells(session, tip, row, known, own, before)
        cells |= {one.overlay.label: one for one in made}
    found.keep(overlays)
    gone = before.keys() - cells.keys()
    new = {name for name, cell in cells.items() if before.get(name) != cell}
    return IndexState(
        tip.config,
        tip.snapshot.branch,
        tip.problem,
        tips,
        cells,
        frozenset(new | gone),
        {name: page for name, page in pages.items() if name in whole},
    )


def _with_branch(tip: Tip) -> tuple[list[Environment], dict[str, IndexedOverlay]]:
    """Return the environments whose branch is there, and what is wrong with the others."""
    rows, lost = [], {}
    for row in tip.config.environments:
        try:
            tip.of(row)
            rows.append(row)
        except NotFound as error:
            lost[row.name] = IndexedOverlay(None, None, error.message)
    return rows, lost


def _same(earlier: IndexState, tip: Tip, tips: Mapping[str, str]) -> bool:
    """Say whether nothing has moved. Where signatures count, keys may have run out meanwhile."""
    return (
        earlier.tips == tips
        and earlier.branch == tip.snapshot.branch
        and earlier.problem == tip.problem
        and tip.config.signers is None
    )


def _cells(
    session: Session,
    tip: Tip,
    row: Environment,
    known: Sequence[tuple[Overlay, IndexedOverlay]],
    own: Mapping[str, str],
    before: Mapping[str, IndexedCell],
) -> Iterable[IndexedCell]:
    """Yield the cells of one environment; one that is as it was stays the same value."""
    everything, branch = hold_of_all(tip.snapshot), tip.branch_of(row)
    for overlay, one in known:
        waits = may_wait(tip.config, overlay, own)
        hold = one.hold or everything
        old = before.get(overlay.label)
        if not waits and old == IndexedCell(
            overlay, branch, one, hold, old.astray if old else None
        ):
            yield old
            continue
        astray, view = one.astray, view_of(session, tip, overlay)
        if one.hold is None and everything is not None and one.images is not None:
            astray = strayed(everything, one.images, releases_of(view))
        waiting = read_waiting(view) if waits else None
        yield IndexedCell(overlay, branch, one, hold, astray, waiting)
