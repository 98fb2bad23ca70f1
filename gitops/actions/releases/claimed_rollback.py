"""Is what says that it is a rollback one? Asked alike of commits and of proposals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from gitops.actions.releases.ledger import OverlayLedger
from gitops.core.audit.findings import Claim
from gitops.core.audit.rollback_claim import (
    ChangedFile,
    RollbackOffence,
    find_restored,
    judge_hold,
    judge_kustomization,
    stray_paths,
)
from gitops.core.environments.follower import Also
from gitops.core.kustomization import image_values
from gitops.core.releases.lookup import read_until_sure
from gitops.core.releases.release import Release
from gitops.core.releases.selection import describe
from gitops.core.releases.undo import choose_undo
from gitops.errors import ManifestError, Refused


class ClaimedRollback(Struct, frozen=True):
    """A change that says it is a rollback of one overlay.

    Attributes:
        label: of the overlay that it names.
        paths: all that it changes.
        file: the kustomization of the overlay, before and after.
        hold: the hold of the overlay, before and after.
        beside: more files that change, in which values may follow an image.
        also: what follows images.
    """

    label: str
    paths: Sequence[str]
    file: ChangedFile
    hold: ChangedFile
    beside: tuple[ChangedFile, ...] = ()
    also: Also = {}

    @property
    def own(self) -> tuple[str, ...]:
        """The paths that a rollback may change: values that follow its images among them."""
        if not self.beside:
            return self.file.path, self.hold.path
        from gitops.core.kustomization.followers import image_paths  # few files have them

        sides = {one.path: one for one in (self.file, *self.beside) if not one.mode}
        follows = image_paths(
            lambda path: sides[path].before if path in sides else None,
            lambda path: sides[path].after if path in sides else None,
            self.file.path,
            self.paths,
            self.also,
        )
        return self.file.path, self.hold.path, *sorted(follows - {self.file.path})

    def judge_file(self) -> tuple[RollbackOffence, ...]:
        """Say what it must not do to the kustomization."""
        if not self.also:
            return judge_kustomization(self.file)
        from gitops.core.kustomization.following import followers_in

        name = self.file.path.rpartition("/")[2]
        return judge_kustomization(self.file, followers_in(self.also, name))


def followers_beside(path: str, changed: Sequence[str], also: Also) -> tuple[str, ...]:
    """Return the `changed` paths beside the kustomization at `path` that may follow its images."""
    folder = path.rpartition("/")[0]
    names = {one.file for followers in also.values() for one in followers}
    mine = {f"{folder}/{name}" if folder else name for name in names} - {path}
    return tuple(one for one in changed if one in mine)


class RollbackProof(Struct, frozen=True):
    """What was found: the release that it restores, and what it does that a rollback must not."""

    restored: Release | None
    offences: tuple[RollbackOffence, ...]
    undo: bool = False


def prove(
    claimed: ClaimedRollback,
    claim: Claim,
    stream: Iterator[Release],
    ledger: OverlayLedger,
    *,
    override: str | None = None,
) -> RollbackProof:
    """Judge a change that says it is a rollback.

    Args:
        stream: the releases of the overlay before it, newest first.
        override: why a release is restored that the rule leaves out; None: it is an offence.
    """
    path, hold = claimed.file.path, claimed.hold.path
    offences = list(stray_paths(claimed.label, claimed.paths, claimed.own))
    if path in claimed.paths:
        offences += claimed.judge_file()
    restored, reasons = _restored(claimed.file, claim, stream, ledger, override)
    offences += [RollbackOffence(path, reason) for reason in reasons]
    if hold in claimed.paths:
        offences += judge_hold(claimed.hold, claimed.label, restored)
    return RollbackProof(restored, tuple(offences))


def prove_undo(
    claimed: ClaimedRollback,
    stream: Iterator[Release],
    hold_before: Callable[[Release], bytes | None],
) -> tuple[RollbackOffence, ...]:
    """Return what a change does that an undo must not.

    It puts back what the newest rollback replaced, and the hold of then, and nothing else.

    Args:
        stream: the releases of the overlay before it, newest first.
        hold_before: the hold file before a release; None: there was none.
    """
    path, hold = claimed.file.path, claimed.hold.path
    offences = list(stray_paths(claimed.label, claimed.paths, claimed.own))
    if path in claimed.paths:
        offences += claimed.judge_file()
    try:
        found = read_until_sure(stream, lambda read, all_: choose_undo(read, complete=all_))
        old = image_values(claimed.file.before or b"", path)
        new = image_values(claimed.file.after or b"", path)
    except (Refused, ManifestError) as error:
        return (*offences, RollbackOffence(path, error.message))
    if found.rollback is None:
        return (*offences, RollbackOffence(path, "the newest rollback was undone already"))
    wanted = {one.image: one.apply(old[one.image]) for one in found.requests if one.image in old}
    if wanted != {image: value for image, value in new.items() if old.get(image) != value}:
        what = f"it does not put back exactly what {describe(found.rollback)} replaced"
        offences.append(RollbackOffence(path, what))
    if hold in claimed.paths and claimed.hold.after != hold_before(found.rollback):
        what = f"it does not leave the hold as it was before {describe(found.rollback)}"
        offences.append(RollbackOffence(hold, what))
    return tuple(offences)


def _restored(
    file: ChangedFile,
    claim: Claim,
    stream: Iterator[Release],
    ledger: OverlayLedger,
    override: str | None,
) -> tuple[Release | None, tuple[str, ...]]:
    if file.before is None or file.after is None:
        return None, ()
    try:
        old, new = image_values(file.before, file.path), image_values(file.after, file.path)
    except ManifestError:
        return None, ()  # `judge_kustomization` tells

    def ask(read: Sequence[Release], complete: bool) -> tuple[Release | None, tuple[str, ...]]:
        verdicts = ledger.verdicts(read)
        return find_restored(claim, old, new, read, verdicts, complete=complete, override=override)

    return read_until_sure(stream, ask)
