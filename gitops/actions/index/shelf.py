"""Where the pages of one call come from, and what of them is kept for the next one.

Mostly one environment changed and the others did not: their pages are left as they lie, and a note
of a few bytes says up to which commit they hold.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from gitops.actions.context.session import Session, Tip
from gitops.actions.index.page import (
    FORM,
    IndexPage,
    is_quiet,
    page_name,
    parse_page,
    render_page,
)
from gitops.core.environments.environment import Environment

if TYPE_CHECKING:
    from gitops.ports import Index

_Place = tuple[str, str, str | None]  # row, tip and ledger; see `IndexPage`
_NOTE = "notes on "  # begins the name of a page of notes: names of other pages have a colon


class PageShelf:
    """The pages of some environments, as of one tip.

    Args:
        index: None: nothing is kept.
    """

    def __init__(self, index: Index | None, tip: Tip) -> None:
        self._index = index
        self._tip = tip
        self._lies: dict[str, IndexPage] = {}
        self._notes: dict[str, dict[str, tuple[_Place, _Place]]] = {}
        self._whole = True

    def page(self, row: Environment) -> IndexPage | None:
        """Return the page of an environment, None where there is none about it as it is now."""
        if self._index is None:
            return None
        branch = self._tip.branch_of(row)
        page = parse_page(self._index.page(page_name(row, branch)), row, branch)
        if page is None:
            return None
        self._lies[row.name] = page
        place, holds = self._note_on(branch).get(row.name, (None, None))
        if holds is not None and place == _place(page):
            return replace(page, tip=holds[1], ledger=holds[2])
        return page

    def keep(self, row: Environment, page: IndexPage) -> IndexPage:
        """Keep a page for the next call; return it with what is known of it since."""
        if self._index is None:
            return page
        branch, old = self._tip.branch_of(row), self._lies.get(row.name)
        if old is not None and (old.body is page.body or old.overlays == page.overlays):
            self._note_on(branch)[row.name] = (_place(old), _place(page))
            return replace(page, body=old.body, quiet=old.quiet)
        self._note_on(branch).pop(row.name, None)
        page = replace(page, quiet=is_quiet(page.overlays))
        content = render_page(page)
        if content is not None:
            self._index.keep(page_name(row, branch), content)
        self._whole = self._whole and content is not None
        return page

    def close(self, session: Session) -> None:
        """Keep what was noted, and which commits all of it is from."""
        if self._index is None:
            return
        for branch, notes in self._notes.items():
            content = msgspec.msgpack.encode((FORM, notes))
            if content != self._index.page(_NOTE + branch):
                self._index.keep(_NOTE + branch, content)
            if self._whole:
                commit = self._tip.at(branch).commit
                self._index.looked_at(branch, commit, session.repository.message(commit)[1])

    def _note_on(self, branch: str) -> dict[str, tuple[_Place, _Place]]:
        """Return environment -> where its page is from, and where it holds, too."""
        if branch not in self._notes:
            self._notes[branch] = {}
            content = self._index.page(_NOTE + branch) if self._index is not None else None
            with suppress(msgspec.MsgspecError):
                known = msgspec.msgpack.decode(content or b"", type=_Notes)
                self._notes[branch] = known[1] if known[0] == FORM else {}
        return self._notes[branch]


def _place(page: IndexPage) -> _Place:
    return page.row, page.tip, page.ledger


_Notes = tuple[str, dict[str, tuple[_Place, _Place]]]
