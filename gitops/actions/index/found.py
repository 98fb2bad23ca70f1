"""What was found of proposals, kept for the next call: no branch that stayed is fetched again.

What a branch proposes hangs on its own head, on `gitops.yaml`, and of its base on no more than the
overlay's folder, the paths that the branch changes, and which of its commits the base has. So what
was found holds until something lands there. Like the pages it is a copy for whoever looks; what
decides reads Git.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gitops import __version__
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.index.moved import touched_apps
from gitops.actions.proposals.ahead import ahead_on
from gitops.actions.proposals.branches import proposal_branch, wide_branches
from gitops.actions.proposals.find import MORE, OpenProposal, ProposalLookup
from gitops.core.environments.environment import (
    CONFIG_PATH,
    Environment,
    Overlay,
    asks_for_approval,
)
from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.kustomization.image import ImageValue
from gitops.errors import TooLarge

_LARGEST = 1 << 24  # bytes of a page
_COMMITS, _PATHS = 50, 5000  # of one branch, beyond which nothing is kept of it
_PAGE, _NOTE = "found on ", "found until "  # begin names of pages: those of others have a colon


class _KeptSide(Struct, frozen=True, array_like=True):
    """What a branch is for one overlay; commits by their places in `_KeptBranch.infos`.

    Attributes:
        present: without its commits; `own` has them: all, the one that proposed it, updates.
        more: what it changes beside images; None: nothing, or nobody looked.
    """

    label: str
    directory: str
    commits: tuple[int, ...]
    problem: str | None
    present: OpenProposal | None
    own: tuple[tuple[int, ...], int, tuple[int, ...]]
    more: str | None


class _KeptBranch(Struct, frozen=True, array_like=True):
    """What is known of one branch.

    Attributes:
        rows: the environments that it may be about, where it has not the name of one overlay.
        infos: what it has over its base.
        changed: the paths that it changes.
        looked: somebody looked for what it changes beside images.
    """

    branch: str
    head: str
    rows: tuple[str, ...]
    infos: tuple[CommitInfo, ...]
    changed: tuple[str, ...]
    sides: tuple[_KeptSide, ...]
    looked: bool


class _Page(Struct, frozen=True, array_like=True):
    """All that is kept of proposals to one branch. `policy`: which `gitops.yaml` it is from."""

    form: str
    policy: str
    home: str
    branches: tuple[_KeptBranch, ...]


_SHAPES = [
    one.__struct_fields__
    for one in (_Page, _KeptBranch, _KeptSide, OpenProposal, CommitInfo, Identity, ImageValue)
]
_FORM = f"gitops-found 1 {__version__} {hashlib.sha256(repr(_SHAPES).encode()).hexdigest()[:12]}"
_NOBODY = CommitInfo("", (), Identity("", ""), None, "")


class FoundProposals:
    """What is known of the proposals of one call.

    Args:
        more: what they change beside images is wanted, too.
    """

    def __init__(self, session: Session, tip: Tip, *, more: bool = False) -> None:
        self._session = session
        self._tip = tip
        self._more = more
        self._own: Mapping[str, str] | None = None
        self._policy = tip.snapshot.mark(CONFIG_PATH) if tip.problem is None else None
        self._pages: dict[str, tuple[bytes, _Page]] = {}
        self._known: dict[str, dict[str, _KeptBranch]] = {}
        self._sides: dict[str, dict[str, _KeptSide]] = {}
        self._recalled: set[tuple[str, str]] = set()

    def recall(self, overlays: Iterable[Overlay]) -> list[Overlay]:
        """Take what an earlier call found of overlays; return those that must be looked at."""
        asking = [one for one in overlays if asks_for_approval(one.environment)]
        if self._session.index is None or not self._policy or not asking:
            return asking
        self._own = self._session.repository.own_branches()
        rest = []
        for overlay in asking:
            known = self._on(self._tip.branch_of(overlay.environment))
            names = self._names(overlay)
            missing = [one for one in names if not self._take(overlay, known.get(one))]
            rest += [overlay] if missing else []
        return rest

    def keep(self, overlays: Iterable[Overlay]) -> None:
        """Keep what is known of overlays, and what still holds of others."""
        fresh: dict[str, dict[str, list[OverlayView]]] = {}
        for overlay in overlays if self._own is not None else ():
            if not asks_for_approval(overlay.environment):
                continue
            for name in self._names(overlay):
                view = view_of(self._session, self._tip, overlay)
                if name in view.notes:
                    fresh.setdefault(view.branch, {}).setdefault(name, []).append(view)
        for base in {*fresh, *self._known}:
            self._keep(base, fresh.get(base, {}))

    def _names(self, overlay: Overlay) -> list[str]:
        names = (proposal_branch(overlay), *wide_branches(self._tip.config, overlay))
        return [name for name in names if name in (self._own or ())]

    def _on(self, base: str) -> dict[str, _KeptBranch]:
        """Return what is kept of proposals to a branch, and still holds."""
        if base not in self._known:
            self._known[base] = {}
            index = self._session.index
            content = index.page(_PAGE + base) if index is not None else None
            if content is not None and (page := _parse(content)) and page.policy == self._policy:
                self._pages[base] = content, page
                self._known[base] = self._holding(base, content, page)
        return self._known[base]

    def _holding(self, base: str, content: bytes, page: _Page) -> dict[str, _KeptBranch]:
        home, since = self._tip.at(base).commit, page.home
        index = self._session.index
        note = index.page(_NOTE + base) if index is not None else None
        with suppress(msgspec.MsgspecError):
            about, until = msgspec.msgpack.decode(note or b"", type=tuple[str, str])
            since = until if about == _digest(content) else since
        own = self._own or {}
        there = [one for one in page.branches if own.get(one.branch) == one.head]
        if home == since or not there:
            return {one.branch: one for one in there}
        landed = self._session.evidence.landed(home, since)
        if landed is None:
            return {}
        commits = {one.commit for one in landed.commits}
        if any(one.merge for one in landed.commits):
            commits |= {one.commit for one in self._session.evidence.over(home, since)}
        paths = {path for one in landed.commits for path in one.paths}
        moved = _Moved(commits, paths, {row.name: row for row in self._tip.config.environments})
        return {one.branch: one for one in there if not moved.touches(one)}

    def _take(self, overlay: Overlay, kept: _KeptBranch | None) -> bool:
        """Note what a branch is for an overlay; False: that is not known."""
        if kept is None or (self._more and not kept.looked):
            return False
        if kept.branch not in self._sides:
            self._sides[kept.branch] = {one.label: one for one in kept.sides}
        side = self._sides[kept.branch].get(overlay.label)
        if side is None or side.directory != overlay.directory:
            return False
        view = view_of(self._session, self._tip, overlay)
        view.notes[kept.branch] = _lookup(kept, side, view.home.commit)
        if kept.looked:
            view.notes[MORE + kept.branch] = side.more
        self._recalled.add((kept.branch, overlay.label))
        return True

    def _keep(self, base: str, fresh: Mapping[str, Sequence[OverlayView]]) -> None:
        index, home = self._session.index, self._tip.at(base).commit
        if index is None:
            return
        known = dict(self._known.get(base, {}))
        for name, views in fresh.items():
            if all((name, view.label) in self._recalled for view in views):
                continue
            if (made := self._made(name, views, known.pop(name, None))) is not None:
                known[name] = made
        branches = tuple(known[name] for name in sorted(known))
        content, page = self._pages.get(base, (b"", None))
        if (page.branches if page is not None else ()) != branches:
            content = _render(_Page(_FORM, self._policy or "", home, branches))
            index.keep(_PAGE + base, content)
        note = msgspec.msgpack.encode((_digest(content), home))
        if content and note != index.page(_NOTE + base):
            index.keep(_NOTE + base, note)

    def _made(
        self, name: str, views: Sequence[OverlayView], before: _KeptBranch | None
    ) -> _KeptBranch | None:
        """Return what is to be kept of a branch; None: nothing. `before` holds, too."""
        head = (self._own or {}).get(name)
        try:
            ahead = ahead_on(views[0], name)
        except TooLarge:
            return None
        if ahead is None or ahead.head.commit != head or len(ahead.infos) > _COMMITS:
            return None
        changed = ahead.changed if ahead.infos and ahead.problem is None else ()
        rows: tuple[str, ...] = ()
        if ahead.covered is not None:
            covered = {one.environment.name: one.environment for one in ahead.covered.overlays}
            if not covered or any(
                row.others or self._tip.branch_of(row) != views[0].branch
                for row in covered.values()
            ):
                return None
            rows = tuple(covered)
        labels = {view.label for view in views}
        others = [one for one in before.sides if one.label not in labels] if before else []
        sides = [*(_side(view, name, ahead.infos) for view in views), *others]
        looked = all(MORE + name in view.notes for view in views if _is_open(view, name))
        looked = looked and (before is None or before.looked or not others)
        made = _KeptBranch(name, head, rows, ahead.infos, changed, tuple(sides), looked)
        with suppress(UnicodeEncodeError):  # names that are no text
            fits = len(changed) <= _PATHS and len(msgspec.msgpack.encode(made)) < _LARGEST >> 3
            return made if fits else None
        return None


class _Moved:
    """What landed on a base since something was kept."""

    def __init__(
        self, commits: Collection[str], paths: Collection[str], rows: Mapping[str, Environment]
    ) -> None:
        self._commits = frozenset(commits)
        self._paths = frozenset(paths)
        self._places = {"", *paths}
        for path in paths:
            while path := path.rpartition("/")[0]:
                self._places.add(path)
        self._rows = {name for name, row in rows.items() if touched_apps(row, paths)}

    def touches(self, one: _KeptBranch) -> bool:
        """Say whether what is known of a branch may not hold any more."""
        return (
            not self._paths.isdisjoint(one.changed)
            or not self._rows.isdisjoint(one.rows)
            or any(info.commit in self._commits for info in one.infos)
            or any(side.directory in self._places for side in one.sides)
        )


def _side(view: OverlayView, name: str, infos: Sequence[CommitInfo]) -> _KeptSide:
    """Return what a branch is for one overlay, as it is kept."""
    places = {info.commit: place for place, info in enumerate(infos)}
    found = view.notes[name]
    if not isinstance(found, ProposalLookup):
        raise TypeError(name)
    own: tuple[tuple[int, ...], int, tuple[int, ...]] = ((), 0, ())
    present = found.present
    if present is not None:
        commits, updates = ([places[one.commit] for one in some] for some in _commits(present))
        own = (tuple(commits), places[present.made.commit], tuple(updates))
        present = replace(present, commits=(), updates=(), made=_NOBODY)
    more = view.notes.get(MORE + name)
    return _KeptSide(
        view.label,
        view.overlay.directory,
        tuple(places[one.commit] for one in found.commits),
        found.problem,
        present,
        own,
        more if isinstance(more, str) else None,
    )


def _lookup(kept: _KeptBranch, side: _KeptSide, home: str) -> ProposalLookup:
    """Return what was found of a branch for one overlay, whose base is at `home` by now."""
    present, infos = side.present, kept.infos
    if present is not None:
        commits, made, updates = side.own
        present = replace(
            present,
            commits=tuple(infos[one] for one in commits),
            updates=tuple(infos[one] for one in updates),
            made=infos[made],
            behind=present.fork != home,
        )
    commits_of = tuple(infos[one] for one in side.commits)
    return ProposalLookup(kept.head, present, None, commits_of, side.problem, kept.branch)


def _commits(present: OpenProposal) -> tuple[tuple[CommitInfo, ...], tuple[CommitInfo, ...]]:
    return present.commits, present.updates


def _is_open(view: OverlayView, name: str) -> bool:
    found = view.notes[name]
    return isinstance(found, ProposalLookup) and found.present is not None


def _render(page: _Page) -> bytes:
    """Write a page down; some of it where all is too much."""
    while len(whole := msgspec.msgpack.encode(page)) > _LARGEST:
        page = replace(page, branches=page.branches[: len(page.branches) // 2])
    return zlib.compress(whole, 1)


def _parse(content: bytes) -> _Page | None:
    with suppress(msgspec.MsgspecError, zlib.error):
        stream = zlib.decompressobj()
        page = msgspec.msgpack.decode(stream.decompress(content, _LARGEST), type=_Page)
        return page if page.form == _FORM and stream.eof else None
    return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
