"""What the environments before one tell: prod takes only what is, or was, a release in stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from gitops.actions.context.named import counterpart
from gitops.actions.context.view import OverlayView
from gitops.actions.policy.builds import source_heads
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.core.environments.environment import keep_names
from gitops.core.git.revision import parse_revision
from gitops.core.kustomization.image import ImageChange, ImageValue
from gitops.core.ledger.records import LedgerEntry
from gitops.core.ledger.verdicts import JudgedSet, judged_sets
from gitops.core.policy.promotion import ImageOrigin, Upstream
from gitops.core.releases.lookup import taken_away_by, was_released
from gitops.core.releases.provenance import origins
from gitops.core.releases.release import Release
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
    nameless = keep_names(before.row, view.row)
    said = _nameless if nameless else dict
    present, wanted = said(present), said({change.image: change.after for change in changes})
    released: list[str] = []
    unseen: str | None = None
    taken: dict[str, str] = {}
    warnings: list[str] = []
    for image, value in wanted.items():
        # What runs there now needs no look into the past, which may be a long one.
        if present.get(image) == value:
            released.append(image)
        elif image in present:
            stream = releases_of(before)
            if was_released(_said(stream, said), image, value):
                released.append(image)
                # An earlier release may tell that a rollback by hand took it away.
                warnings += [f"{before.label}: {text}" for text in stream.unseen_reasons()]
            else:
                unseen = stream.unseen()
                rollback = taken_away_by(_said(releases_of(before), said), image, value)
                if rollback is not None:
                    taken[image] = describe(rollback)
    ledger = ledger_of(
        before,
        about=lambda images: any(said(images).get(one) == value for one, value in wanted.items()),
    )
    releases = _releases(before, ledger.entries) if ledger.entries else ()
    sets = tuple(
        JudgedSet(frozenset(said(dict(judged.images)).items()), judged.standing)
        for judged in judged_sets(ledger.entries, releases)
    )
    told = Upstream(before.label, present, released, sets, None, unseen, taken, nameless)
    return told, (*dict.fromkeys(warnings), *ledger.warnings)


def _nameless(images: Mapping[str, ImageValue]) -> dict[str, ImageValue]:
    return {image: value.nameless for image, value in images.items()}


def _said(
    releases: Iterable[Release], said: Callable[[Mapping[str, ImageValue]], dict[str, ImageValue]]
) -> Iterator[Release]:
    for release in releases:
        images = release.images
        yield release if images is None else replace(release, images=said(images))


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
