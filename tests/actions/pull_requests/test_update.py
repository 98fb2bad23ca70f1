"""`approve --update`, and forges that merge by themselves: queues, trains, auto-merge."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from forge_world import BRANCH, PROD, STAGE, World, make_world, overlay
from gitops.actions.approve import ApproveRequest, approve
from gitops.actions.context.named import Named
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.actions.status import status
from gitops.core.git.commit import Identity
from gitops.core.git.message import trailers
from gitops.core.report import WriteReport
from gitops.errors import Refused
from gitops.ports import NoForge

BEN = Identity("Ben", "ben@example.com")


@pytest.fixture
def world() -> World:
    """A forge that asks for one approval; a promotion of shop/api 1.5.0 to prod waits."""
    found = make_world()
    found.propose()
    return found


def run(world: World, who: Identity = BEN, **more: object) -> WriteReport:
    """Approve prod."""
    return approve(world.session(who), ApproveRequest(Named(("prod",)), **more))  # type: ignore[arg-type]


def goes_on(world: World, **files: bytes) -> str:
    """Have main move on."""
    return world.repository.commit({STAGE: overlay("1.6.0"), **files}, "stage goes on\n")


def waits(world: World) -> tuple[str, ...]:
    """What status says that the proposal waits for."""
    return status(world.session(), ["prod"]).overlays[0].proposals[0].waits_for


def test_update_is_a_merge_that_brings_nothing(world: World) -> None:
    """Main is merged into the branch, files of both are as they were, and its author stays."""
    before, tip = world.repository.branches[BRANCH], goes_on(world)
    report = run(world, update=True)
    head = world.repository.branches[BRANCH]

    assert ("proposed", head) == (report.outcome, report.commit)
    assert (before, tip) == world.repository.commits[head].info.parents
    assert overlay("1.6.0") == world.repository.show(STAGE, BRANCH)
    assert b"1.5.0" in (world.repository.show(PROD, BRANCH) or b"")
    assert any("waits for 1 approval" in note for note in report.notes)
    assert ("1 approval (the forge asks for 1)",) == report.proposals[0].waits_for[:1]
    assert f"--head {head}" in world.forge.pulls[1].shown.body  # the text follows
    row = status(world.session(), ["prod"]).overlays[0].proposals[0]
    assert "Mona" == row.by


def test_update_and_merge_in_one_call(world: World) -> None:
    """Where the approvals are there after it, the same call merges; so nothing is in the way."""
    goes_on(world)
    world.protect(0)
    world.repository.followers.append(lambda: world.forge.approve(1, "cara"))
    report = run(world, update=True)

    assert "committed" == report.outcome
    assert any("is brought up to date with main" in note for note in report.notes)
    assert "1.5.0" in world.pins()
    assert world.repository.head(BRANCH) is None


def test_nothing_to_update(world: World) -> None:
    """Up to date already, `--update` changes nothing; a dry run writes nothing."""
    world.forge.approve(1, "cara")
    head = world.repository.branches[BRANCH]
    goes_on(world)
    planned = (
        run(world, update=True)
        if False
        else approve(
            world.session(BEN, dry_run=True), ApproveRequest(Named(("prod",)), update=True)
        )
    )
    assert ("planned", head) == (planned.outcome, world.repository.branches[BRANCH])
    world.repository.branches["main"] = world.repository.commits[
        world.repository.branches["main"]
    ].info.parents[0]
    assert "committed" == run(world, update=True).outcome


def test_both_changed_the_overlay(world: World) -> None:
    """Other lines of the overlay that changed on main stay; the proposed images come on top."""
    tip = overlay("1.4.0") + b"namePrefix: new-\n"
    world.repository.commit({PROD: tip}, "a prefix\n")
    run(world, update=True)

    after = world.repository.show(PROD, BRANCH) or b""
    assert (True, True) == (b"1.5.0" in after, b"namePrefix: new-" in after)


def test_what_others_wrote_is_for_people(world: World) -> None:
    """A branch that holds more than images is not updated here, either."""
    goes_on(world)
    world.repository.author = BEN
    mine = world.repository.commit({"note.md": b"A\n"}, "Ben's\n", branch=BRANCH)
    with pytest.raises(Refused, match=r"changes more than images: note.md, by .*Ben's"):
        run(world, update=True)
    assert mine == world.repository.branches[BRANCH]


def test_policy_is_asked_before_it_is_updated(world: World) -> None:
    """A head that moved, a hold, an author: nothing is written."""
    goes_on(world)
    before = world.repository.branches[BRANCH]
    with pytest.raises(Refused, match="moved from"):
        run(world, update=True, head="a" * 40)
    world.repository.commit({".gitops/holds/prod.yaml": b"by: x\nreason: y\nsince: z\n"})
    with pytest.raises(Refused, match="held by"):
        run(world, update=True)
    assert before == world.repository.branches[BRANCH]


def test_update_without_a_forge() -> None:
    """By Git alone it updates and merges, too; a rollback brings its hold through it."""
    world = make_world(prod="rollback: pull-request")
    world.missing = NoForge()
    world.propose()
    run(world)
    rollback(world.session(), RollbackRequest(Named(("prod",)), reason="INC-9"))
    goes_on(world)
    report = run(world, update=True)

    assert "committed" == report.outcome
    assert "1.4.0" in world.pins()
    assert world.repository.show(".gitops/holds/prod.yaml") is not None
    assert overlay("1.6.0") == world.repository.show(STAGE)


def test_a_refusal_tells_the_way(world: World) -> None:
    """Where main has gone on, what waits or is refused says how it is brought up to date."""
    goes_on(world)
    with pytest.raises(Refused) as caught:
        run(world)
    assert "`gitops approve prod --update`" in (caught.value.hint or "")


@pytest.mark.parametrize("queue", [True, False])
def test_it_is_left_to_the_forge(world: World, queue: bool) -> None:
    """With a queue always, with auto-merge while checks are missing; status follows it."""
    how = "the merge queue of main" if queue else "auto-merge"
    world.forge.hands_over, world.forge.queue_only = how, queue
    if not queue:
        world.protect(1, "ci/test")
    with pytest.raises(Refused, match="waits for 1 approval"):
        run(world)
    world.forge.approve(1, "cara")
    report = run(world)

    assert ("proposed", None) == (report.outcome, report.commit)
    assert (how,) == report.proposals[0].waits_for
    assert any(f"left to {how}" in note for note in report.notes)
    assert how == waits(world)[0]
    assert (how,) == run(world).proposals[0].waits_for  # twice says the same
    commit = world.forge.merge_waiting(1)
    said = trailers(world.repository.commits[commit].info.message)
    assert ("cara",) == said["Gitops-Approved-By"]
    assert "unchanged" == run(world).outcome


def test_auto_merge_is_not_for_what_is_ready(world: World) -> None:
    """Where nothing is waited for, it is merged at once."""
    world.forge.hands_over = "auto-merge"
    world.forge.approve(1, "cara")
    assert "committed" == run(world).outcome


@pytest.mark.parametrize("why", ["failed", "draft"])
def test_what_will_not_be_ready_is_refused(world: World, why: str) -> None:
    """A failed check, or a draft, is nothing to wait for."""
    world.forge.hands_over = "auto-merge"
    world.protect(1, "ci/test")
    world.forge.approve(1, "cara")
    if why == "failed":
        head = world.repository.branches[BRANCH]
        world.forge.set_status(head, "ci/test", "failure", "", "")
    else:
        world.forge.pulls[1].shown = replace(world.forge.pulls[1].shown, draft=True)
    with pytest.raises(Refused):
        run(world)
    assert world.forge.pulls[1].handed_over is None
