"""`gitops diff`: what differs between two environments, or two moments of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import dropwhile, tee

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.named import counterpart
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.releases.history import releases_of
from gitops.actions.releases.ledger import ledger_of
from gitops.core.environments.environment import keep_names
from gitops.core.forges.web_links import compare_page
from gitops.core.git.revision import parse_revision
from gitops.core.kustomization.image import ImageValue
from gitops.core.releases.lookup import find_release
from gitops.core.releases.provenance import origins, setters
from gitops.core.releases.release import Release
from gitops.core.releases.rollback import PREVIOUS
from gitops.core.releases.selection import NeedMore, describe
from gitops.core.report import Difference, DiffReport
from gitops.errors import NotFound, Refused, UsageError

STABLE = "stable"
"""In place of a release: the newest one whose health was recorded as stable."""


class _Side(Struct, frozen=True):
    """One side of a comparison.

    Attributes:
        release: None: what is there now.
    """

    view: OverlayView
    images: Mapping[str, ImageValue]
    release: Release | None = None

    @property
    def label(self) -> str:
        """What it is called: `prod`, or `prod@4b1d9ab`."""
        label = self.view.overlay.label
        return label if self.release is None else f"{label}@{self.release.commit[:7]}"


def diff(
    session: Session,
    left: str,
    right: str | None,
    *,
    app: str | None = None,
    since: str | None = None,
) -> DiffReport:
    """Return the images whose values differ between two sides.

    A side is an environment, as it is now, or `ENV@RELEASE`: a commit of its history, a tag, or
    `stable`. With `since` the sides are that release of `left`, and `left` now. Names of images are
    not compared where one side has a registry of its own. Where a release is
    named, each difference tells which release of the right side made it, by whom and when, and the
    source commits on both sides.

    Raises UsageError (no second side, or one too many; a word that fits several releases), NotFound
    for an environment or a release that is not there, Refused for a release that cannot be read.
    """
    if (right is None) == (since is None):
        raise UsageError(
            "say what to compare with: another environment, or --since RELEASE",
            hint="gitops diff stage prod, or gitops diff prod --since stable",
        )
    if since is not None and "@" in left:
        raise UsageError("--since names the release: leave out the one behind @")
    tip = open_tip(session)
    names = (f"{left}@{since}", left) if right is None else (left, right)
    sides = [_side(session, tip, name, app) for name in names]
    lefts, rights = (side.images for side in sides)
    nameless = keep_names(sides[0].view.row, sides[1].view.row)
    differing = [
        image
        for image in dict.fromkeys([*lefts, *rights])
        if _compared(lefts.get(image), nameless) != _compared(rights.get(image), nameless)
    ]
    found = [Difference(image, lefts.get(image), rights.get(image)) for image in differing]
    if any(side.release is not None for side in sides):
        found = _told(tip, found, *sides)
    return DiffReport(
        sides[0].view.overlay,
        sides[1].view.overlay,
        tuple(found),
        names=(sides[0].label, sides[1].label),
        warnings=tuple(
            f"{view.label}: {one}"
            for view in dict.fromkeys(side.view for side in sides if side.release is None)
            for one in view.stragglers()
        ),
    )


def _compared(value: ImageValue | None, nameless: bool) -> ImageValue | None:
    return value.nameless if value is not None and nameless else value


def _side(session: Session, tip: Tip, name: str, app: str | None) -> _Side:
    environment, at, word = name.partition("@")
    view = view_of(session, tip, counterpart(tip, environment, app))
    if not at:
        return _Side(view, view.images)
    release = _find(view, word)
    if release.images is None:
        raise Refused(f"{view.overlay.label} {describe(release)} pins no images that can be read")
    return _Side(view, release.images, release)


def _find(view: OverlayView, word: str) -> Release:
    """Return the release that `word` names."""
    ledger = ledger_of(view) if word == STABLE else None

    def ask(releases: Sequence[Release], complete: bool) -> Release:
        if word == PREVIOUS:
            return _previous(view, releases, complete)
        if ledger is None:
            return find_release(
                releases,
                word,
                view.images,
                complete=complete,
                other=False,
                command=f"gitops history {view.overlay.typed}",
            )
        verdicts = ledger.verdicts(releases)
        found = next((one for one in releases if verdicts.is_stable(one.commit)), None)
        if found is None and not complete:
            raise NeedMore
        if found is None:
            raise NotFound(
                f"no release of {view.overlay.label} was recorded as stable",
                hint=f"`gitops diff {view.overlay.typed} --since previous` shows what came last; "
                f"`gitops history {view.overlay.typed}` lists them",
            )
        return found

    return releases_of(view).until_sure(ask)


def _previous(view: OverlayView, releases: Sequence[Release], complete: bool) -> Release:
    """Return the newest release that had other images than what is there now."""
    others = (one for one in releases if one.images is not None and one.images != view.images)
    found = next(others, None)
    if found is None and not complete:
        raise NeedMore
    if found is None:
        raise NotFound(f"{view.overlay.label} has had these images only")
    return found


def _told(tip: Tip, found: Sequence[Difference], left: _Side, right: _Side) -> list[Difference]:
    """Return the differences with the release that made each, and the sources on both sides."""
    lefts = {one.image: one.left for one in found if one.left is not None}
    rights = {one.image: one.right for one in found if one.right is not None}
    history, again = tee(_from(right))
    by = setters(history, rights)
    sources = origins(_from(left), lefts), origins(again, rights)
    told = []
    for one in found:
        old, new = (_commit(side.get(one.image)) for side in sources)
        url = tip.config.sources.get(one.image)
        page = compare_page(url, old, new) if url and old and new else None
        told.append(replace(one, by=by.get(one.image), sources=(old, new), page=page))
    return told


def _commit(source: str | None) -> str | None:
    revision = parse_revision(source)
    return revision.commit if revision is not None else None


def _from(side: _Side) -> Iterator[Release]:
    """Yield the releases of a side, from where it stands to the oldest."""
    stream = releases_of(side.view)
    if side.release is None:
        return stream
    commit = side.release.commit
    return dropwhile(lambda one: one.commit != commit, stream)
