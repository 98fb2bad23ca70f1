"""One proposal of several overlays: `gitops/GROUP`, `gitops/ENV` of all its apps."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fake_forge import FakeForge
from gitops.actions.approve import ApproveRequest, approve
from gitops.actions.check import check
from gitops.actions.close import close
from gitops.actions.context.named import Named
from gitops.actions.context.session import Session
from gitops.actions.deploy import DeployRequest, deploy
from gitops.actions.hold import hold
from gitops.actions.index.state import read_state
from gitops.actions.promote import PromoteRequest, promote
from gitops.actions.releases.rollback_plan import RollbackRequest
from gitops.actions.rollback import rollback
from gitops.actions.status import status
from gitops.actions.undo import UndoRequest, undo
from gitops.core.git.commit import Identity
from gitops.core.git.message import trailers
from gitops.errors import Refused
from gitops.ports import PullRequest
from groups_world import APPS, BEN, PRODUCTION, GroupsWorld, path_of, pinned

GROUP = Named(("production",))
LABELS = [f"{app}/{name}" for name in PRODUCTION for app in APPS]
BRANCH = "gitops/production"
CAS = Identity("Cas", "cas@example.com")


@pytest.fixture
def world() -> GroupsWorld:
    """Production asks for approval, and stage has 1.1."""
    world = GroupsWorld(", change: pull-request")
    world.ship("1.1", "stage")
    return world


@pytest.fixture
def proposed(world: GroupsWorld) -> GroupsWorld:
    """Production waits for 1.1, as Ana proposed it."""
    promote(world.session(), PromoteRequest(("production",)))
    return world


def tags(world: GroupsWorld) -> set[str]:
    """Return what runs in production."""
    return {world.tag(app, name) for app in APPS for name in PRODUCTION}


def test_an_older_promotion_that_still_waits_is_told(proposed: GroupsWorld) -> None:
    """Stage went back to what production runs: nothing to carry, but 1.1 could be approved."""
    proposed.ship("1.0", "stage")
    report = promote(proposed.session(), PromoteRequest(("production",)))

    assert "unchanged" == report.outcome
    drop = "`gitops close production` drops it"
    assert (f"these images are there; {BRANCH} still proposes others: {drop}",) == report.notes


def waiting(world: GroupsWorld) -> list[str]:
    """Return the proposal branches."""
    return [one for one in world.repository.branches if one.startswith("gitops/")]


@pytest.mark.parametrize(
    ("words", "branches"),
    [
        (("production",), [BRANCH]),
        (PRODUCTION, [BRANCH]),
        (("prod-us",), ["gitops/prod-us"]),
        (("api/prod-us", "web/prod-us"), ["gitops/prod-us"]),
        (("web/production",), ["gitops/web/production"]),
        (("web/prod-us",), ["gitops/web/prod-us"]),
        (("web/prod-us", "api/prod-eu"), [BRANCH]),
    ],
)
def test_the_branch_is_the_narrowest_word_for_all(
    world: GroupsWorld, words: tuple[str, ...], branches: list[str]
) -> None:
    """One commit on one branch, with all of it."""
    report = promote(world.session(), PromoteRequest(words))

    assert (branches, 1) == (waiting(world), len(report.proposals))
    message = world.repository.commits[world.repository.branches[branches[0]]].info.message
    changed = [change.overlay.label for change in report.changes if change.overlay]
    assert changed == list(trailers(message)["Gitops-Environment"])
    again = promote(world.session(BEN), PromoteRequest(words))
    assert ("unchanged", branches) == (again.outcome, waiting(world))


def test_all_of_it_is_approved_at_once(proposed: GroupsWorld) -> None:
    """One commit that merges the one head; a part of it cannot be approved alone."""
    before, head = proposed.repository.head(), proposed.repository.branches[BRANCH]

    with pytest.raises(Refused, match="proposed together with") as error:
        approve(proposed.session(BEN), ApproveRequest(Named(("prod-us",))))
    assert "`gitops approve production`" in (error.value.hint or "")
    report = approve(proposed.session(BEN), ApproveRequest(GROUP, head=head))

    newest = proposed.repository.commits[proposed.repository.head() or ""].info
    assert ((before, head), {"1.1"}) == (newest.parents, tags(proposed))
    assert ["gitops/ledger"] == waiting(proposed)
    assert [("merged", tuple(LABELS))] == [(one.state, one.overlays) for one in report.proposals]
    assert LABELS == list(trailers(newest.message)["Gitops-Environment"])


def test_status_shows_it_in_each(proposed: GroupsWorld) -> None:
    """Each overlay that waits says so."""
    report = status(proposed.session(), ("production",))

    assert {(BRANCH, "open")} == {
        (one.branch, one.state) for entry in report.overlays for one in entry.proposals
    }
    assert not report.warnings


@pytest.mark.parametrize("verb", ["status", "approve", "close"])
def test_what_it_changes_is_found_out_once(
    proposed: GroupsWorld, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """However many overlays look at it: of hundreds each would compare hundreds."""
    compared: list[tuple[str, str]] = []
    changed = proposed.repository.changed

    def counting(before: str, after: str) -> tuple[str, ...]:
        compared.append((before, after))
        return changed(before, after)

    monkeypatch.setattr(proposed.repository, "changed", counting)
    session = proposed.session(BEN, dry_run=True)
    match verb:
        case "status":
            status(session, ("production",))
        case "approve":
            approve(session, ApproveRequest(GROUP))
        case "close":
            close(session, GROUP)
    assert 1 == len(compared)


def test_an_overlay_that_nobody_can_read_is_no_fault_of_it(proposed: GroupsWorld) -> None:
    """Where it changes nothing of one, nothing is said of its branch."""
    close(proposed.session(), GROUP)
    proposed.repository.commit({path_of("web", "prod-us"): b"images: ["}, "break web")
    promote(proposed.session(), PromoteRequest(("api/production",)))
    promote(proposed.session(), PromoteRequest(("api/prod-us", "cart/prod-us")))

    state = read_state(proposed.session())
    assert ((), None) == (state.cells["web/prod-us"].notes, state.cells["web/prod-us"].proposal)
    assert state.cells["cart/prod-us"].proposal is not None


def test_narrower_ones_become_part_of_it(world: GroupsWorld) -> None:
    """Their branches go in the same push; who proposed them may not approve."""
    promote(world.session(CAS), PromoteRequest(("web/prod-us",)))
    world.ship("1.2", "stage", apps=("api", "cart"))

    report = promote(
        world.session(), PromoteRequest(("production",), names=("shop/api", "shop/cart"))
    )

    assert [BRANCH] == waiting(world)
    assert any("takes the place of gitops/web/prod-us" in note for note in report.notes)
    with pytest.raises(Refused, match="is an author"):
        approve(world.session(CAS), ApproveRequest(GROUP))
    approve(world.session(BEN), ApproveRequest(GROUP))
    assert ("1.1", "1.0", "1.2") == (
        world.tag("web", "prod-us"),
        world.tag("web", "prod-eu"),
        world.tag("api", "prod-us"),
    )


def test_a_part_joins_what_waits(proposed: GroupsWorld) -> None:
    """One app's newer image goes into the open proposal, and the others stay in it."""
    proposed.ship("1.2", "stage", apps=("web",))

    promote(proposed.session(BEN), PromoteRequest(("web/prod-us",)))

    assert [BRANCH] == waiting(proposed)
    with pytest.raises(Refused, match="is an author"):
        approve(proposed.session(), ApproveRequest(GROUP))
    approve(proposed.session(CAS), ApproveRequest(GROUP))
    assert ("1.2", "1.1", "1.1") == (
        proposed.tag("web", "prod-us"),
        proposed.tag("web", "prod-eu"),
        proposed.tag("api", "prod-us"),
    )


