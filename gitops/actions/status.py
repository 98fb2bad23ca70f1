"""`gitops status`: what is where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gitops.actions.argocd.at_hand import clusters_at_hand
from gitops.actions.context.holds import hold_of_all
from gitops.actions.context.named import (
    Named,
    NamedRow,
    overlays_in_row,
    require_apps,
    rows_named,
)
from gitops.actions.context.overlays import overlays_of
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.index.board import has_pages, read_pages, read_some
from gitops.actions.index.page import IndexedOverlay, IndexPage
from gitops.actions.index.waiting import may_wait
from gitops.actions.proposals.branches import gather_proposals
from gitops.actions.releases.history import releases_of
from gitops.core.environments.environment import Environment, Overlay, asks_for_approval
from gitops.core.ledger import LEDGER_BRANCH
from gitops.core.releases.bots import bot_of
from gitops.core.releases.held import strayed
from gitops.core.report import OverlayStatus, Proposal, StatusPart, StatusReport
from gitops.errors import NotFound

if TYPE_CHECKING:
    from gitops.actions.argocd.live import LiveView
    from gitops.core.environments.freeze import FreezeHit
    from gitops.core.releases.release import Release

WITHIN = 3.0
"""Seconds that one question to a cluster may take, and that `status` waits for all of them."""


def status(
    session: Session,
    environments: Sequence[str] = (),
    *,
    apps: tuple[str, ...] = (),
    failing: bool = False,
) -> StatusReport:
    """Return what each environment (all, or the named ones) pins, since when and by whom.

    `environments` may be groups and `APP/ENV`, too; `apps` are those that are shown, () for all.

    `failing` leaves out what nothing bad is known of.
    """
    tip = open_tip(session, lenient=True)
    named = rows_named(tip.config, Named(tuple(environments), apps)) or tuple(
        NamedRow(row, apps if row.per_app else (), alone=False) for row in tip.config.environments
    )
    warnings: list[str] = [tip.problem] if tip.problem is not None else []
    view = _live(session, tip, tuple(dict.fromkeys(one.row for one in named)))
    # Git first, all of it: meanwhile the clusters answer.
    found = _known(session, tip, named, apps)
    told = _Told(session, tip, warnings)
    if view is None and not failing and not tip.config.sources:
        parts = told.parts(found)
    else:
        known = [each for one in found for each in one.known()]
        entries = _with_live(told.all(known), known, view)
        warnings += _kept_out(session, tip, entries)
        parts = [StatusPart.of(one for one in entries if one.is_failing or not failing)]
    return StatusReport(
        branch=tip.snapshot.branch,
        repository=session.repository.describe(),
        parts=tuple(parts),
        warnings=tuple(warnings),
    )


def _with_live(
    entries: list[OverlayStatus],
    known: Sequence[tuple[Overlay, IndexedOverlay | str]],
    view: LiveView | None,
) -> list[OverlayStatus]:
    """Add what the clusters say; None: there are none."""
    if view is None:
        return entries
    return [
        replace(entry, live=live)
        if (live := view.of(entry.overlay, _newest(one))) is not None
        else entry
        for entry, (_, one) in zip(entries, known, strict=True)
    ]


def _newest(known: IndexedOverlay | str) -> Release | None:
    return known.newest if isinstance(known, IndexedOverlay) else None


def _live(session: Session, tip: Tip, rows: Sequence[Environment]) -> LiveView | None:
    """Begin to ask the clusters; None where there are none."""
    there = clusters_at_hand(session, tip, rows, within=WITHIN)
    if not any(there.clusters.values()) and not there.unusable:
        return None
    from gitops.actions.argocd.live import LiveView  # what a cluster says takes time to load

    return LiveView(session, tip, there)


class _Found:
    """What is known of the overlays of one environment.

    Attributes:
        page: all of them, as the index has them; None: they are in `some`, by their apps.
    """

    def __init__(self, row: Environment) -> None:
        self.row = row
        self.page: IndexPage | None = None
        self.some: dict[str | None, tuple[Overlay, IndexedOverlay | str]] = {}

    def known(self) -> Sequence[tuple[Overlay, IndexedOverlay | str]]:
        """Return each overlay with what is known of it, or why its environment has no branch."""
        if self.page is None:
            return [*self.some.values()]
        return [(Overlay(self.row, one.app), one) for one in self.page.overlays]


def _known(
    session: Session, tip: Tip, named: Sequence[NamedRow], apps: tuple[str, ...]
) -> Sequence[_Found]:
    """Return what is known of each environment that is named."""
    lost: dict[str, str] = {}
    for one in named:
        try:
            tip.of(one.row)
        except NotFound as error:
            lost[one.row.name] = error.message
    there = [one for one in named if one.row.name not in lost]
    whole = read_pages(
        session, tip, [one.row for one in there if not one.apps and has_pages(one.row)]
    )
    some = {
        one: list(overlays_in_row(tip, one) if one.apps else overlays_of(tip.of(one.row), one.row))
        for one in there
        if one.row.name not in whole or one.apps
    }
    # By names, not by overlays: there may be thousands, each as large to compare as its row.
    found: dict[str, _Found] = {}
    read = read_some(session, tip, list(dict.fromkeys(chain.from_iterable(some.values()))))
    for one in named:
        of_row = found.setdefault(one.row.name, _Found(one.row))
        if one.row.name in whole:
            of_row.page = whole[one.row.name]
        elif one.row.name in lost:
            of_row.some[None] = (Overlay(one.row), lost[one.row.name])
        else:
            of_row.some |= {each.app: (each, read[each]) for each in some[one]}
    if apps or any(one.apps for one in named):
        overlays = [overlay for one in found.values() for overlay, _ in one.known()]
        require_apps(named, apps, overlays)
    return list(found.values())


def _kept_out(session: Session, tip: Tip, found: Sequence[OverlayStatus]) -> Iterator[str]:
    """Say where a newer release branch of a source repository keeps builds out."""
    if not tip.config.sources:
        return
    from gitops.actions.policy.builds import FollowWatch

    heads = session.sources.heads if session.sources is not None else None
    watch = FollowWatch(tip.config, heads)
    for known in found:
        if known.images:
            view = view_of(session, tip, known.overlay)
            said = watch.warnings(view.row, known.images, partial(releases_of, view))
            yield from (f"{view.label}: {text}" for text in said)


class _Told:
    """What is told of each overlay: most need nothing but what the index has on them."""

    def __init__(self, session: Session, tip: Tip, warnings: list[str]) -> None:
        self._session = session
        self._tip = tip
        self._warnings = warnings
        self._everything = hold_of_all(tip.snapshot)
        self._asks_more = self._everything is not None or bool(tip.config.also)
        self._rows: dict[str, tuple[str, FreezeHit | None, bool]] = {}
        self._listed: Mapping[str, str] | None = None

    def parts(self, found: Sequence[_Found]) -> list[StatusPart]:
        """Return what is told of the overlays of each environment."""
        marks = {one.row.name: self._mark(one) for one in found}
        asked = {one.row.name: one.known() for one in found if marks[one.row.name] is None}
        entries = iter(self.all([each for known in asked.values() for each in known]))
        of_rows = {name: [*islice(entries, len(known))] for name, known in asked.items()}
        return [
            StatusPart.of(of_rows[one.row.name])
            if one.row.name in asked
            else StatusPart(partial(self._page, one), marks[one.row.name])
            for one in found
        ]

    def all(self, known: Sequence[tuple[Overlay, IndexedOverlay | str]]) -> list[OverlayStatus]:
        """Return what is told of many overlays, whose proposals are read at once."""
        overlays = [
            overlay
            for overlay, one in known
            if isinstance(one, IndexedOverlay) and self._row(overlay.environment)[2]
        ]
        if not overlays or not self._own().keys() - {LEDGER_BRANCH}:
            return [self.status(*one) for one in known]
        from gitops.actions.index.found import FoundProposals  # only for what is proposed

        found = FoundProposals(self._session, self._tip, more=True)
        gather_proposals(self._session, self._tip, found.recall(overlays))
        entries = [self.status(*one) for one in known]
        found.keep(overlays)
        return entries

    def _page(self, found: _Found) -> tuple[OverlayStatus, ...]:
        return tuple([self.status(*one) for one in found.known()])

    def _mark(self, found: _Found) -> str | None:
        """Return a mark of all that is told of an environment, where its page has all of it."""
        if found.page is None or found.page.mark is None or self._asks_more:
            return None
        branch, freeze, proposes = self._row(found.row)
        if freeze is not None or (proposes and self._own().keys() - {LEDGER_BRANCH}):
            return None
        return f"{found.page.mark} {branch}:{found.row.name}"

    def status(self, overlay: Overlay, known: IndexedOverlay | str) -> OverlayStatus:
        """Return what is known of an overlay and of its proposal."""
        row = overlay.environment
        if isinstance(known, str):
            return OverlayStatus(overlay, self._tip.branch_of(row), None, problem=known)
        branch, freeze, proposes = self._rows.get(row.name) or self._row(row)
        images, newest, hold = known.images, known.release, known.hold or self._everything
        if images is None:
            return OverlayStatus(
                overlay, branch, None, hold=hold, freeze=freeze, problem=known.problem
            )
        if self._asks_more or known.astray is not None or known.unseen is not None:
            self._warn(overlay, known)
        proposals: tuple[Proposal, ...] = ()
        if proposes and may_wait(self._tip.config, overlay, self._own()):
            proposals = _proposals(view_of(self._session, self._tip, overlay), self._warnings)
        if known.heard:
            self._warnings += known.heard
        if newest is None:
            return OverlayStatus(
                *(overlay, branch, images),
                words=known.words,
                hold=hold,
                freeze=freeze,
                proposals=proposals,
            )
        return OverlayStatus(
            overlay,
            branch,
            images,
            words=known.words,
            commit=newest.commit,
            time=newest.time,
            by=newest.author.name,
            bot=bot_of(newest) if newest.action is None else None,
            schema=newest.schema,
            proofs=newest.proofs,
            hold=hold,
            freeze=freeze,
            proposals=proposals,
        )

    def _warn(self, overlay: Overlay, known: IndexedOverlay) -> None:
        """Tell what is not as it should be."""
        astray = known.astray
        if known.hold is None and self._everything is not None and known.images is not None:
            view = view_of(self._session, self._tip, overlay)
            astray = strayed(self._everything, known.images, releases_of(view))
        if self._tip.config.also:
            view = view_of(self._session, self._tip, overlay)
            self._warnings += (f"{view.label}: {one}" for one in view.stragglers())
        said = filter(None, (astray, known.unseen))
        self._warnings += (f"{overlay.label}: {one}" for one in said)

    def _row(self, row: Environment) -> tuple[str, FreezeHit | None, bool]:
        """Return branch and freeze of an environment, and whether something may wait for it."""
        if row.name not in self._rows:
            freeze = None
            if self._tip.config.freezes:
                from gitops.core.environments.freeze import closed  # time zones, only with windows

                freeze = closed(self._tip.config.freezes, row.name, self._session.clock.now())
            self._rows[row.name] = (self._tip.branch_of(row), freeze, asks_for_approval(row))
        return self._rows[row.name]

    def _own(self) -> Mapping[str, str]:
        """Return the branches of our own; listed once."""
        if self._listed is None:
            self._listed = self._session.repository.own_branches()
        return self._listed


def _proposals(view: OverlayView, warnings: list[str]) -> tuple[Proposal, ...]:
    from gitops.actions.pull_requests.waiting import read_waiting_proposal  # for what is proposed

    found = read_waiting_proposal(view)
    warnings += found.warnings
    return (found.proposal,) if found.proposal is not None else ()
