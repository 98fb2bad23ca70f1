"""What a change leaves its environments at: the data rules, asked of the commit that it ends with.

Only overlays that the change touches are built, as many as there is time for; the rules are those
of the policy that counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitops.actions.audit.affected import TouchReader
from gitops.actions.audit.changes import BranchStep, Changeset
from gitops.actions.context.session import Session
from gitops.actions.manifests.data_checks import DataChecks
from gitops.actions.manifests.render import RenderSide, files_of, refusal
from gitops.actions.manifests.trial_build import TrialBuild, build_of
from gitops.core.audit.findings import Finding
from gitops.core.environments.environment import Config, Overlay
from gitops.core.text.plain import count
from gitops.errors import GitopsError
from gitops.ports import Archive, Renderer

_MOST_SECONDS = 60.0  # that all builds together may take


def data_findings(
    session: Session, archive: Archive, reader: TouchReader, config: Config, changes: Changeset
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return what is wrong where the change ends, and what nobody could look at."""
    if not config.databases or not changes.steps:
        return (), ()
    renderer = session.renderer()
    if renderer is None:
        return (), ("nobody looked which databases are reached: no kustomize is at hand",)
    checks = DataChecks(config)
    deadline = session.clock.monotonic() + _MOST_SECONDS
    overlays = _touched(archive, reader, config, changes)
    warnings: tuple[str, ...] = ()
    for index, overlay in enumerate(overlays):
        if session.clock.monotonic() > deadline:
            left = count(len(overlays) - index, "overlay")
            warnings = (f"{left} not built: the builds before took all the time",)
            break
        belongings = reader.belongings(overlay, changes.tip)
        side = RenderSide(archive.tree(changes.tip), belongings, overlay.directory)
        trial = _build(archive, renderer, side)
        if trial.problem is None:  # what does not build reaches nothing
            checks.look(overlay, side.tree, belongings.graph, trial)
    return tuple(_findings(checks, changes.tip)), warnings


def _touched(
    archive: Archive, reader: TouchReader, config: Config, changes: Changeset
) -> tuple[Overlay, ...]:
    """Return the overlays that the change as a whole touches, in promotion order."""
    step = BranchStep(archive.info(changes.tip), changes.base)
    paths = archive.changed(changes.base, changes.tip)
    rows = [row for row in config.environments if row.database is not None]
    touched = reader.touches(step, paths, config, config, rows)
    tree = archive.tree(changes.tip)
    return tuple(one for one in touched if tree.entry(one.directory) is not None)


def _build(archive: Archive, renderer: Renderer, side: RenderSide) -> TrialBuild:
    reason = refusal(side.belongings.graph)
    if reason is not None:
        return TrialBuild(skipped=reason)
    try:
        files = files_of(archive, side)
    except GitopsError as error:
        return TrialBuild(skipped=error.message)
    return build_of(files, renderer, side.directory)


def _findings(checks: DataChecks, tip: str) -> Iterator[Finding]:
    for one in checks.found():
        if one.overlay is not None:
            level, message = one.finding.level, one.finding.message
            at = one.place
            yield Finding(tip, one.overlay.label, at.path, level, "data", message, at.line)
