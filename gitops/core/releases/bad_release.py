"""What became of a release that somebody calls bad: does it run, and who took it back?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.lineage import Lineage, LineageStep, trace
from gitops.core.releases.lookup import find_release
from gitops.core.releases.release import Release
from gitops.core.releases.rollback import restored_images
from gitops.core.releases.selection import NeedMore


class BadRelease(Struct, frozen=True):
    """A release that somebody calls bad.

    Attributes:
        release: the one that was named.
        taken_by: the commit that took it back; None when nobody did.
        newer: the release that runs in its place without it having been taken back; None when it
            runs itself.
    """

    release: Release
    taken_by: Release | None = None
    newer: Release | None = None


def find_bad(
    releases: Sequence[Release],
    current: Mapping[str, ImageValue],
    word: str,
    *,
    only: frozenset[str] | None = None,
    complete: bool = True,
    command: str = "gitops history ENV",
) -> BadRelease:
    """Find the release that `word` names (a commit or a tag), and say what became of it.

    It runs when it is the newest release, or when a rollback led back to it. It was taken back when
    a rollback of it, or over it, is newer; deploying the same images again makes a new release.

    Args:
        releases, current, only, complete: as for `rollback.choose`.
        command: what a person types to see the releases.

    Raises NeedMore, NotFound and UsageError as `find_release` does.
    """
    wanted = restored_images(current, only)
    lineage = trace(releases, only=wanted, complete=complete)
    release = find_release(releases, word, wanted, complete=complete, other=False, command=command)
    position = next(at for at, one in enumerate(releases) if one.commit == release.commit)
    if position in lineage.undone:
        return BadRelease(release, taken_by=releases[lineage.undone[position]])
    bad = lineage.in_force(position)
    runs, taken_by = True, None
    changes = [step for step in lineage.steps if step.changed and step.position < bad.position]
    for step in reversed(changes):
        back = _leads_back(lineage, step, bad, complete=complete)
        if back == "to it":
            runs, taken_by = True, None
        else:
            runs = False
            taken_by = step.release if back == "over it" else taken_by
    newest = lineage.newest()
    if runs or newest is None:
        return BadRelease(release)
    return BadRelease(release, taken_by, None if taken_by is not None else newest.release)


def _leads_back(
    lineage: Lineage, step: LineageStep, bad: LineageStep, *, complete: bool
) -> str | None:
    """Say whether a step leads back to `bad`, as rollbacks do, or over it; None: neither."""
    if step.release.action == "rollback" and step.release.restores == bad.release.commit:
        return "to it"  # also by an override, which makes it a deploy
    while True:
        if step.rollback is None or (step.rollback and step.restored is None and not complete):
            raise NeedMore
        if not step.rollback:
            return None
        if step.restored is None or step.restored > bad.position:
            return "over it"
        step = lineage.in_force(step.restored)
        if step is bad:
            return "to it"
