"""What a branch of our own is ahead of its base: read once for a tip, whatever it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from gitops.actions.context.session import Session
from gitops.actions.context.view import OverlayView
from gitops.actions.proposals.branches import Covered, covered_by, proposal_branch
from gitops.actions.proposals.merged import brings_nothing
from gitops.core.environments.environment import Overlay
from gitops.core.git.commit import CommitInfo
from gitops.core.kustomization import FILE_NAMES
from gitops.ports import Snapshot

_MERGES = 50  # that are looked at; whoever makes more wrote them


class Ahead:
    """A branch beside its base.

    Attributes:
        head, home: the newest commits of the branch, and of its base.
        infos: the commits that it has over its base, newest first.
        covered: the overlays that it may be about; None: the one that it is called after.
    """

    def __init__(
        self, session: Session, head: Snapshot, home: Snapshot, covered: Covered | None
    ) -> None:
        self.session = session
        self.head = head
        self.home = home
        self.covered = covered
        self.infos = session.evidence.over(head.commit, home.commit)

    @cached_property
    def forks(self) -> tuple[str, ...]:
        """The commits where it left its base: one, unless somebody merged crosswise."""
        own = {info.commit for info in self.infos}
        outside = {parent for info in self.infos for parent in info.parents if parent not in own}
        if len(outside) == 1 and all(info.parents for info in self.infos):
            return tuple(outside)
        return self.session.evidence.forks(self.head.commit, self.home.commit)

    @property
    def problem(self) -> str | None:
        """Why nobody can tell what it changes; None: it can be told."""
        if len(self.forks) == 1:
            return None
        how = "were merged crosswise" if self.forks else "share no commit"
        return f"{self.head.branch} and {self.home.branch} {how}: nobody can tell what it changes"

    @property
    def fork(self) -> str:
        """The commit where it left its base; where there is no `problem`."""
        return self.forks[0]

    @cached_property
    def commits(self) -> tuple[CommitInfo, ...]:
        """Those of `infos` that bring something: a merge that only brought the base in does not."""
        own = frozenset(info.commit for info in self.infos)
        merges = [info for info in self.infos if len(info.parents) > 1][:_MERGES]
        evidence = self.session.evidence
        empty = {one.commit for one in merges if brings_nothing(evidence, one, own)}
        return tuple(info for info in self.infos if info.commit not in empty)

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """Every path that differs between `fork` and `head`, sorted."""
        return self.session.evidence.changed(self.fork, self.head.commit)

    def touches(self, overlay: Overlay) -> bool:
        """Say whether it changes the kustomization of an overlay."""
        return any(overlay.path_of(name) in self._paths for name in FILE_NAMES)

    def paths_of(self, overlay: Overlay) -> tuple[str, ...]:
        """Return those of `changed` that are not of another overlay which it may be about."""
        if self.covered is None:
            return self.changed
        return tuple(sorted((*self._shares.get(None, ()), *self.owned_by(overlay))))

    def has_more(self, overlay: Overlay) -> bool:
        """Say whether it has something at one of `paths_of` that the base has not."""
        if self.covered is None:
            return self._differs(self.changed)
        return self._nobodys or self._differs(self.owned_by(overlay))

    def owned_by(self, overlay: Overlay) -> tuple[str, ...]:
        """Return those of `changed` that an overlay owns."""
        return tuple(self._shares.get(overlay.label, ()))

    @cached_property
    def owners(self) -> tuple[Overlay, ...]:
        """The overlays that it may be about and changes something of, in order."""
        covered = self.covered.overlays if self.covered is not None else ()
        return tuple(one for one in covered if one.label in self._shares)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What these are called, where they are several."""
        return tuple(one.label for one in self.owners) if len(self.owners) > 1 else ()

    @cached_property
    def _paths(self) -> frozenset[str]:
        return frozenset(self.changed)

    @cached_property
    def _shares(self) -> Mapping[str | None, list[str]]:
        """Overlay -> those of `changed` that it owns; None: nobody does."""
        found: dict[str | None, list[str]] = {}
        for path in self.changed:
            owner = self.covered.owner(path) if self.covered is not None else None
            found.setdefault(owner.label if owner is not None else None, []).append(path)
        return found

    @cached_property
    def _nobodys(self) -> bool:
        return self._differs(self._shares.get(None, ()))

    def _differs(self, paths: Iterable[str]) -> bool:
        theirs, ours = (self.session.evidence.at(one.commit) for one in (self.head, self.home))
        return any(theirs.entry(path) != ours.entry(path) for path in paths)


def ahead_on(view: OverlayView, branch: str) -> Ahead | None:
    """Return what `branch` is ahead of the base of an overlay's proposals; None: it is not there.

    All overlays of a wide proposal look at one branch.
    """
    tip, head = view.tip, view.tip.beside(branch)
    if head is None:
        return None
    key = f"{head.commit} over {view.home.commit} on {branch}"
    known = tip.memo.get(key)
    if not isinstance(known, Ahead) or known.session is not view.session:
        covered = covered_by(tip, branch) if branch != proposal_branch(view.overlay) else None
        known = tip.memo[key] = Ahead(view.session, head, view.home, covered)
    return known
