"""Approving on the forge in one's own name: the page's one click for review and merge."""

from __future__ import annotations

import pytest

from forge_world import BRANCH, World, make_world
from gitops.actions.approve import ApprovalPreview, ApproveRequest, approve
from gitops.actions.context.named import Named
from gitops.actions.hold import hold
from gitops.actions.pull_requests import decide
from gitops.core.git.commit import Identity
from gitops.core.report import WriteReport
from gitops.errors import Refused

ANA = Identity("Ana", "ana@example.com")
BEN = Identity("Ben", "ben@example.com")


@pytest.fixture
def world() -> World:
    """A promotion to prod waits; whoever calls has ben's own token."""
    found = make_world()
    found.stage()
    found.promote()
    found.forge.user = "ben"
    return found


def run(world: World, *, dry_run: bool = False, says: bool = True, **more: object) -> WriteReport:
    """Approve prod, as Ben, with a review."""
    request = ApproveRequest(Named(("prod",)), reviews=True, **more)  # type: ignore[arg-type]

    def confirm(_: ApprovalPreview) -> bool:
        return says

    return approve(world.session(BEN, dry_run=dry_run), request, confirm=confirm)


def test_one_click_reviews_and_merges(world: World) -> None:
    """The review is ben's, of the head that he saw; then the forge's rules let it in."""
    report = run(world, head=world.repository.head(BRANCH))

    assert ["ben"] == list(world.forge.approvers(1))
    assert ("committed", "merged") == (report.outcome, report.proposals[0].state)
    assert "prod: #1 is approved in your name" == report.notes[0]


def test_what_waits_for_others_is_no_error(world: World) -> None:
    """The approval is given, and what is still missing is told."""
    world.protect(2)
    report = run(world)

    assert ["ben"] == list(world.forge.approvers(1))
    assert "proposed" == report.outcome
    assert "in your name" in report.notes[0]
    assert report.proposals[0].waits_for
    assert world.repository.head(BRANCH) is not None


def test_nothing_is_given_where_it_may_not_be(world: World) -> None:
    """Not of another head, not by a look at what would be, not where the person was refused."""
    with pytest.raises(Refused):
        run(world, head="a" * 40)
    with pytest.raises(Refused):
        run(world, says=False)
    assert "would be approved in your name" in run(world, dry_run=True).notes[0]
    assert [] == list(world.forge.approvers(1))


@pytest.mark.parametrize("dry_run", [True, False])
def test_looked_at_and_decided_once(
    world: World, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    """One question to the forge which pull request it is, and one to policy; also for a preview."""
    looks, decisions = [], []
    find, judge = world.forge.find, decide.judge_proposal
    monkeypatch.setattr(world.forge, "find", lambda *names: looks.append(names) or find(*names))
    monkeypatch.setattr(
        decide, "judge_proposal", lambda *a, **k: decisions.append(a) or judge(*a, **k)
    )
    run(world, dry_run=dry_run)

    assert (1, 1) == (len(looks), len(decisions))


def test_what_came_while_the_review_was_given_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold that landed between the decision and the merge is in its way."""
    give = world.forge.give_approval

    def held_meanwhile(number: int, head: str) -> None:
        give(number, head)
        hold(world.session(ANA), Named(("prod",)), reason="INC-9")

    monkeypatch.setattr(world.forge, "give_approval", held_meanwhile)
    report = run(world)

    assert ["ben"] == list(world.forge.approvers(1))
    assert "proposed" == report.outcome
    assert "INC-9" in " ".join(report.notes)
    assert "merge" not in world.forge.calls
