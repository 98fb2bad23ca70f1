"""What the server knows of pull requests: asked of the forge now and then, never by a page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from forge_world import make_world
from gitops.actions.context.session import Session
from gitops.actions.index.state import read_state
from gitops.errors import Unavailable
from gitops.server.board import pulls as reading
from gitops.server.board.board import Board, BoardCell
from gitops.server.board.pulls import PullReader

WAITS = ("1 approval (the forge asks for 1)", "the forge (0 of 1 approvals)")


class Asked:
    """A world in which something is proposed, and the reader that the server has."""

    def __init__(self) -> None:
        self.world = make_world()
        self.world.propose()
        self.sessions = 0
        self.now = [0.0]
        self.told = 0
        self.board = self.look()
        self.reader = PullReader(self.lend, lambda: self.board, self.note)

    def look(self) -> Board:
        """Read Git."""
        session = self.world.session()
        return Board(read_state(session), "it")

    @contextmanager
    def lend(self) -> Iterator[Session]:
        """Lend a session, and count it."""
        self.sessions += 1
        yield self.world.session()

    def note(self, _board: Board) -> None:
        """Count what is told."""
        self.told += 1

    @property
    def cell(self) -> BoardCell:
        """The overlay that something is proposed for."""
        cell = self.board.cell("prod", None)
        assert cell is not None
        return cell

    def waits(self) -> tuple[str, ...]:
        """Return what the page says that it waits for."""
        known = self.reader.of(self.cell)
        assert known is not None
        assert known.waiting.proposal is not None
        return known.waiting.proposal.waits_for


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The reader has asked once; time stands still."""
    now = [1000.0]
    monkeypatch.setattr(reading.time, "monotonic", lambda: now[0])
    made = Asked()
    made.now = now
    assert made.reader._ask(made.board)
    return made


def test_number_link_and_what_it_waits_for(asked: Asked) -> None:
    """All of it is the forge's word on this head; nobody is told twice of the same."""
    known = asked.reader.of(asked.cell)
    assert known is not None
    assert known.waiting.proposal is not None
    assert known.waiting.proposal.number == 1
    assert known.waiting.proposal.url
    assert asked.waits() == WAITS

    assert not asked.reader._ask(asked.board)
    assert asked.sessions == 1  # a minute is not over
    asked.now[0] += 61
    assert not asked.reader._ask(asked.board)
    assert asked.sessions == 2


def test_a_hook_or_another_head_is_asked_about_at_once(asked: Asked) -> None:
    """An approval in the forge moves nothing in Git: a hook says so, and is heeded soon."""
    asked.world.forge.approve(1, "bo")
    asked.reader.ask_again()
    assert not asked.reader._ask(asked.board)  # hooks come in bursts
    asked.now[0] += 11
    assert asked.reader._ask(asked.board)
    assert asked.waits() == ()

    asked.world.propose("shop/web:2.1")
    asked.board = asked.look()
    assert asked.reader.of(asked.cell) is None  # that word was about another head
    assert asked.reader._ask(asked.board)
    assert asked.waits() == WAITS


def test_a_silent_forge_leaves_its_last_word(asked: Asked) -> None:
    """The page says since when it is old; a head that the forge never saw has no word."""
    asked.world.forge.down = Unavailable("the forge is away")
    asked.now[0] += 61
    assert asked.reader._ask(asked.board)
    known = asked.reader.of(asked.cell)
    assert known is not None
    assert (known.silent, known.at is not None) == ("the forge is away", True)
    assert asked.waits() == WAITS

    asked.world.forge.down = None
    asked.now[0] += 61
    assert asked.reader._ask(asked.board)
    known = asked.reader.of(asked.cell)
    assert known is not None
    assert known.silent is None


def test_a_proposal_that_ended_is_forgotten(asked: Asked) -> None:
    """Without a proposal no session is opened at all."""
    asked.world.forge.merge_by_hand(1)
    asked.board = asked.look()
    assert asked.cell.proposal is None
    assert asked.reader._ask(asked.board)
    assert asked.sessions == 1
    assert asked.reader.of(asked.cell) is None
