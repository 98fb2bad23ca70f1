"""What the environments before one tell: prod takes only what is, or was, a release in stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitops.actions.context.named import counterpart
from gitops.actions.context.view import OverlayView
from gitops.actions.policy.builds import source_heads
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.core.git.revision import parse_revision
from gitops.core.kustomization.image import ImageChange, ImageValue
from gitops.core.ledger.records import LedgerEntry
from gitops.core.ledger.verdicts import judged_sets
from gitops.core.policy.promotion import ImageOrigin, Upstream
from gitops.core.releases.history import Release
from gitops.core.releases.lookup import taken_away_by, was_released
from gitops.core.releases.provenance import origins
from gitops.core.releases.selection import describe
from gitops.errors import NotFound


def read_befores(
    view: OverlayView, changes: Sequence[ImageChange]
) -> tuple[tuple[Upstream, ...], tuple[str, ...]]:
    """Ask every `after` environment of the overlay what it knows of the images that change.

    Returns what they tell, and warnings about lines of their ledgers that do not count.
    """
    found = [_read_before(view, name, changes) for name in view.row.after]
    return tuple(before for before, _ in found), tuple(text for _, some in found for text in some)


def read_origins(source: OverlayView, wanted: Mapping[str, ImageValue]) -> tuple[ImageOrigin, ...]:
    """Tell where the values in `wanted` came from that `source` has, and where their branches end.

    Only images whose source commit is recorded are asked for. Raises what `ports.Sources` raises.
    """
    revisions = origins(releases_of(source), wanted) if wanted else {}
    told = [
        image
        for image, text in revisions.items()
        if (revision := parse_revision(text)) is not None and revision.commit is not None
    ]
    heads = source_heads(source.session, source.tip, told)
    return tuple(ImageOrigin(image, text, heads.get(image)) for image, text in revisions.items())


def _read_before(
    view: OverlayView, name: str, changes: Sequence[ImageChange]
) -> tuple[Upstream, tuple[str, ...]]:
    try:
        before = view.beside(counterpart(view.tip, name, view.overlay.app))
        present = before.images
    except NotFound as error:
        return Upstream(name, {}, (), problem=error.message), ()
    released: list[str] = []
    unseen: str | None = None
    taken: dict[str, str] = {}
    warnings: list[str] = []
    for change in changes:
        # What runs there now needs no look into the past, which may be a long one.
        if present.get(change.image) == change.after:
            released.append(change.image)
        elif change.image in present:
            stream = releases_of(before)
            if was_released(stream, change.image, change.after):
                released.append(change.image)
                # An earlier release may tell that a rollback by hand took it away.
                warnings += [f"{before.label}: {text}" for text in stream.unseen_reasons()]
            else:
                unseen = stream.unseen()
                rollback = taken_away_by(releases_of(before), change.image, change.after)
                if rollback is not None:
                    taken[change.image] = describe(rollback)
    ledger = ledger_of(
        before,
        about=lambda images: any(images.get(change.image) == change.after for change in changes),
    )
    releases = _releases(before, ledger.entries) if ledger.entries else ()
    sets = judged_sets(ledger.entries, releases)
    told = Upstream(before.label, present, released, sets, unseen=unseen, taken=taken)
    return told, (*dict.fromkeys(warnings), *ledger.warnings)


def _releases(view: OverlayView, entries: Sequence[LedgerEntry]) -> tuple[Release, ...]:
    """Return the releases back to the oldest one that the ledger has a word on."""
    wanted = {entry.record.commit for entry in entries if entry.record.verdict != "approved"}
    found: list[Release] = []
    for release in releases_of(view):
        if not wanted:
            break
        found.append(release)
        wanted.discard(release.commit)
    return tuple(found)
