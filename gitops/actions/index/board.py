"""All overlays of some environments, as Git and the ledger tell of them: the index in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gitops.actions.context.overlays import overlays_of
from gitops.actions.context.session import Session, Tip
from gitops.actions.context.view import view_of
from gitops.actions.index.moved import move_on
from gitops.actions.index.page import IndexedOverlay, IndexPage, new_page, row_mark
from gitops.actions.index.reading import read_plainly
from gitops.actions.index.shelf import PageShelf
from gitops.actions.releases.history import gather_releases
from gitops.actions.releases.ledger import words_on
from gitops.core.environments.environment import Environment, Overlay
from gitops.core.ledger import LEDGER_BRANCH
from gitops.core.ledger.verdicts import CountedVerdict
from gitops.core.text.counting import counted


def has_pages(row: Environment) -> bool:
    """Say whether the overlays of an environment are known by their apps alone."""
    return not row.others


def read_index(
    session: Session,
    tip: Tip,
    rows: Sequence[Environment],
    held: dict[str, IndexPage] | None = None,
) -> Mapping[str, Sequence[IndexedOverlay]]:
    """Return environment -> its overlays, as of `tip`; see `read_pages`."""
    pages = read_pages(session, tip, rows, held)
    return {name: page.overlays for name, page in pages.items()}


def read_pages(
    session: Session,
    tip: Tip,
    rows: Sequence[Environment],
    held: dict[str, IndexPage] | None = None,
) -> Mapping[str, IndexPage]:
    """Return environment -> its page, as of `tip`; `rows` have pages, and their branches.

    What an earlier call kept is moved on to `tip`, else all is read. `held`: environment -> its
    page, for a process that keeps them in memory; it is filled. Raises as reading a tip does.
    """
    held = held if held is not None else {}
    shelf = PageShelf(session.index, tip)
    kept = {row.name: _held(tip, row, held) or shelf.page(row) for row in rows}
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
            views = counted(session.count, f"reading {row.name}", new[row.name])
            overlays = tuple(read_plainly(view) for view in views)
            pages[row.name] = new_page(row, branch, home.commit, overlays)
        page = _with_words(session, tip, row, pages[row.name], kept[row.name])
        held[row.name] = pages[row.name] = shelf.keep(row, page)
    shelf.close(session)
    return pages


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


def _with_words(
    session: Session, tip: Tip, row: Environment, page: IndexPage, old: IndexPage | None
) -> IndexPage:
    """Add what the ledger says of each newest release; what it said before is asked once.

    Where signatures count, each call judges them by the keys that are listed then.
    """
    if tip.config.signers is not None:
        return _read_words(session, tip, row, page, {}, None)
    commit = session.repository.own_branches().get(LEDGER_BRANCH, "")
    if page is old and page.ledger == commit:
        return page
    same = old is not None and old.ledger == commit
    if same and old is not None and page.body is old.body:
        found = replace(page, ledger=commit)
    else:
        carried = {one.app: one for one in old.overlays} if same and old is not None else {}
        found = _read_words(session, tip, row, page, carried, commit)
    ledger = tip.others.get(LEDGER_BRANCH)
    if ledger is not None and ledger.commit != commit:  # it has moved since it was listed
        return _read_words(session, tip, row, page, {}, ledger.commit)
    return found


def _read_words(
    session: Session,
    tip: Tip,
    row: Environment,
    page: IndexPage,
    carried: Mapping[str | None, IndexedOverlay],
    commit: str | None,
) -> IndexPage:
    """Return the page with the words; `carried` has those that need not be read again.

    `commit`: the ledger's, "" where there is none, None where no page must keep the words.
    """
    found: dict[str | None, IndexedOverlay] = {}
    asked: list[IndexedOverlay] = []
    for one in page.overlays:
        before = carried.get(one.app)
        if before is one:
            found[one.app] = one
            continue
        release = one.newest
        words: tuple[CountedVerdict, ...] = ()
        heard: tuple[str, ...] = ()
        if before is not None and before.newest == release:
            words, heard = before.words, before.heard
        elif release is not None and commit != "":
            asked.append(one)
        same = (words, heard) == (one.words, one.heard)
        found[one.app] = one if same else replace(one, words=words, heard=heard)
    ledger = tip.beside(LEDGER_BRANCH) if asked else None
    if ledger is not None:
        ledger.prepare([one.app for one in asked if one.app is not None])
        for one in asked:
            if (release := one.newest) is not None:
                view = view_of(session, tip, Overlay(row, one.app))
                words, heard = words_on(view, release)
                found[one.app] = replace(one, words=words, heard=heard)
    return page.having(tuple(found.values()), ledger=commit)
