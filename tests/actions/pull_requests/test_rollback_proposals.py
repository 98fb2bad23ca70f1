"""A rollback and what waits for approval: it queues behind nobody, and nothing jumps it."""

from __future__ import annotations

import pytest

from forge_world import BRANCH, HOLD, PROD, World, make_world, overlay
from gitops.actions.approve import ApproveRequest, approve
from gitops.actions.context.named import Named
from gitops.actions.promote import PromoteRequest, promote
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.actions.status import status
from gitops.core.git.commit import Identity
from gitops.core.report import WriteReport
from gitops.errors import Denied, GitopsError, Protected, Refused, Unavailable
from gitops.ports import NoForge

BEN = Identity("Ben", "ben@example.com")


def back(world: World, **more: object) -> WriteReport:
    """Roll prod back, as Mona."""
    request = RollbackRequest(Named(("prod",)), **more)  # type: ignore[arg-type]
    return rollback(world.session(), request)


def waiting(prod: str = "") -> World:
    """prod went from 1.4.0 to 1.4.1; a promotion of 1.5.0 waits, approved by ana."""
    world = make_world(prod)
    world.repository.commit({PROD: overlay("1.4.1")}, "newer\n")
    world.propose()
    world.forge.approve(1, "ana")
    return world


def test_a_direct_rollback_closes_what_waits() -> None:
    """One commit with its hold; the pull request is closed with the reason, its branch gone."""
    world = waiting()
    before = world.repository.head()
    report = back(world, reason="INC-42")
    pull = world.forge.pulls[1]

    assert ("committed", world.repository.head()) == (report.outcome, report.commit)
    assert (before,) == world.repository.commits[report.commit or ""].info.parents
    assert "1.4.0" in world.pins()
    assert b"INC-42" in (world.repository.show(HOLD) or b"")
    assert (None, "closed") == (world.repository.head(BRANCH), pull.shown.state)
    (comment,) = pull.comments
    assert "`Mona` rolled back `prod` to `" in comment
    assert f"in `{(report.commit or '')[:7]}`: `INC-42`" in comment
    assert "`gitops resume prod`" in comment
    assert [("closed", 1)] == [(one.state, one.number) for one in report.proposals]
    assert any(f"drops the proposal {BRANCH}" in note for note in report.notes)


def test_without_a_forge_the_branch_goes() -> None:
    """The same with Git alone."""
    world = waiting()
    world.missing = NoForge()
    report = back(world)

    assert "committed" == report.outcome
    assert world.repository.head(BRANCH) is None
    assert [("closed", None)] == [(one.state, one.number) for one in report.proposals]


def test_the_way_back_needs_no_forge() -> None:
    """A forge that is down costs a warning, and no time."""
    world = waiting()
    world.forge.down = Unavailable("no answer")
    report = back(world)

    assert ("committed", 0) == (report.outcome, world.clock.passed)
    assert any("was not told why: no answer" in text for text in report.warnings)


def test_the_way_back_needs_no_clean_branch() -> None:
    """Whatever somebody pushed to gitops/prod, the rollback lands."""
    world = waiting()
    broken = {PROD: b"images: [\n"}
    world.repository.commit(broken, "x\n", branch=BRANCH, parents=[world.repository.head() or ""])

    assert "committed" == back(world).outcome
    assert world.repository.head(BRANCH) is None


def test_a_server_that_keeps_the_branch_keeps_nobody_from_going_back() -> None:
    """When the proposal's branch may not be deleted, the rollback lands without that."""
    world = waiting()
    world.repository.refuses[f"-{BRANCH}"] = Protected(f"{BRANCH} is protected")
    report = back(world, reason="INC-42")

    assert "committed" == report.outcome
    assert "closed" == world.forge.pulls[1].shown.state
    assert any("could not be deleted" in text for text in report.warnings)
    assert () == status(world.session(), ["prod"]).overlays[0].proposals


@pytest.mark.parametrize("error", [Protected("main is protected: x"), Denied("no permission: x")])
def test_a_protected_branch_is_said_with_the_way_out(error: GitopsError) -> None:
    """The server's words and who may; never a pull request in place of what was asked for."""
    world = waiting()
    head, before = world.repository.head(BRANCH), world.repository.head()
    world.repository.refuses["main"] = error
    with pytest.raises(Denied) as caught:
        back(world)

    assert error.message == caught.value.message
    assert isinstance(error, Protected) == ("rollback: pull-request" in (caught.value.hint or ""))
    assert (head, before) == (world.repository.head(BRANCH), world.repository.head())
    assert ("open", []) == (world.forge.pulls[1].shown.state, world.forge.pulls[1].comments)


