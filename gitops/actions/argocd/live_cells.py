"""What the clusters say of all overlays, kept from look to look and moved on by what changed.

A look costs what changed since the one before: in Git (another release, another branch tip), or in
a cluster (an Application that is not the one that was seen). Nothing that decides comes from here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.argocd.at_hand import ClustersAtHand, clusters_at_hand
from gitops.actions.argocd.branch_line import BranchLine
from gitops.actions.argocd.commit_index import CommitIndex
from gitops.actions.argocd.live import live_of
from gitops.actions.argocd.overlay_paths import OverlayPaths
from gitops.actions.argocd.tracking import rollouts_of
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.actions.index.state import IndexedCell, IndexState
from gitops.core.argocd.application import Application, ApplicationRef
from gitops.core.argocd.reports import Live
from gitops.core.argocd.rollout import Rollout
from gitops.core.releases.release import Release
from gitops.errors import GitopsError
from gitops.ports import Cluster, Reading

WITHIN = 10.0
"""Seconds that one call to a cluster may take."""

_OPEN = frozenset({"unseen", "unknown", "superseded"})
"""States that another commit in Git may end, although nothing in the cluster does."""


class _Heard(Struct):
    """What one cluster said last.

    Attributes:
        reading: without its Applications; an error where it could not be read.
        seen: its Applications as they were told; another tuple whenever one may have changed.
        feeds: name of an overlay -> the Applications that may feed it.
        leads: Application -> those names.
        rollouts: Application -> where its Rollouts stood; only of those that have some.
    """

    reading: Reading | GitopsError
    seen: tuple[Application, ...] | None = None
    applications: dict[ApplicationRef, Application] = {}
    feeds: dict[str, dict[ApplicationRef, Application]] = {}
    leads: dict[ApplicationRef, frozenset[str]] = {}
    rollouts: dict[ApplicationRef, tuple[Rollout, ...]] = {}


class _Look(Struct, frozen=True):
    """What a look at Git found."""

    session: Session
    tip: Tip
    state: IndexState
    there: ClustersAtHand
    paths: OverlayPaths


class LiveCells:
    """Used by one thread.

    Attributes:
        lives: name of an overlay -> what its clusters say; none where no cluster is set up for it.
            Another mapping whenever one of them says something else. Revisions are left out.
        clusters: those that are asked.
        silent: since when and why clusters do not answer, in words.
    """

    def __init__(self) -> None:
        self.lives: Mapping[str, Live] = {}
        self._look: _Look | None = None
        self._heard: dict[Cluster, _Heard] = {}
        self._lines: dict[str, BranchLine] = {}
        self._in_force: dict[str, Mapping[str, Release]] = {}  # overlay -> commit -> its release
        self._digest = 0
        self._rests = False

    @property
    def mark(self) -> str:
        """A digest of `lives`."""
        return f"{self._digest:016x}"

    @property
    def hears(self) -> bool:
        """Whether `listen` has anything to do."""
        return bool(self._heard) and not self._rests

    def rest(self) -> None:
        """Hear nothing until the next look: the session of the last one is over."""
        self._rests = True

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """See the class."""
        return tuple(self._heard)

    @property
    def silent(self) -> tuple[str, ...]:
        """See the class."""
        return tuple(filter(None, (_trouble(one.reading) for one in self._heard.values())))

    def look(self, session: Session, state: IndexState) -> None:
        """Take in what Git says now; `session` is used until the next look.

        Raises as reading a tip does; a cluster that cannot be reached is a word in its cells.
        """
        before, tip = self._look, open_tip(session, lenient=True)
        rows = {
            cell.overlay.environment.name: cell.overlay.environment for cell in state.cells.values()
        }
        there = clusters_at_hand(session, tip, rows.values(), within=WITHIN)
        if not (any(there.clusters.values()) or there.unusable):
            self._forget_all()
            return
        go_on = [
            self._lines.setdefault(branch, BranchLine()).move(session, state.tips[branch])
            for branch in {tip.branch_of(row) for row in rows.values()} & state.tips.keys()
        ]
        if before is None or before.tip.config != tip.config or not all(go_on):
            self._in_force = {}
        paths = self._paths_of(session, tip, state)
        look = self._look = _Look(session, tip, state, there, paths)
        self._rests = False
        self._judge(look, _stale(before, look, self.lives) | self._listen(look))

    def _forget_all(self) -> None:
        """Nobody set up a cluster: there is nothing to keep."""
        self._look, self._heard, self._lines, self._digest = None, {}, {}, 0
        self._in_force = {}
        self.lives = {} if self.lives else self.lives

    def listen(self) -> None:
        """Take in what the clusters said since, and ask Git's server nothing."""
        if self._look is not None and self.hears:
            self._judge(self._look, self._listen(self._look))

    def _paths_of(self, session: Session, tip: Tip, state: IndexState) -> OverlayPaths:
        """Return where Applications lead; where that is not as it was, all are looked at anew."""
        before = self._look
        if before is not None:
            if before.state is state:
                return before.paths
            if _places(before.state) == _places(state) and not before.paths.move(tip):
                return before.paths
        self._heard = {}
        made = OverlayPaths(state.cells, session.clusters.repositories)
        made.move(tip)
        return made

    def _listen(self, look: _Look) -> set[str]:
        """Read all clusters; return the overlays about which one says something else."""
        asked = dict.fromkeys(one for some in look.there.clusters.values() for one in some)
        changed: set[str] = set()
        for cluster in [one for one in self._heard if one not in asked]:
            changed |= self._names_in(self._heard.pop(cluster))
        for cluster in asked:
            try:
                reading: Reading | GitopsError = cluster.applications()
            except GitopsError as error:
                reading = error
            changed |= self._take(look, cluster, reading)
        return changed

    def _take(self, look: _Look, cluster: Cluster, reading: Reading | GitopsError) -> set[str]:
        """Take in one reading of one cluster."""
        heard = self._heard.get(cluster)
        is_first = heard is None
        heard = self._heard.setdefault(cluster, _Heard(reading))
        before, found = heard.reading, reading
        if isinstance(reading, GitopsError):
            changed = self._names_in(heard)
            heard.seen = None
            heard.applications, heard.feeds, heard.leads, heard.rollouts = {}, {}, {}, {}
        else:
            changed = self._compare(look.paths, heard, reading.applications)
            changed |= self._compare_rollouts(heard, cluster)
            found = replace(reading, applications=())
        heard.reading = found
        if is_first or _trouble(before) != _trouble(found):
            row_names = {row for row, some in look.there.clusters.items() if cluster in some}
            cells = look.state.cells.items()
            changed |= {name for name, one in cells if one.overlay.environment.name in row_names}
        return changed

    def _compare(
        self, paths: OverlayPaths, heard: _Heard, applications: tuple[Application, ...]
    ) -> set[str]:
        """Take in all Applications of one cluster; return the overlays that one is new to."""
        changed: set[str] = set()
        if applications is heard.seen:
            return changed
        heard.seen = applications
        now = {one.ref: one for one in applications}
        for ref in heard.applications.keys() - now.keys():
            changed |= self._forget(heard, ref)
        for ref, application in now.items():
            if heard.applications.get(ref) is application:
                continue
            changed |= self._forget(heard, ref)
            leads = heard.leads[ref] = paths.of(application)
            if leads and rollouts_of(application):
                heard.rollouts.setdefault(ref, ())
            for name in leads:
                heard.feeds.setdefault(name, {})[ref] = application
            changed |= leads
        heard.applications = now
        return changed

    def _compare_rollouts(self, heard: _Heard, cluster: Cluster) -> set[str]:
        changed: set[str] = set()
        for ref, before in heard.rollouts.items():
            now = cluster.rollouts(heard.applications[ref])
            if now != before:
                heard.rollouts[ref] = now
                changed |= heard.leads[ref]
        return changed

    def _forget(self, heard: _Heard, ref: ApplicationRef) -> frozenset[str]:
        names = heard.leads.pop(ref, frozenset())
        heard.rollouts.pop(ref, None)
        for name in names:
            heard.feeds.get(name, {}).pop(ref, None)
        return names

    def _names_in(self, heard: _Heard) -> set[str]:
        return {name for names in heard.leads.values() for name in names}

    def _judge(self, look: _Look, names: Iterable[str]) -> None:
        """Say anew what the clusters say of some overlays."""
        found: dict[str, Live | None] = {}
        for name in names:
            live = self._live(look, name)
            if live != self.lives.get(name):
                found[name] = live
                self._digest ^= _digest(name, self.lives.get(name)) ^ _digest(name, live)
        if found:
            lives = {**self.lives, **{name: live for name, live in found.items() if live}}
            for name in [name for name, live in found.items() if live is None]:
                lives.pop(name, None)
            self.lives = lives

    def _live(self, look: _Look, name: str) -> Live | None:
        cell = look.state.cells.get(name)
        if cell is None:
            self._in_force.pop(name, None)
            return None
        row = cell.overlay.environment
        if row.name in look.there.unusable:
            return Live(problem=look.there.unusable[row.name])
        clusters = look.there.clusters.get(row.name, ())
        if not clusters or cell.release is None:
            return None
        readings = [(one, self._reading(self._heard[one], name)) for one in clusters]
        try:
            placing = CommitIndex(
                view_of(look.session, look.tip, cell.overlay),
                follows=False,
                newest=cell.release,
                line=self._lines.get(cell.branch),
                at=self._in_force.get(name),
            )
            found = live_of(placing, cell.release, readings, are_named=look.there.are_named)
        except GitopsError as error:
            return Live(problem=error.message)
        if found is not None:
            now = {one.revision for one in found.applications}
            known = placing.in_force.items()
            self._in_force[name] = {commit: there for commit, there in known if commit in now}
        return _without_revisions(found) if found is not None else None

    def _reading(self, heard: _Heard, name: str) -> Reading | GitopsError:
        if isinstance(heard.reading, GitopsError):
            return heard.reading
        feeds = heard.feeds.get(name, {})
        ordered = sorted(feeds.values(), key=lambda one: (one.ref.namespace, one.ref.name))
        return replace(heard.reading, applications=tuple(ordered))


