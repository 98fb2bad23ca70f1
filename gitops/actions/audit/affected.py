"""Which protected overlays a change touches, and with which paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitops.actions.audit.application_index import ApplicationReader, turned_aside
from gitops.actions.audit.build_inputs import belongings_of, holds_of, overlays_in
from gitops.actions.audit.changes import BranchStep
from gitops.core.audit.affected import AffectedPath, Belongings, folded
from gitops.core.audit.application_files import is_manifest
from gitops.core.audit.config_impact import bearing_changes
from gitops.core.environments.environment import CONFIG_PATH, Config, Environment, Overlay
from gitops.ports import Archive

_CONFIG = folded(CONFIG_PATH)


def protected(config: Config) -> tuple[Environment, ...]:
    """Return the environments that take no change without somebody's word."""
    return tuple(row for row in config.environments if row.change == "pull-request")


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
        self._known: dict[Overlay, tuple[str, Belongings]] = {}
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
        for row in rows:
            whole = self._of_policy(row, changed, policy, after)
            overlays = self._overlays(row, step) if self.lives_here(row) else ()
            for overlay in overlays:
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
        return found

    def belongings(self, overlay: Overlay, commit: str) -> Belongings:
        """Return what belongs to `overlay` at `commit`, read anew unless it is the same as last."""
        known = self._known.get(overlay)
        if known is not None and known[0] == commit:
            return known[1]
        rows = [row for row in self._rows if self.lives_here(row)]
        found = belongings_of(self._archive, self._archive.tree(commit), overlay, rows)
        self._known[overlay] = (commit, found)
        return found

    def _overlays(self, row: Environment, step: BranchStep) -> tuple[Overlay, ...]:
        """Return the overlays of `row` before and after the step."""
        if not row.per_app:
            return (Overlay(row),)
        states = [one for one in (step.parent, step.commit) if one is not None]
        found = [
            overlay for state in states for overlay in overlays_in(self._archive.tree(state), row)
        ]
        return tuple(dict.fromkeys(found))

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
                self._known[overlay] = (step.commit, before)
        if built or step.parent is None:
            built = (*self.belongings(overlay, step.commit).touched(changed), *built)
        touches = {touch.path: touch for touch in (*built, *around)}
        touches |= self._aside(overlay, step, [path for path in changed if path not in touches])
        return tuple(touches[path] for path in sorted(touches))

    def _around(self, overlay: Overlay, policy: Config) -> Belongings:
        """Return what belongs to an overlay beside what it is built from."""
        found = Belongings()
        top_level = self._branch == self._top_level
        for path in holds_of(overlay, top_level=top_level):
            found.add(path, f"it is the hold of {overlay.label}")
        if policy.signers is not None and top_level:
            found.add(policy.signers, "it lists who may approve")
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
