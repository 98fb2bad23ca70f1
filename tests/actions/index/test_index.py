"""The index: whatever landed since it was kept, it says what the plain reading says.

`GITOPS_TEST_HISTORIES=500` plays five hundred histories.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import pytest
from msgspec.structs import replace

from fakes import FakeRepository
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Session
from gitops.actions.index import board
from gitops.actions.index.board import read_index
from gitops.actions.index.page import IndexedOverlay, parse_page
from gitops.adapters.gitrepo.cache.index import KeptIndex
from index_stories import Story, session_of

HISTORIES = int(os.environ.get("GITOPS_TEST_HISTORIES", "40"))
FIRST = int(os.environ.get("GITOPS_TEST_SEED", "1"))


def pages(session: Session) -> Mapping[str, Sequence[IndexedOverlay]]:
    """What the index says of all environments."""
    tip = open_tip(session)
    return read_index(session, tip, tip.config.environments)


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_it_says_what_the_plain_reading_says(seed: int) -> None:
    """Deploys, renames, holds, merges, rewrites, gaps, own branches: the same at every step."""
    story = Story(seed)
    index = KeptIndex(None)
    for _ in range(12):
        for _ in range(story.draw.choice([0, 1, 1, 2, 5])):
            story.draw.choice(story.steps)()
        assert pages(session_of(story.repository, index)) == pages(
            session_of(story.repository, None)
        )


def test_only_what_landed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """One deploy later one overlay's files are looked at, and no history."""
    story = Story(1)
    index = KeptIndex(None)
    pages(session_of(story.repository, index))
    story.commit({story.file("a", "dev"): b"images: [{name: shop/api, newTag: v9}]\n"})
    read: list[str] = []
    monkeypatch.setattr(
        board,
        "read_plainly",
        lambda view: read.append(view.label),  # type: ignore[func-returns-value]
    )
    monkeypatch.setattr(FakeRepository, "history", None)
    monkeypatch.setattr("fakes.FakeLanded.versions", lambda self, folders: {})
    with pytest.raises(TypeError):
        pages(session_of(story.repository, index))  # the one that was touched, and no other
    assert read == []


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page[:-1],
        lambda page: page + b"x",
        lambda page: b"",
        lambda page: page[:30] + bytes([page[30] ^ 1]) + page[31:],
        lambda page: b"\x00" * 100,
    ],
)
def test_a_damaged_page_is_none(change: Callable[[bytes], bytes]) -> None:
    """Whatever stands there in its place: all is read again, and a whole page kept."""
    story = Story(2)
    index = KeptIndex(None)
    wanted = pages(session_of(story.repository, index))
    whole = dict(index._pages)
    for name, content in whole.items():
        index.keep(name, change(content))
    assert pages(session_of(story.repository, index)) == wanted
    assert index._pages == whole


def test_a_page_of_another_version_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older gitops kept is not believed by a newer one."""
    story = Story(2)
    index = KeptIndex(None)
    session = session_of(story.repository, index)
    pages(session)
    of_rows = {name: content for name, content in index._pages.items() if ":" in name}
    for name, content in of_rows.items():
        tip = open_tip(session)
        row = next(one for one in tip.config.environments if name.endswith(f":{one.name}"))
        assert parse_page(content, row, "main") is not None
        assert parse_page(content, replace(row, formerly=("x",)), "main") is None
        assert parse_page(content, row, "other") is None
        monkeypatch.setattr("gitops.actions.index.page.FORM", "gitops-index 2 9.9")
        assert parse_page(content, row, "main") is None
        monkeypatch.undo()