def _stale(before: _Look | None, now: _Look, lives: Mapping[str, Live]) -> set[str]:
    """Return the overlays about which Git, or gitops.yaml, says something else now."""
    if before is None or before.there.unusable != now.there.unusable:
        return set(now.state.cells)
    if before.state is now.state:
        return set()
    gone = before.state.cells.keys() - now.state.cells.keys()
    cells = now.state.cells.items()
    moved = {name for name, cell in cells if before.state.cells.get(name) is not cell}
    return gone | moved | {name for name, live in lives.items() if _is_open(live)}


def _places(state: IndexState) -> Mapping[str, tuple[str, str, tuple[str, ...]]]:
    """Return what decides which Application may feed which overlay."""
    return {name: _place(cell) for name, cell in state.cells.items()}


def _place(cell: IndexedCell) -> tuple[str, str, tuple[str, ...]]:
    return cell.overlay.directory, cell.branch, cell.overlay.environment.builds


def _trouble(reading: Reading | GitopsError) -> str | None:
    return reading.message if isinstance(reading, GitopsError) else reading.silent


def _without_revisions(live: Live) -> Live:
    """Each commit of a shared repository moves all of them, and nothing that is shown."""
    return replace(
        live, applications=tuple(replace(one, revision=None) for one in live.applications)
    )


def _digest(name: str, live: Live | None) -> int:
    told = f"{name} {live!r}" if live is not None else ""
    return int.from_bytes(hashlib.sha256(told.encode("utf-8", "replace")).digest()[:8])


def _is_open(live: Live) -> bool:
    return any(one.state in _OPEN or one.release is None for one in live.applications)
