"""Going back by itself: only what is newest, to what was stable, once, and not many at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from argo_world import CONFIG, ArgoWorld, overlay
from gitops.actions.argocd.observer import DegradedRelease, ObserverState
from gitops.actions.argocd.recovery import recover_all
from gitops.actions.context.named import Named
from gitops.actions.hold import hold
from gitops.actions.rollback import RollbackRequest, rollback
from gitops.actions.watch import watch
from gitops.core.argocd.reports import WatchEvent
from gitops.errors import Denied

ALERT = CONFIG.replace("{name: dev, ", "{name: dev, onAlert: rollback, ")


@pytest.fixture
def world() -> ArgoWorld:
    """A repository whose environments run 1.0, and whose dev goes back by itself."""
    return ArgoWorld(ALERT)


def run(
    world: ArgoWorld,
    *,
    seconds: float = 60.0,
    goes_back: bool = True,
    known: ObserverState | None = None,
) -> list[WatchEvent]:
    """Watch for so many seconds, and return what was told."""
    state = known if known is not None else ObserverState()
    return list(watch(world.session(), (), state, goes_back=goes_back, longest=seconds))


def bump(world: ArgoWorld, tag: str, environment: str = "dev") -> None:
    """Push a tag that turns out bad, and let Argo CD look."""
    world.becomes[environment] = "Degraded"
    world.push(tag, environment)
    world.refreshed(f"shop-{environment}")
    world.becomes[environment] = "Healthy"


def pinned(world: ArgoWorld, environment: str = "dev") -> str:
    """Return the overlay as it stands on main."""
    snapshot = world.repository.snapshot("main")
    content = snapshot.read(f"overlays/{environment}/kustomization.yaml")
    assert content is not None
    return content.decode()


def stays(events: list[WatchEvent]) -> list[str]:
    """Return why nothing went back."""
    begin = "not rolled back by itself: "
    return [one.text.removeprefix(begin) for one in events if one.text.startswith(begin)]


def test_it_goes_back(world: ArgoWorld) -> None:
    """The last stable release comes back, with a hold, by one commit that says why."""
    world.at(20, lambda: bump(world, "1.1"))
    events = run(world, seconds=120)

    (back,) = [one for one in events if one.went_back is not None]
    assert overlay("1.0") == pinned(world)
    message = world.repository.commits[back.went_back or ""].info.message
    assert "was Degraded" in message
    assert world.repository.snapshot("main").read(".gitops/holds/dev.yaml") is not None
    assert stays(events) == []


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_only_where_it_is_asked_for(world: ArgoWorld, environment: str) -> None:
    """Without `--rollback`, and without `onAlert: rollback`, the release stays."""
    world.at(70, lambda: bump(world, "1.1", environment))
    events = run(world, seconds=200, goes_back=environment == "prod")

    assert overlay("1.1") == pinned(world, environment)
    assert f"{environment} degraded" in [
        f"{one.overlay.label} {one.verdict}" for one in events if one.overlay
    ]


def held(world: ArgoWorld) -> None:
    """Somebody keeps hands off dev."""
    hold(world.session(intent="hold-1"), Named(("dev",)), reason="INC-1")


def back_by_hand(world: ArgoWorld) -> None:
    """Somebody rolled dev back a moment ago, and deployed something else since."""
    world.push("1.05")
    rollback(world.session(intent="back-1"), RollbackRequest(Named(("dev",)), hold=False))


@pytest.mark.parametrize(
    ("before", "why"), [(held, "is held by Ana: INC-1"), (back_by_hand, "within the hour")]
)
def test_what_people_decide_stays(
    world: ArgoWorld, before: Callable[[ArgoWorld], None], why: str
) -> None:
    """A held environment, and one that was rolled back within the hour, are left to people."""
    world.at(20, lambda: (before(world), bump(world, "1.1")))
    events = run(world, seconds=120)

    assert overlay("1.1") == pinned(world)
    assert [why in one for one in stays(events)] == [True]


def test_without_a_stable_release_it_stays(world: ArgoWorld) -> None:
    """It never guesses: with nothing that was seen stable, nothing is restored."""
    bump(world, "1.1")
    events = run(world)

    assert overlay("1.1") == pinned(world)
    assert ["seen stable" in one for one in stays(events)] == [True]


def test_it_goes_back_once(world: ArgoWorld) -> None:
    """What somebody deploys again after it went back is left alone, whoever watches."""
    world.at(20, lambda: bump(world, "1.1"))
    run(world, seconds=100)
    world.clock.passed += 7200
    world.at(20, lambda: bump(world, "1.1"))
    events = run(world, seconds=100)

    assert overlay("1.1") == pinned(world)
    assert stays(events)


def test_a_release_that_was_stable_once_stays(world: ArgoWorld) -> None:
    """What breaks later is seldom the release's fault."""
    world.at(
        30, lambda: world.apply("dev", world.repository.branches["main"], "Degraded", since=31)
    )
    events = run(world, seconds=100)

    assert [one for one in events if one.went_back] == []
    assert overlay("1.0") == pinned(world)


def test_two_watchers_make_one_commit(world: ArgoWorld) -> None:
    """The second one finds it done."""
    world.at(20, lambda: bump(world, "1.1"))
    known = ObserverState()
    run(world, seconds=30, goes_back=False, known=known)
    assert set(known.degraded) == {"dev"}
    first = list(recover_all(world.session(intent="one"), known, 2, rollback))
    head = world.repository.branches["main"]
    known.settled.clear()
    second = list(recover_all(world.session(intent="two"), known, 2, rollback))

    assert [one.went_back for one in first] == [head]
    assert head == world.repository.branches["main"]
    assert len(second) == 1


def test_many_at_once_are_no_release(world: ArgoWorld) -> None:
    """Three overlays that go bad within five minutes stop every way back by itself."""
    world.at(20, lambda: bump(world, "1.1"))
    known = ObserverState()
    run(world, seconds=30, goes_back=False, known=known)
    one = known.degraded["dev"]
    for label in ("other", "third"):
        known.degraded[label] = DegradedRelease(one.overlay, one.release, one.why, one.since)

    events = list(recover_all(world.session(), known, 3, rollback))
    assert ["at once" in text for text in stays(events)] == [True]
    assert list(recover_all(world.session(), known, 3, rollback)) == []  # said once
    assert overlay("1.1") == pinned(world)

    del known.degraded["third"]
    assert next(
        one.went_back is not None for one in recover_all(world.session(), known, 3, rollback)
    )


def test_a_push_that_is_denied_is_tried_again(world: ArgoWorld) -> None:
    """What may pass does not settle it."""
    world.at(20, lambda: bump(world, "1.1"))
    known = ObserverState()
    run(world, seconds=30, goes_back=False, known=known)
    world.repository.trouble = Denied("the branch is protected")

    assert [
        "protected" in text
        for text in stays(list(recover_all(world.session(), known, 2, rollback)))
    ]
    assert known.settled == set()
    assert [one.went_back for one in recover_all(world.session(), known, 2, rollback)] != []