@pytest.mark.parametrize(
    "files",
    [
        {path_of("web", "stage"): pinned("web", "6.6")},
        {"base/api.yaml": b"kind: List\n"},
        {path_of("web", "prod-us"): pinned("web", "1.1") + b"namePrefix: x\n"},
        {path_of("api", "prod-eu"): pinned("api", "1.0") + b"namePrefix: x\n"},
        {".gitops/holds/web/prod-us.yaml": b"by: x\nreason: y\n"},
    ],
)
def test_what_it_holds_beside_images_is_refused(
    proposed: GroupsWorld, files: dict[str, bytes]
) -> None:
    """Of another overlay, of none, of one whose image is wanted, of one that wants nothing."""
    proposed.repository.commit(files, "more\n", branch=BRANCH)

    with pytest.raises(Refused, match="changes more than images"):
        approve(proposed.session(BEN), ApproveRequest(GROUP))

    assert {"1.0"} == tags(proposed)


def test_a_rollback_of_a_part_leaves_it_and_says_so(proposed: GroupsWorld) -> None:
    """What waits for the others is still wanted; of all of it it goes."""
    proposed.ship("1.0.1", *PRODUCTION)

    part = rollback(proposed.session(), RollbackRequest(Named(("prod-us",))))
    assert any("gitops/production still wants" in text for text in part.warnings)
    assert [BRANCH] == waiting(proposed)

    rollback(proposed.session(), RollbackRequest(Named(("prod-eu",))))
    proposed.ship("1.0.2", *PRODUCTION)
    report = rollback(proposed.session(), RollbackRequest(GROUP))
    assert ([], [BRANCH]) == (waiting(proposed), [one.branch for one in report.proposals])


