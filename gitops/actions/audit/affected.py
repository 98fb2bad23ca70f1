"""Which protected overlays a change touches, and with which paths."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import takewhile

from gitops.actions.audit.application_index import ApplicationReader, turned_aside
from gitops.actions.audit.build_inputs import belongings_of, holds_of, overlays_in
from gitops.actions.audit.changes import BranchStep
from gitops.core.audit.affected import AffectedPath, Belongings, TouchIndex, folded
from gitops.core.audit.application_files import is_manifest
from gitops.core.audit.config_impact import bearing_changes
from gitops.core.environments.environment import CONFIG_PATH, Config, Environment, Overlay
from gitops.ports import Archive

_CONFIG = folded(CONFIG_PATH)
_LISTED = 8  # commits whose overlays are remembered


def protected(config: Config) -> tuple[Environment, ...]:
    """Return the environments that take no change without somebody's word."""
    return tuple(row for row in config.environments if row.change == "pull-request")


class _State:
    """A commit that what is known of overlays is as of; it moves on for all that it left alone."""

    def __init__(self, commit: str) -> None:
        self.commit = commit


class _Listed:
    """The overlays of one environment around a step; made anew when they change."""

    def __init__(self, overlays: tuple[Overlay, ...]) -> None:
        self.overlays = overlays
        self.members = frozenset(overlays)
        self.directories = frozenset(overlay.directory for overlay in overlays)
        self._places = {overlay: place for place, overlay in enumerate(overlays)}

    def without(self, alone: frozenset[Overlay]) -> list[Overlay]:
        """Return those that are not left alone, in order."""
        return sorted(self.members - alone, key=self._places.__getitem__)


_NOTHING = _Listed(())


