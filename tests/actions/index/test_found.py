"""What was found of proposals is kept, and is what would be found anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from fakes import FakeRepository, session_on
from gitops.actions.context.overlays import overlays_of
from gitops.actions.context.policy_branch import open_tip
from gitops.actions.context.session import Tip
from gitops.actions.context.view import OverlayView, view_of
from gitops.actions.index import found as room
from gitops.actions.index.found import FoundProposals
from gitops.actions.promote import PromoteRequest, promote
from gitops.actions.proposals.find import MORE, ProposalLookup, find_proposal
from gitops.actions.status import status
from gitops.adapters.gitrepo.cache.index import KeptIndex
from gitops.core.environments.environment import Overlay
from gitops.errors import GitopsError
from groups_world import APPS, PRODUCTION, GroupsWorld, path_of, pinned
from index_stories import Story

Files = dict[str, bytes | None]


def overlays(tip: Tip) -> list[Overlay]:
    """All of them."""
    rows = tip.config.environments
    return [one for row in rows for one in overlays_of(tip.of(row), row)]


def notes(view: OverlayView) -> dict[str, object]:
    """What is known of the branches that may propose something for an overlay."""
    try:
        find_proposal(view)
    except GitopsError:
        return {}
    return {name: one for name, one in view.notes.items() if isinstance(one, ProposalLookup)}


def look(repository: FakeRepository, index: KeptIndex | None) -> tuple[Mapping[str, object], int]:
    """Overlay -> what is found of its branches, and how many of these had to be looked at."""
    session = session_on(repository, intent="1", index=index)
    tip = open_tip(session)
    found, there = FoundProposals(session, tip), overlays(tip)
    rest = found.recall(there)
    told = {one.label: notes(view_of(session, tip, one)) for one in there}
    found.keep(there)
    return told, len(rest) if index is not None else 0


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(1, 21))
def test_it_is_what_a_new_look_finds(seed: int) -> None:
    """Deploys, merges of three kinds, updates, rewinds, other rows: the same at every step."""
    story, index = Story(seed), KeptIndex(None)
    steps = [*story.steps, *[story.propose, story.propose_more, story.merge] * 3]
    for _ in range(20):
        for _ in range(story.draw.choice([0, 1, 1, 2])):
            story.draw.choice(steps)()
        anew, _ = look(story.repository, None)
        assert look(story.repository, index)[0] == anew
        again, asked = look(story.repository, index)
        broken = sum(not one for one in anew.values())
        assert (again, asked <= broken) == (anew, True)


@pytest.fixture
def world() -> GroupsWorld:
    """Each overlay of prod-us has a proposal of its own."""
    world = GroupsWorld(", change: pull-request")
    world.ship("1.1", "stage")
    for app in APPS:
        promote(world.session(), PromoteRequest((f"{app}/prod-us",)))
    return world


BRANCH = "gitops/web/prod-us"


def deploy(world: GroupsWorld) -> None:
    """Something lands elsewhere."""
    world.ship("1.2", "stage")


def edit(world: GroupsWorld) -> None:
    """Something lands beside the kustomization of one."""
    world.repository.commit({"apps/web/prod-us/patch.yaml": b"x\n"})


def add(world: GroupsWorld) -> None:
    """Somebody puts a commit on one."""
    world.repository.commit({path_of("web", "prod-us"): pinned("web", "7")}, branch=BRANCH)


def take_nothing(world: GroupsWorld) -> None:
    """One is merged, and nothing of it is taken."""
    parents = (world.repository.branches["main"], world.repository.branches[BRANCH])
    world.repository.commit({}, "Merge\n", parents=parents)


def forward(world: GroupsWorld) -> None:
    """The base goes on at a commit of one that touches no overlay."""
    main = world.repository.branches["main"]
    first = world.repository.commit({"README": b"x\n"}, branch=BRANCH, parents=(main,))
    world.repository.commit({path_of("web", "prod-us"): pinned("web", "7")}, branch=BRANCH)
    look(world.repository, INDEX[0])
    world.repository.branches["main"] = first


def catch_up(world: GroupsWorld) -> None:
    """The base has the images of one already, and now what is beside them, too."""
    world.repository.commit({"README": b"x\n"}, branch=BRANCH)
    world.repository.commit({path_of("web", "prod-us"): pinned("web", "1.1")})
    look(world.repository, INDEX[0])
    world.repository.commit({"README": b"x\n"})


def configure(world: GroupsWorld) -> None:
    """Another word in gitops.yaml."""
    text = (world.repository.show("gitops.yaml") or b"") + b"# a word\n"
    world.repository.commit({"gitops.yaml": text})


def close(world: GroupsWorld) -> None:
    """One goes."""
    del world.repository.branches[BRANCH]


INDEX: list[KeptIndex] = []


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (deploy, 0),
        (edit, 1),
        (add, 1),
        (take_nothing, 1),
        (catch_up, 1),
        (forward, 1),
        (configure, 3),
        (close, 0),
    ],
)
def test_only_what_may_have_changed_is_looked_at(
    world: GroupsWorld, change: Callable[[GroupsWorld], None], asked: int
) -> None:
    """A branch is read again where it moved, or where its base did below it."""
    index = KeptIndex(None)
    INDEX[:] = [index]
    assert look(world.repository, index)[1] == 3
    change(world)
    again, count = look(world.repository, index)
    assert (again, count) == (look(world.repository, None)[0], asked)


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (deploy, 0),
        (edit, 6),
        (lambda world: world.repository.commit({"apps/new/prod-eu/kustomization.yaml": b""}), 7),
    ],
)
def test_what_several_wait_for_together(
    world: GroupsWorld, change: Callable[[GroupsWorld], None], asked: int
) -> None:
    """It is read again where anything landed in any of them."""
    promote(world.session(), PromoteRequest(("production",)))
    assert "gitops/production" in world.repository.branches
    index = KeptIndex(None)
    assert look(world.repository, index)[1] == len(APPS) * len(PRODUCTION)
    change(world)
    assert look(world.repository, index) == (look(world.repository, None)[0], asked)


def test_a_later_status_reads_no_branch(
    world: GroupsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it look at what a proposal changes; what it warned of it warns of again."""
    world.repository.commit({"README": b"x\n"}, branch=BRANCH)
    index = KeptIndex(None)

    def said() -> object:
        session = session_on(world.repository, intent="1", index=index)
        report = status(session)
        return [one.proposals for one in report.overlays], report.warnings

    before = said()
    deploy(world)
    snapshot = world.repository.snapshot

    def only_main(branch: str | None = None) -> object:
        assert branch in (None, "main") or branch not in world.repository.branches
        return snapshot(branch)

    monkeypatch.setattr(world.repository, "snapshot", only_main)
    monkeypatch.setattr(world.repository, "over", None)
    monkeypatch.setattr(world.repository, "changed", None)
    monkeypatch.setattr("fakes.FakeLanded.commits", property(_landed(world)))
    assert said() == before
    assert "changes more than images: README" in str(before)
    for branch in [one for one in world.repository.branches if one.startswith("gitops/")]:
        del world.repository.branches[branch]
    monkeypatch.undo()
    world.repository.commit({}, branch="gitops/else")
    look(world.repository, index)
    kept = index.page("found on main")
    assert kept is not None
    assert not room._parse(kept).branches  # type: ignore[union-attr]