def test_a_group_rollback_is_proposed_and_proved() -> None:
    """Its holds come along, each overlay is proved, and check finds nothing in the merge."""
    world = GroupsWorld(", change: pull-request, rollback: pull-request")
    world.ship("1.1", *PRODUCTION)
    world.ship("1.2", "prod-us", apps=("web",))

    rollback(world.session(), RollbackRequest(GROUP, reason="INC-42"))
    assert [BRANCH] == waiting(world)
    with pytest.raises(Refused, match="a rollback by Ana waits"):
        deploy(world.session(), DeployRequest(("shop/web:1.0",), to=("web/prod-us",)))
    report = approve(world.session(BEN), ApproveRequest(GROUP))

    assert ("1.1", "1.0") == (world.tag("web", "prod-us"), world.tag("web", "prod-eu"))
    assert 6 == len(report.holds)
    undo(world.session(), UndoRequest(GROUP))
    assert [BRANCH] == [one for one in waiting(world) if one != "gitops/ledger"]
    approve(world.session(BEN), ApproveRequest(GROUP))
    assert ("1.2", "1.1") == (world.tag("web", "prod-us"), world.tag("web", "prod-eu"))


def test_a_false_rollback_of_one_lets_none_in() -> None:
    """A value that was never there, in one of the overlays that it names."""
    world = GroupsWorld(", change: pull-request, rollback: pull-request")
    world.ship("1.1", *PRODUCTION)
    rollback(world.session(), RollbackRequest(GROUP))
    world.repository.commit({path_of("web", "prod-us"): pinned("web", "6.6")}, "x\n", branch=BRANCH)

    with pytest.raises(Refused, match="says that it is a rollback, and is none"):
        approve(world.session(BEN), ApproveRequest(GROUP))


def test_it_is_closed_as_a_whole(proposed: GroupsWorld) -> None:
    """A part of it cannot be dropped alone."""
    with pytest.raises(Refused, match="proposed together with"):
        close(proposed.session(), Named(("web/production",)))
    report = close(proposed.session(), GROUP)

    assert ("closed", 1, []) == (report.outcome, len(report.proposals), waiting(proposed))


def test_a_forge_has_one_pull_request(world: GroupsWorld) -> None:
    """With a row for each image; what a narrower one had is closed with a word there."""
    forge = FakeForge(world.repository)

    def session(who: Identity = BEN) -> Session:
        return replace(world.session(who), forge=lambda _: forge)

    promote(session(CAS), PromoteRequest(("web/prod-us",)))
    report = promote(session(Identity("Ana", "ana@example.com")), PromoteRequest(("production",)))

    pulls = forge.pulls
    assert 2 == len(pulls)
    narrow, wide = (pulls[number].shown for number in sorted(pulls))
    assert any("part of `gitops/production` now" in one for one in pulls[min(pulls)].comments)
    assert ("closed", "open") == (narrow.state, wide.state)
    assert all(label in wide.body for label in LABELS)
    assert "gitops approve production --head" in wide.body
    assert 1 == len([one for one in report.proposals if one.state == "open" and one.number])
    with pytest.raises(Refused, match="waits for"):
        approve(session(), ApproveRequest(GROUP))
    forge.approve(sorted(pulls)[1], "cara")

    done = approve(session(), ApproveRequest(GROUP))

    assert ("committed", 1, {"1.1"}) == (done.outcome, len(done.commits), tags(world))
    checked = check(session(), None)
    assert () == checked.findings


def test_a_forge_is_asked_once_about_what_is_of_many(
    world: GroupsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many overlays wait in one pull request, it is looked for once."""
    forge = FakeForge(world.repository)
    asked: list[str] = []
    find = forge.find

    def counted(branch: str, base: str) -> PullRequest | None:
        asked.append(branch)
        return find(branch, base)

    monkeypatch.setattr(forge, "find", counted)

    def session(who: Identity = BEN) -> Session:
        return replace(world.session(who), forge=lambda _: forge)

    promote(session(CAS), PromoteRequest(("production",)))
    asked.clear()
    status(session(), ("production",))
    assert [BRANCH] == asked
    asked.clear()
    hold(session(), GROUP, reason="a look first")
    assert [BRANCH] == asked


def test_a_rollback_that_waits_alone_keeps_its_right_of_way() -> None:
    """What is proposed together neither hides it nor goes in before it."""
    world = GroupsWorld(", change: pull-request, rollback: pull-request")
    world.ship("1.1", *PRODUCTION, "stage")
    world.ship("1.2", "stage")
    promote(world.session(), PromoteRequest(("production",)))
    rollback(world.session(), RollbackRequest(Named(("web/prod-us",))))

    assert {BRANCH, "gitops/web/prod-us"} == set(waiting(world))
    with pytest.raises(Refused, match="is proposed on gitops/web/prod-us and on gitops/production"):
        approve(world.session(BEN), ApproveRequest(GROUP))
    approve(world.session(BEN), ApproveRequest(Named(("web/prod-us",))))

    assert ("1.0", "1.1") == (world.tag("web", "prod-us"), world.tag("web", "prod-eu"))
