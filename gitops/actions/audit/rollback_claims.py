"""Commits that say they are rollbacks: are they, and no more than that?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from gitops.actions.audit.build_inputs import overlays_in
from gitops.actions.audit.changes import BranchStep
from gitops.actions.context.holds import hold_paths
from gitops.actions.releases.claimed_rollback import (
    ClaimedRollback,
    followers_beside,
    prove,
    prove_undo,
)
from gitops.actions.releases.ledger import OverlayLedger
from gitops.actions.releases.renames import Past, releases_through
from gitops.core.audit.findings import Claim
from gitops.core.audit.rollback_claim import (
    ChangedFile,
    RollbackOffence,
)
from gitops.core.environments.environment import Config, Overlay
from gitops.core.environments.follower import Also
from gitops.core.hold import Hold, parse_hold
from gitops.core.kustomization import choose_file
from gitops.core.releases.release import Release
from gitops.core.text.plain import one_line
from gitops.errors import ManifestError
from gitops.ports import Archive, Tree

_HOLDS = ".gitops/holds/"


def held_by(archive: Archive, step: BranchStep, changed: Sequence[str]) -> dict[str, Hold]:
    """Return label -> the hold of one overlay that `step` added or changed, if it is readable."""
    found: dict[str, Hold] = {}
    for path in changed:
        if not path.startswith(_HOLDS) or not path.endswith(".yaml"):
            continue
        try:
            content = archive.tree(step.commit).read(path)
            if content is not None:
                found[path.removeprefix(_HOLDS).removesuffix(".yaml")] = parse_hold(content, path)
        except ManifestError:
            continue
    return found


def find_overlays(tree: Tree, config: Config, labels: Sequence[str]) -> dict[str, Overlay]:
    """Return label -> overlay for those of `labels` that `tree` has."""
    return {
        overlay.label: overlay
        for row in config.environments
        for overlay in overlays_in(tree, row)
        if overlay.label in labels
    }


class ClaimVerdict(Struct, frozen=True):
    """What a commit does that a rollback must not, and the paths that a rollback may change."""

    offences: tuple[RollbackOffence, ...]
    own: Sequence[str] = ()

    def covers(self, path: str) -> bool:
        """Say whether all that is wrong with a path was said, or nothing is."""
        said = {one.path for one in self.offences}
        return path in said or (path in self.own and None not in said)


def judge_claim(
    archive: Archive,
    step: BranchStep,
    changed: Sequence[str],
    claim: Claim,
    overlays: Mapping[str, Overlay],
    ledgers: Callable[[Overlay], OverlayLedger],
    past: Past,
    also: Also,
) -> ClaimVerdict:
    """Judge a commit that says it is a rollback, or that it takes one back.

    It may be one of several overlays: then it must be one of each that it names, and change nothing
    of any other. `overlays` are those that it names and that are on this branch; `also` is what
    follows images.
    """
    if not claim.labels:
        return _whole(f"{claim.kind} is of environments, and it names no environment")
    strange = [label for label in claim.labels if label not in overlays]
    if strange:
        return _whole(f"{one_line(strange[0], 60)}, which it names, is no environment here")
    if step.parent is None:
        return _whole("there is no commit before it that could be restored")
    before = archive.tree(step.parent)
    files = partial(_file, before, archive.tree(step.commit))
    own: dict[str, tuple[str, str]] = {}
    for label in claim.labels:
        overlay = overlays[label]
        try:
            name = choose_file(before.entries(overlay.directory), overlay.directory)
        except ManifestError as error:
            return _whole(f"{overlay.label} cannot be read: {error.problem}")
        paths = hold_paths(overlay)
        hold = next((path for path in paths if path in changed), paths[0])
        own[label] = overlay.path_of(f"{name}"), hold
    offences: list[RollbackOffence] = []
    follows = {label: followers_beside(path, changed, also) for label, (path, _) in own.items()}
    known = {path for label in own for path in (*own[label], *follows[label])}
    stray = [path for path in changed if path not in known]
    every: list[str] = []
    for label in claim.labels:
        mine = [path for path in changed if path in own[label] or path in follows[label]]
        claimed = ClaimedRollback(
            label,
            [*stray, *mine],
            files(own[label][0]),
            files(own[label][1]),
            tuple(map(files, follows[label])),
            also,
        )
        every += claimed.own
        stray = []  # told once
        stream = releases_through(past, overlays[label], step.parent)
        if claim.undo:
            offences += prove_undo(claimed, stream, partial(_before, archive, own[label][1]))
        else:
            ledger = ledgers(overlays[label])
            offences += prove(claimed, claim.about(label), stream, ledger).offences
    return ClaimVerdict(tuple(offences), tuple(every))


def _before(archive: Archive, path: str, release: Release) -> bytes | None:
    """Return what the file at `path` was before a release."""
    parents = archive.info(release.commit).parents
    return archive.tree(parents[0]).read(path) if parents else None


def _whole(what: str) -> ClaimVerdict:
    return ClaimVerdict((RollbackOffence(None, what),))


def _file(before: Tree, after: Tree, path: str) -> ChangedFile:
    sides = [tree.entry(path) for tree in (before, after)]
    contents = [
        tree.read(path) if entry is not None and entry.kind == "file" else None
        for tree, entry in zip((before, after), sides, strict=True)
    ]
    modes = {entry.executable for entry in sides if entry is not None}
    return ChangedFile(path, contents[0], contents[1], mode=len(modes) > 1)
