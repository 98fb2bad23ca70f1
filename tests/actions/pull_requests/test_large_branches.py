"""A proposal's branch that somebody blew up keeps nobody from looking, going back or closing it."""

from __future__ import annotations

import pytest

from forge_world import BRANCH, PROD, World, make_world, overlay
from gitops.actions.approve import ApproveRequest, approve
from gitops.actions.close import close
from gitops.actions.context.named import Named
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.actions.status import status
from gitops.core.git.commit import Identity
from gitops.errors import Refused

BEN = Identity("Ben", "ben@example.com")


@pytest.fixture
def world() -> World:
    """prod went from 1.4.0 to 1.4.1; a promotion waits on a branch that is not read any more."""
    world = make_world()
    world.repository.commit({PROD: overlay("1.4.1")}, "newer\n")
    world.propose()
    world.repository.large.add(BRANCH)
    return world


def test_status_tells_it(world: World) -> None:
    """All is shown, with what is wrong there and how to be rid of it."""
    shown = status(world.session())

    (prod,) = (one for one in shown.overlays if one.overlay.label == "prod")
    assert () == prod.proposals
    assert any("more than 64 MB" in note and "gitops close prod" in note for note in shown.warnings)


def test_going_back_drops_it(world: World) -> None:
    """One commit, as ever; the branch goes."""
    report = rollback(world.session(), RollbackRequest(Named(("prod",))))

    assert "committed" == report.outcome
    assert "1.4.0" in world.pins()
    assert world.repository.head(BRANCH) is None


def test_it_can_be_closed(world: World) -> None:
    """`close` needs to know nothing of it but where it stands."""
    report = close(world.session(), Named(("prod",)))

    assert world.repository.head(BRANCH) is None
    assert [("closed", BRANCH)] == [(one.state, one.branch) for one in report.proposals]


def test_nobody_approves_it(world: World) -> None:
    """What nobody can read is not merged."""
    before = world.repository.head()
    with pytest.raises(Refused, match="more than 64 MB") as told:
        approve(world.session(BEN), ApproveRequest(Named(("prod",))))

    assert "gitops close prod" in (told.value.hint or "")
    assert before == world.repository.head()


def test_the_next_promotion_takes_its_place(world: World) -> None:
    """What is proposed next replaces it."""
    old = world.repository.head(BRANCH)
    report = world.promote()
    world.repository.large.clear()

    assert "proposed" == report.outcome
    assert world.repository.head(BRANCH) not in (None, old)
    assert "1.5.0" in world.pins(BRANCH)
