"""What `gitops undo` takes back: the newest rollback, when nothing landed on it since."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gitops.core.kustomization.image import ImageRequest
from gitops.core.releases.lineage import trace
from gitops.core.releases.release import Release
from gitops.core.releases.selection import NeedMore, describe, short
from gitops.errors import Refused


class Undo(Struct, frozen=True):
    """The rollback to take back.

    Attributes:
        rollback: the rollback; None when it was undone already, and nothing is to be done.
        before: the release that ran before it.
        requests: the value of then for each image that the rollback changed.
        undone: a rollback that was undone already, and the commit that did it.
    """

    rollback: Release | None
    before: Release | None = None
    requests: tuple[ImageRequest, ...] = ()
    undone: tuple[Release, Release] | None = None


def choose_undo(
    releases: Sequence[Release],
    *,
    rollback: str | None = None,
    complete: bool = True,
    command: str = "gitops rollback ENV",
) -> Undo:
    """Choose what to undo.

    Args:
        releases: of the overlay, newest first.
        rollback: commit (or its first digits) of the rollback that is meant; None: the newest.
        complete: False when there are older releases that were not read.
        command: what a person types for a rollback of this overlay, for hints.

    Raises NeedMore when older releases could change the answer; Refused when there is no rollback,
    another one is the newest, or something else landed since.
    """
    lineage = trace(releases, complete=complete)
    undone = [(releases[rolled], releases[by]) for rolled, by in sorted(lineage.undone.items())]
    meant = [pair for pair in undone if rollback and pair[0].commit.startswith(rollback)]
    if meant:
        return Undo(None, undone=meant[0])
    steps = lineage.steps
    at = next((at for at, step in enumerate(steps) if step.release.action == "rollback"), None)
    if at != 0 and rollback is None and 0 in lineage.undone.values():
        return Undo(None, undone=undone[0])
    if (at is None or at + 1 == len(steps)) and not complete:
        raise NeedMore
    if at is None or at + 1 == len(steps):
        raise Refused("there is no rollback to undo", hint=f"`{command}` goes back")
    newest, before = steps[at].release, steps[at + 1].release
    if rollback is not None and not newest.commit.startswith(rollback):
        raise Refused(
            f"the newest rollback is {describe(newest)}, not {rollback[:7]}",
            hint="only the newest one is undone",
        )
    if at > 0:
        raise Refused(
            f"{describe(steps[0].release)} landed since {describe(newest)}: it stays",
            hint=f"`{command}` takes back what landed; "
            f"`{command} --to {short(before)} --override REASON` restores what ran before",
            reasons=tuple(describe(step.release) for step in steps[:at]),
        )
    now, then = newest.images or {}, before.images or {}
    return Undo(
        newest,
        before,
        tuple(
            ImageRequest.exactly(image, then[image])
            for image, value in now.items()
            if image in then and then[image] != value
        ),
    )