def _landed(world: GroupsWorld) -> Callable[[object], list[object]]:
    """Return what landed, as it was before anything was forbidden."""
    from gitops.ports import LandedCommit

    paths = tuple(path_of(app, "stage") for app in APPS)
    made = [LandedCommit(world.repository.branches["main"], paths)]
    return lambda _: made  # type: ignore[return-value]


def test_who_looked_at_images_alone_knows_no_more(world: GroupsWorld) -> None:
    """The board asks less than `status`: what it kept is looked at again by that, and is whole."""
    index = KeptIndex(None)
    for more, asked in ((False, 3), (False, 0), (True, 3), (True, 0), (False, 0)):
        session = session_on(world.repository, intent="1", index=index)
        tip = open_tip(session)
        found, there = FoundProposals(session, tip, more=more), overlays(tip)
        assert len(found.recall(there)) == asked
        for one in there:
            view = view_of(session, tip, one)
            for name in notes(view):
                if more:
                    view.notes.setdefault(MORE + name, None)
        found.keep(there)


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page[:-5],
        lambda page: b"",
        lambda page: page[:-9] + bytes([page[-9] ^ 1]) + page[-8:],
    ],
)
def test_a_damaged_page_is_none(world: GroupsWorld, change: Callable[[bytes], bytes]) -> None:
    """All is looked at anew, and kept."""
    index = KeptIndex(None)
    look(world.repository, index)
    whole = index.page("found on main") or b""
    index.keep("found on main", change(whole))
    assert look(world.repository, index) == (look(world.repository, None)[0], 3)
    assert index.page("found on main") == whole


def test_what_is_odd_or_large_is_not_kept(
    world: GroupsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that are no text, thousands of commits or paths: the others are kept all the same."""
    world.repository.commit({"odd-\udcff": b"x\n"}, branch=BRANCH)
    index = KeptIndex(None)
    look(world.repository, index)
    assert look(world.repository, index) == (look(world.repository, None)[0], 1)
    for bound in ("_COMMITS", "_PATHS"):
        monkeypatch.setattr(room, bound, 0)
        index = KeptIndex(None)
        look(world.repository, index)
        assert look(world.repository, index)[1] == 3
        monkeypatch.undo()