class TouchReader:
    """Reads what belongs to overlays, once for each state of them.

    Args:
        branch: the branch that the changes are on, or go to.
        top_level: the branch that policy, its signers and the hold of everything are on.
    """

    def __init__(self, archive: Archive, branch: str, top_level: str) -> None:
        self._archive = archive
        self._branch = branch
        self._top_level = top_level
        self._known: dict[Overlay, tuple[_State, Belongings]] = {}
        self._now = _State("")
        self._index = TouchIndex[Overlay]()
        self._looked: frozenset[Overlay] = frozenset()  # at the step before
        self._lists: dict[Environment, _Listed] = {}
        self._folders: tuple[str, list[str]] = ("", [])
        self._listed: dict[str, dict[Environment, tuple[Overlay, ...]]] = {}
        self._rows: tuple[Environment, ...] = ()  # of the policy that counts
        self._applications = ApplicationReader(archive)

    def lives_here(self, row: Environment) -> bool:
        """Say whether overlays and holds of an environment are on the branch of the changes."""
        return (row.branch or self._top_level) == self._branch

    def touches(
        self,
        step: BranchStep,
        changed: Sequence[str],
        policy: Config,
        after: Config | None,
        rows: Sequence[Environment],
    ) -> dict[Overlay, tuple[AffectedPath, ...]]:
        """Return overlay -> what of it `step` touches; overlays that it leaves alone are not there.

        Args:
            policy: the one that counts before it.
            after: the one that it leaves; None: nobody can read it.
            rows: the environments that are asked about. What bears on one as a whole is told for
                its first overlay.
        """
        self._rows = policy.environments
        found: dict[Overlay, tuple[AffectedPath, ...]] = {}
        if step.parent is not None:
            if rows:
                self._applications.carry(step.parent, step.commit, changed)
            self._carry_lists(step.parent, step.commit, changed)
        here = {row: self._listed_beside(row, step) for row in rows if self.lives_here(row)}
        alone = self._left_alone(step, changed, policy, list(here.values()))
        for row in rows:
            whole = self._of_policy(row, changed, policy, after)
            listed = here.get(row, _NOTHING)
            overlays = listed.overlays
            for overlay in listed.without(alone):
                touches = self._of_overlay(overlay, step, changed, policy)
                if touches:
                    found[overlay] = touches
            if not self.lives_here(row) and not row.per_app:
                # Its Applications may lie here all the same.
                aside = self._aside(Overlay(row), step, changed)
                if aside:
                    found[Overlay(row)] = tuple(aside[path] for path in sorted(aside))
            if whole:
                first = next((one for one in overlays if one in found), None)
                first = first or next(iter(overlays), Overlay(row))
                found[first] = (*whole, *found.get(first, ()))
        if self._now.commit == step.parent:
            self._now.commit = step.commit
        return found

    def _left_alone(
        self,
        step: BranchStep,
        changed: Sequence[str],
        policy: Config,
        here: Sequence[_Listed],
    ) -> frozenset[Overlay]:
        """Return overlays of which is known without looking that `step` does not touch them."""
        overlays = frozenset[Overlay]().union(*(one.members for one in here))
        for one in self._looked - overlays:
            self._known.pop(one, None)  # nobody looks whether this step touches it
        looked, self._looked = self._looked & overlays, overlays
        if step.parent is None:
            return frozenset()
        if self._now.commit != step.parent:
            self._now = _State(step.parent)
            return frozenset()
        before, later = map(self._applications.index, (step.parent, step.commit))
        directories = frozenset[str]().union(*(one.directories for one in here))
        if not before.leaves_alone(later, directories, changed):
            return frozenset()
        if self._of_signers(policy).touched(changed):
            return frozenset()
        return looked - self._index.may_touch(changed)

    def _of_signers(self, policy: Config) -> Belongings:
        found = Belongings()
        if policy.signers is not None and self._branch == self._top_level:
            found.add(policy.signers, "it lists who may approve")
        return found

    def belongings(self, overlay: Overlay, commit: str) -> Belongings:
        """Return what belongs to `overlay` at `commit`, read anew unless it is the same as last."""
        known = self._known.get(overlay)
        if known is not None and known[0].commit == commit:
            return known[1]
        nested = self._nested(overlay, commit)
        found = belongings_of(self._archive, self._archive.tree(commit), overlay, nested)
        self._keep(overlay, commit, found)
        return found

    def _nested(self, overlay: Overlay, commit: str) -> list[str]:
        """Return the folders of overlays that lie in that of `overlay`."""
        if self._folders[0] != commit:
            rows = [row for row in self._rows if self.lives_here(row)]
            found = {one.directory for row in rows for one in self._listed_in(row, commit)}
            self._folders = commit, sorted(found)
        folders, above = self._folders[1], f"{overlay.directory}/" if overlay.directory else ""
        first = bisect_left(folders, above)
        inside = takewhile(lambda one: one.startswith(above), folders[first:])
        return [one for one in inside if one != overlay.directory]

    def _keep(self, overlay: Overlay, commit: str, found: Belongings) -> None:
        """Remember what belongs to an overlay at a commit."""
        holds = Belongings()
        for path in holds_of(overlay, top_level=True):
            holds.add(path, "it is a hold")
        self._index.put(overlay, found, holds)
        self._known[overlay] = _State(commit), found

    def _overlays(self, row: Environment, step: BranchStep) -> tuple[Overlay, ...]:
        """Return the overlays of `row` before and after the step."""
        if not row.per_app:
            return (Overlay(row),)
        states = [one for one in (step.parent, step.commit) if one is not None]
        lists = [self._listed_in(row, state) for state in states]
        if all(one is lists[0] for one in lists):
            return lists[0]
        return tuple(dict.fromkeys(overlay for one in lists for overlay in one))

    def _listed_beside(self, row: Environment, step: BranchStep) -> _Listed:
        """Return the overlays of `row` before and after the step, and what is asked of them."""
        overlays = self._overlays(row, step)
        known = self._lists.get(row)
        if known is None or known.overlays is not overlays:
            known = self._lists[row] = _Listed(overlays)
        return known

    def _carry_lists(self, before: str, after: str, changed: Sequence[str]) -> None:
        """Keep the lists of overlays over a change that adds and removes no file."""
        old, new = self._archive.tree(before), self._archive.tree(after)
        for path in changed:
            sides = old.entry(path), new.entry(path)
            if any(one is None or one.kind != "file" for one in sides):
                return
        if before in self._listed:
            self._listed.setdefault(after, self._listed[before])
        if self._folders[0] == before:
            self._folders = after, self._folders[1]

    def _listed_in(self, row: Environment, commit: str) -> tuple[Overlay, ...]:
        while len(self._listed) > _LISTED:
            del self._listed[next(iter(self._listed))]
        listed = self._listed.setdefault(commit, {})
        if row not in listed:
            listed[row] = overlays_in(self._archive.tree(commit), row)
        return listed[row]

    def _after(self, step: BranchStep) -> _State:
        """Return the state after a step: the one that all overlays share, where they go along."""
        return self._now if self._now.commit == step.parent else _State(step.commit)

    def _of_policy(
        self, row: Environment, changed: Sequence[str], policy: Config, after: Config | None
    ) -> tuple[AffectedPath, ...]:
        if self._branch != self._top_level:
            return ()
        found = []
        for path in changed:
            if folded(path) != _CONFIG:
                continue
            if path != CONFIG_PATH:
                reason = f"its name is that of {CONFIG_PATH} where case does not count"
                found.append(AffectedPath(path, reason))
                continue
            found += [AffectedPath(path, text) for text in bearing_changes(policy, after, row.name)]
        return tuple(found)

    def _of_overlay(
        self, overlay: Overlay, step: BranchStep, changed: Sequence[str], policy: Config
    ) -> tuple[AffectedPath, ...]:
        around = self._around(overlay, policy).touched(changed)
        built: tuple[AffectedPath, ...] = ()
        if step.parent is not None:
            before = self.belongings(overlay, step.parent)
            built = before.touched(changed)
            if not built:
                # What it is built from is the same after it: no need to look again.
                self._known[overlay] = self._after(step), before
        if built or step.parent is None:
            after = self.belongings(overlay, step.commit)
            built = (*after.touched(changed), *built)
            self._known[overlay] = self._after(step), after
        touches = {touch.path: touch for touch in (*built, *around)}
        touches |= self._aside(overlay, step, [path for path in changed if path not in touches])
        return tuple(touches[path] for path in sorted(touches))

    def _around(self, overlay: Overlay, policy: Config) -> Belongings:
        """Return what belongs to an overlay beside what it is built from."""
        found = self._of_signers(policy)
        for path in holds_of(overlay, top_level=self._branch == self._top_level):
            found.add(path, f"it is the hold of {overlay.label}")
        return found

    def _aside(
        self, overlay: Overlay, step: BranchStep, changed: Sequence[str]
    ) -> dict[str, AffectedPath]:
        """Return which of the `changed` paths decide what Argo CD builds for `overlay`."""
        if not changed:
            return {}
        before = self._applications.index(step.parent) if step.parent is not None else None
        after = self._applications.index(step.commit)
        return turned_aside(before, after, changed, overlay.directory)

    def limit(self, commit: str) -> str | None:
        """Say why not everything that decides for overlays can be known; None when it can."""
        return self._applications.index(commit).limit


def fetch_changed(
    archive: Archive, steps: Sequence[BranchStep], changed: Mapping[str, Sequence[str]]
) -> None:
    """Fetch at once what every change will be asked for: its manifests, before and after."""
    ids: list[str] = []
    for step in steps:
        for state in (step.parent, step.commit):
            if state is None:
                continue
            tree = archive.tree(state)
            entries = [tree.entry(path) for path in changed[step.commit] if is_manifest(path)]
            ids += [entry.id for entry in entries if entry is not None and entry.kind == "file"]
    archive.prepare(list(dict.fromkeys(ids)))
