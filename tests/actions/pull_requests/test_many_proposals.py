"""`approve` and `close` of several proposals: of environments that no group has together."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fake_forge import FakeForge
from gitops.actions.approve import ApprovalPreview, ApproveRequest, approve
from gitops.actions.close import close
from gitops.actions.context.named import Named
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.promote import PromoteRequest, promote
from gitops.actions.releases.rollback_plan import RollbackRequest
from gitops.actions.rollback import rollback
from gitops.actions.status import status
from gitops.core.git.message import trailers
from gitops.errors import NotFound, Refused, UsageError
from gitops.ports import Snapshot
from groups_world import APPS, BEN, PRODUCTION, GroupsWorld

BOTH = Named(PRODUCTION)
LABELS = [f"{app}/{name}" for name in PRODUCTION for app in APPS]


@pytest.fixture
def proposed() -> GroupsWorld:
    """Both prods wait for 1.1, each on a branch of its own, as Ana proposed it."""
    world = GroupsWorld(", change: pull-request", groups="")
    world.ship("1.1", "stage")
    promote(world.session(), PromoteRequest(PRODUCTION))
    return world


def tags(world: GroupsWorld) -> set[str]:
    """Return what runs in production."""
    return {world.tag(app, name) for app in APPS for name in PRODUCTION}


def waiting(world: GroupsWorld) -> list[str]:
    """Return the proposal branches."""
    return [name for name in world.repository.branches if name.startswith("gitops/")]


def test_several_are_approved_by_one_commit(proposed: GroupsWorld) -> None:
    """One question with all of it; the branches go with it."""
    before = proposed.repository.head()
    asked: list[ApprovalPreview] = []

    def confirm(preview: ApprovalPreview) -> bool:
        asked.append(preview)
        return True

    report = approve(proposed.session(BEN), ApproveRequest(BOTH), confirm=confirm)

    newest = proposed.repository.commits[proposed.repository.head() or ""].info
    assert (before, "committed", 1) == (newest.parents[0], report.outcome, len(asked))
    assert ({"1.1"}, ["gitops/ledger"]) == (tags(proposed), waiting(proposed))
    said = trailers(newest.message)
    assert (("promote",), LABELS) == (said["Gitops-Action"], list(said["Gitops-Environment"]))
    assert (6, 2, 2) == (len(asked[0].changes), len(asked[0].heads), len(report.proposals))
    assert 3 == len(newest.parents)


def test_nobody_approves_a_group_of_their_own(proposed: GroupsWorld) -> None:
    """Nothing is recorded, nothing lands."""
    with pytest.raises(Refused, match="is an author of this proposal"):
        approve(proposed.session(), ApproveRequest(BOTH))

    assert ({"1.0"}, 2) == (tags(proposed), len(waiting(proposed)))


def test_what_stands_against_one_keeps_all(proposed: GroupsWorld) -> None:
    """The whole call is refused with all reasons; an override passes all that stood."""
    held = {f".gitops/holds/{label}.yaml": b"by: Cas\nreason: INC-1\n" for label in LABELS[:2]}
    proposed.repository.commit(held)

    with pytest.raises(Refused) as error:
        approve(proposed.session(BEN), ApproveRequest(BOTH))

    assert 2 == len(error.value.reasons)
    assert ({"1.0"}, 2) == (tags(proposed), len(waiting(proposed)))
    report = approve(proposed.session(BEN), ApproveRequest(BOTH, override="the fix"))
    said = trailers(proposed.repository.commits[report.commit or ""].info.message)
    assert 2 == len(said["Gitops-Override"])


def test_two_must_agree_to_all(proposed: GroupsWorld) -> None:
    """Where one environment wants a second word, none lands before it is given."""
    config = (proposed.repository.show("gitops.yaml") or b"").replace(
        b'prod-us", after: [stage]', b'prod-us", after: [stage], approvals: {required: 2}'
    )
    proposed.repository.commit({"gitops.yaml": config})

    first = approve(proposed.session(BEN), ApproveRequest(BOTH))
    middle = tags(proposed)
    cas = replace(BEN, name="Cas", email="cas@example.com")
    approve(proposed.session(cas), ApproveRequest(BOTH))

    assert ({"1.0"}, 3) == (middle, len(first.notes))
    assert {"1.1"} == tags(proposed)


def test_those_that_wait_are_meant(proposed: GroupsWorld) -> None:
    """What has no proposal is no error beside one; without any there is nothing to approve."""
    close(proposed.session(), Named(("prod-us",)), reason="later")
    report = approve(proposed.session(BEN), ApproveRequest(BOTH))

    assert 3 == len(report.changes)
    with pytest.raises(NotFound, match="has no open proposal"):
        approve(proposed.session(BEN), ApproveRequest(BOTH))
    promote(proposed.session(), PromoteRequest(("prod-us",)))
    proposed.ship("1.2", "stage")
    promote(proposed.session(), PromoteRequest(("prod-eu",)))
    with pytest.raises(UsageError, match="--head is of one proposal"):
        approve(proposed.session(BEN), ApproveRequest(BOTH, head="a" * 40))


def test_a_group_is_closed_in_one_push(proposed: GroupsWorld) -> None:
    """All branches go; again there is nothing to do."""
    report = close(proposed.session(), BOTH, reason="not now")
    again = close(proposed.session(), BOTH)

    assert ("closed", 2, []) == (report.outcome, len(report.proposals), waiting(proposed))
    assert ("unchanged", 1) == (again.outcome, len(again.notes))


def test_with_a_forge_all_are_asked_before_one_is_merged(proposed: GroupsWorld) -> None:
    """One that lacks an approval keeps all; then they are merged one after the other."""
    forge = FakeForge(proposed.repository)

    def session() -> Session:
        return replace(proposed.session(BEN), forge=lambda _: forge)

    promote(replace(proposed.session(), forge=lambda _: forge), PromoteRequest(PRODUCTION))
    numbers = sorted(forge.pulls)
    for number in numbers[:-1]:
        forge.approve(number, "cara")
    with pytest.raises(Refused, match="waits for"):
        approve(session(), ApproveRequest(BOTH))
    assert {"1.0"} == tags(proposed)
    forge.approve(numbers[-1], "cara")

    report = approve(session(), ApproveRequest(BOTH))

    assert ("committed", {"1.1"}, 2) == (report.outcome, tags(proposed), len(report.commits))


@pytest.mark.parametrize("verb", ["status", "approve", "close", "promote", "deploy", "rollback"])
def test_branches_of_many_are_fetched_together(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """Whoever looks at the proposals of many overlays asks for their branches first, at once."""
    world = GroupsWorld(", change: pull-request", groups="")
    world.ship("1.1", "stage", "prod-us")
    world.ship("1.2", "stage")
    for app in APPS:
        promote(world.session(), PromoteRequest((f"{app}/prod-us",)))
    world.ship("1.3", "stage")
    branches = {f"gitops/{app}/prod-us" for app in APPS}
    read: list[set[str]] = []
    snapshot = world.repository.snapshot

    def reading(branch: str | None = None) -> Snapshot:
        read.extend([{branch}] if branch in branches else [])
        return snapshot(branch)

    monkeypatch.setattr(world.repository, "snapshot", reading)
    monkeypatch.setattr(world.repository, "gather_branches", lambda names: read.append({*names}))
    session, named = world.session(BEN, dry_run=True), ("prod-us",)
    match verb:
        case "status":
            status(session, named)
        case "approve":
            approve(session, ApproveRequest(Named(named)))
        case "close":
            close(session, Named(named))
        case "promote":
            promote(session, PromoteRequest(named))
        case "deploy":
            images = tuple(f"shop/{app}:1.3" for app in APPS)
            deploy(session, DeployRequest(images, to=named, override="a fix"))
        case "rollback":
            rollback(session, RollbackRequest(Named(named)))
    assert (branches, 3) == (read[0], len(read) - read.count(branches))
