"""All overlays of some environments, as Git and the ledger tell of them: the index in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gitops.actions.context.overlays import overlays_of
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.actions.index.moved import move_on
from gitops.actions.index.page import (
    IndexedOverlay,
    IndexPage,
    new_page,
    page_name,
    parse_page,
    render_page,
    row_mark,
)
from gitops.actions.index.reading import read_plainly
from gitops.actions.releases.history import gather_releases
from gitops.actions.releases.ledger import words_on
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.ledger import LEDGER_BRANCH


def has_pages(row: Environment) -> bool:
    """Say whether the overlays of an environment are known by their apps alone."""
    return not row.others


def read_index(
    session: Session,
    tip: Tip,
    rows: Sequence[Environment],
    held: dict[str, IndexPage] | None = None,
) -> Mapping[str, Sequence[IndexedOverlay]]:
    """Return environment -> its overlays, as of `tip`; `rows` have pages, and their branches.

    What an earlier call kept is moved on to `tip`, else all is read. `held`: environment -> its
    page, for a process that keeps them in memory; it is filled. Raises as reading a tip does.
    """
    held = held if held is not None else {}
    kept = {row.name: _held(tip, row, held) or _kept(session, tip, row) for row in rows}
    pages = {
        row.name: page
        for row in rows
        if (old := kept[row.name]) is not None and (page := move_on(session, tip, row, old))
    }
    new = {
        row.name: [view_of(session, tip, overlay) for overlay in overlays_of(tip.of(row), row)]
        for row in rows
        if row.name not in pages
    }
    gather_releases([view for views in new.values() for view in views])
    for row in rows:
        branch, home = tip.branch_of(row), tip.of(row)
        if row.name in new:
            overlays = tuple(read_plainly(view) for view in new[row.name])
            pages[row.name] = new_page(row, branch, home.commit, overlays)
        page = pages[row.name] = _with_words(session, tip, row, pages[row.name], kept[row.name])
        held[row.name] = page
        if session.index is not None and page is not kept[row.name] and page != kept[row.name]:
            content = render_page(page)
            if content is not None:
                session.index.keep(page_name(row, branch), content)
    return {name: page.overlays for name, page in pages.items()}


def read_some(
    session: Session, tip: Tip, overlays: Sequence[Overlay]
) -> Mapping[Overlay, IndexedOverlay]:
    """Return the same of some overlays, read plainly. Raises as reading a tip does."""
    views = [view_of(session, tip, overlay) for overlay in overlays]
    gather_releases(views)
    found = {}
    for view in views:
        known = read_plainly(view)
        words, heard = words_on(view, known.newest) if known.newest is not None else ((), ())
        found[view.overlay] = replace(known, words=words, heard=heard)
    return found


def _held(tip: Tip, row: Environment, held: Mapping[str, IndexPage]) -> IndexPage | None:
    """Return the page in memory, where it is about this environment as it is now."""
    page = held.get(row.name)
    if page is None or (page.row, page.branch) != (row_mark(row), tip.branch_of(row)):
        return None
    return page


def _kept(session: Session, tip: Tip, row: Environment) -> IndexPage | None:
    if session.index is None:
        return None
    branch = tip.branch_of(row)
    return parse_page(session.index.page(page_name(row, branch)), row, branch)


def _with_words(
    session: Session, tip: Tip, row: Environment, page: IndexPage, old: IndexPage | None
) -> IndexPage:
    """Add what the ledger says of each newest release; what it said before is asked once.

    Where signatures count, each call judges them by the keys that are listed then.
    """
    ledger = tip.beside(LEDGER_BRANCH)
    commit = ledger.commit if ledger is not None and tip.config.signers is None else ""
    if page is old and page.ledger == commit and tip.config.signers is None:
        return page
    carried = {}
    if old is not None and old.ledger == commit and tip.config.signers is None:
        carried = {one.app: one for one in old.overlays}
    elif ledger is not None:
        ledger.prepare([one.app for one in page.overlays if one.app is not None])
    found = []
    for one in page.overlays:
        before, release = carried.get(one.app), one.newest
        if before is not None and before.newest == release:
            words, heard = before.words, before.heard
        elif release is None or ledger is None:
            words, heard = (), ()
        else:
            words, heard = words_on(view_of(session, tip, Overlay(row, one.app)), release)
        same = (words, heard) == (one.words, one.heard)
        found.append(one if same else replace(one, words=words, heard=heard))
    kept = commit if tip.config.signers is None else None
    return replace(page, ledger=kept, overlays=tuple(found))
