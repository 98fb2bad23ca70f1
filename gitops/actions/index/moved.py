"""A page of the index moved on: only what landed since its commit is looked at.

What no commit touched is as it was: an overlay's images by its folder, its newest release by the
commits that changed that folder, its hold by the files of holds. Where that is not enough to tell
(an overlay that was renamed, a merge made the wrong way round), the overlay is read plainly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from gitops.actions.context.holds import HOLDS, paths_that_hold
from gitops.actions.context.overlays import find_app
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.index.page import IndexedOverlay, IndexPage
from gitops.actions.index.reading import newest_release, read_hold, read_plainly
from gitops.actions.releases.history import past_of
from gitops.actions.releases.renames import WrittenHolds
from gitops.core.environments.environment import CONFIG_PATH, Environment, Overlay
from gitops.core.git.commit import CommitInfo, Identity
from gitops.core.kustomization import FILE_NAMES
from gitops.core.releases.history import OverlayVersion, releases
from gitops.core.releases.release import Release
from gitops.ports import Landed

Seen = tuple[Release | None, str | None]


class _Since(Struct, frozen=True):
    """What landed since a page, and what the page says."""

    base: str
    landed: Landed
    versions: Mapping[str, tuple[OverlayVersion, ...]]
    known: Mapping[str | None, IndexedOverlay]
    renames: bool


def move_on(session: Session, tip: Tip, row: Environment, page: IndexPage) -> IndexPage | None:
    """Return the page as of `tip`, None where the branch is not what it was."""
    home = tip.of(row)
    if home.commit == page.tip:
        return page
    landed = session.evidence.landed(home.commit, page.tip)
    if landed is None:
        return None
    paths = dict.fromkeys(path for one in landed.commits for path in one.paths)
    touched = touched_apps(row, paths)
    holds = {path for path in paths if path.startswith(f"{HOLDS}/")}
    if not touched and not holds:
        return replace(page, tip=home.commit)
    known = {one.app: one for one in page.overlays}
    apps = [app for app in touched if app is None or find_app(home, row, app) is not None]
    known = {app: one for app, one in known.items() if app in apps or app not in touched}
    folders = [row.directory(app) for app in apps]
    home.prepare(folders, FILE_NAMES)
    renames = CONFIG_PATH in paths or any(
        path.rpartition("/")[2] in FILE_NAMES for one in landed.commits for path in one.gone
    )
    since = _Since(page.tip, landed, landed.versions(folders), known, renames)
    fresh = {app: _read_touched(view_of(session, tip, Overlay(row, app)), since) for app in apps}
    merged = known | fresh
    for app, one in merged.items() if holds else ():
        overlay = Overlay(row, app)
        if app not in fresh and not holds.isdisjoint(paths_that_hold(overlay)):
            merged[app] = read_hold(view_of(session, tip, overlay), one)
    order = sorted(merged, key=str)
    return page.having(tuple(merged[app] for app in order), tip=home.commit)


def touched_apps(row: Environment, paths: Iterable[str]) -> list[str | None]:
    """Return the apps (None: the one overlay) whose folder one of `paths` is, or is in."""
    before, marker, after = row.overlay.partition("{app}")
    found: dict[str | None, None] = {}
    for path in paths:
        app = None
        if marker:
            app = path[len(before) :].partition("/")[0] if path.startswith(before) else ""
        folder = f"{before}{app or ''}{after}" if marker else row.overlay
        if app != "" and (not folder or f"{path}/".startswith(f"{folder}/")):
            found[app] = None
    return list(found)


def _read_touched(view: OverlayView, since: _Since) -> IndexedOverlay:
    return read_plainly(view, lambda view: _newest(view, since) or newest_release(view))


def _newest(view: OverlayView, since: _Since) -> Seen | None:
    """Return the newest release of an overlay that was touched, None where that is not sure."""
    versions = since.versions.get(view.overlay.directory)
    known = since.known.get(view.overlay.app)
    if versions is None or (known is not None and known.images is None):
        return None
    before = _version_at(view, since.base)
    if before.content is None and (since.renames or known is not None or view.row.branch):
        return None  # it may have been somewhere else
    past = past_of(view)
    holds = WrittenHolds(past, view.overlay)
    for version in versions:
        holds.seen(version)
    stream = releases(chain(versions, [before]), environment=view.overlay.labels, holds=holds)
    found = next((one for one in stream if one.commit != before.commit.commit), None)
    if found is None and known is not None:
        return known.newest, known.unseen
    return (found, None) if found is not None else None


def _version_at(view: OverlayView, commit: str) -> OverlayVersion:
    """Return what the overlay was at a commit, as if that were the commit which made it so."""
    tree = view.session.evidence.at(commit)
    info = CommitInfo(commit, (), Identity("", ""), None, "")
    for name in FILE_NAMES:
        path = view.overlay.path_of(name)
        entry = tree.entry(path)
        if entry is not None and entry.kind == "file":
            return OverlayVersion(info, name, tree.read(path))
    return OverlayVersion(info, None, None)