def test_a_dry_run_drops_nothing() -> None:
    """--dry-run says what would go, and lets it stand."""
    world = waiting()
    head = world.repository.head(BRANCH)
    report = rollback(world.session(dry_run=True), RollbackRequest(Named(("prod",))))

    assert any(f"drops the proposal {BRANCH} (" in note for note in report.notes)
    assert ("planned", head) == (report.outcome, world.repository.head(BRANCH))
    assert "open" == world.forge.pulls[1].shown.state


def test_what_has_landed_is_swept() -> None:
    """A merged proposal whose branch was left is deleted with the rollback, without a comment."""
    world = waiting()
    world.forge.merge_by_hand(1)
    report = back(world)

    assert ("committed", None) == (report.outcome, world.repository.head(BRANCH))
    assert [] == world.forge.pulls[1].comments


def test_a_proposed_rollback_jumps_over_what_waits() -> None:
    """It takes the branch, in a pull request of its own: no approval of the other counts for it."""
    world = waiting("rollback: pull-request")
    report = back(world, reason="INC-42")
    old, new = world.forge.pulls[1], world.forge.pulls[2]

    assert ("proposed", 2) == (report.outcome, report.proposals[0].number)
    assert ("closed", "open") == (old.shown.state, new.shown.state)
    assert ["`Mona` asked for a rollback of `prod` to `"] == [
        text.partition("Closed, since ")[2][:42] for text in old.comments
    ]
    assert "INC-42" in old.comments[0]
    assert new.shown.body.startswith("**Rollback** of `prod`")
    assert "It brings a hold along" in new.shown.body
    assert "It restores `" in new.shown.body
    assert [] == new.comments
    with pytest.raises(Refused):
        approve(world.session(BEN), ApproveRequest(Named(("prod",))))
    world.forge.approve(2, "bo")
    done = approve(world.session(BEN), ApproveRequest(Named(("prod",))))
    assert "committed" == done.outcome
    assert done.hold is not None
    assert "1.4.0" in world.pins()
    assert b"INC-42" in (world.repository.show(HOLD) or b"")


def test_a_rollback_proposed_twice_is_once() -> None:
    """The second call finds it waiting: no new head, no comment."""
    world = waiting("rollback: pull-request")
    back(world, reason="INC-42")
    head, calls = world.repository.head(BRANCH), list(world.forge.calls)
    again = back(world, reason="INC-42")

    assert ("unchanged", 2) == (again.outcome, again.proposals[0].number)
    assert (head, calls) == (world.repository.head(BRANCH), world.forge.calls)


def test_nothing_goes_in_before_a_proposed_rollback() -> None:
    """While a rollback waits a promotion is refused; an override takes its place."""
    world = waiting("rollback: pull-request")
    back(world, reason="INC-42")
    with pytest.raises(Refused) as caught:
        world.promote()
    assert (f"prod: a rollback by Mona waits on {BRANCH}",) == caught.value.reasons
    report = promote(world.session(BEN), PromoteRequest(to=("prod",), override="the fix is there"))

    assert ("proposed", 3) == (report.outcome, report.proposals[0].number)
    assert "closed" == world.forge.pulls[2].shown.state
    assert "`Ben` replaced `" in world.forge.pulls[2].comments[0]
    content = world.pins(BRANCH)
    assert "1.5.0" in content
    assert world.repository.show(HOLD, BRANCH) is None


def test_a_killed_jump_is_mended() -> None:
    """Killed between push and forge: the next call ends the one and opens the other."""
    world = waiting("rollback: pull-request")
    world.forge.before["close"] = _raise(Denied("no answer"))
    with pytest.raises(Denied):
        back(world)
    assert ["open"] == [one.shown.state for one in world.forge.pulls.values()]
    report = back(world)

    assert ("unchanged", 2) == (report.outcome, report.proposals[0].number)
    assert ["closed", "open"] == [one.shown.state for one in world.forge.pulls.values()]


def test_a_proposal_that_moves_meanwhile_goes_too() -> None:
    """Somebody renews the proposal while the rollback is pushed: both are settled in one push."""
    world = waiting()
    world.repository.rivals = [
        lambda: world.repository.commit({PROD: overlay("1.5.2")}, "x\n", branch=BRANCH)
    ]
    report = back(world)

    assert ("committed", 2) == (report.outcome, report.attempts)
    assert world.repository.head(BRANCH) is None


def _raise(error: Exception):  # type: ignore[no-untyped-def]
    def act() -> None:
        raise error

    return act
