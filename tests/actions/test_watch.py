"""Watching all environments, on a control plane in memory."""

from __future__ import annotations

from typing import Any

import pytest

from applications import a_sync
from argo_world import ArgoWorld
from gitops.actions.argocd.observer import ObserverState
from gitops.actions.context.session import Session
from gitops.actions.watch import watch
from gitops.core.argocd.application import NOTICE
from gitops.core.argocd.reports import WatchEvent
from gitops.errors import Denied, NotFound, Unavailable


@pytest.fixture
def world() -> ArgoWorld:
    """A repository whose environments run 1.0, for a while already."""
    return ArgoWorld()


def run(
    world: ArgoWorld,
    *names: str,
    seconds: float = 200.0,
    once: bool = False,
    known: ObserverState | None = None,
    session: Session | None = None,
) -> list[WatchEvent]:
    """Watch for so many seconds, and return what was told."""
    return list(
        watch(
            session or world.session(),
            names,
            known if known is not None else ObserverState(),
            once=once,
            longest=seconds,
        )
    )


def told(events: list[WatchEvent]) -> list[str]:
    """Return the verdicts, as `dev stable`."""
    return [f"{one.overlay.label} {one.verdict}" for one in events if one.overlay and one.verdict]


def bump(world: ArgoWorld, tag: str, environment: str = "dev") -> None:
    """Push a tag, and let Argo CD look."""
    world.push(tag, environment)
    world.refreshed(f"shop-{environment}")


def test_what_ran_before_it_began(world: ArgoWorld) -> None:
    """What has been Healthy for long is stable at once; local lives in no cluster."""
    first = world.repository.branches["main"]
    events = run(world, seconds=20)

    assert ["dev stable", "prod stable"] == told(events)
    assert [(first, "stable")] == world.verdicts() == world.verdicts("prod")
    assert {"dev", "prod"} == {one.overlay.label for one in events if one.overlay}


def test_a_release_in_each_environment(world: ArgoWorld) -> None:
    """Verdicts are written when they are due: after 5 s in dev, after its soak in prod."""
    world.at(10, lambda: bump(world, "1.1"))
    world.at(5, lambda: bump(world, "2.0", "prod"))

    events = run(world, seconds=120)

    assert ["dev stable", "dev stable", "prod stable"] == sorted(told(events))
    assert ["stable", "stable"] == [verdict for _, verdict in world.verdicts()]
    (prod,) = world.ledger("prod")
    assert 60 == prod["seen"]["soak"]
    assert prod["images"][0]["tag"] == "2.0"


def test_a_bad_release(world: ArgoWorld) -> None:
    """A release that turns bad is written with the reason, once."""
    run(world, seconds=20)
    world.becomes["dev"] = "Degraded"
    world.at(1, lambda: bump(world, "1.1"))

    events = run(world, seconds=60)

    assert ["dev degraded"] == told(events)
    assert ["stable", "degraded"] == [verdict for _, verdict in world.verdicts()]
    assert "Degraded" == world.ledger()[1]["reason"]


def test_what_breaks_after_it_was_stable(world: ArgoWorld) -> None:
    """A release that was stable once is not written degraded when it breaks later."""
    run(world, seconds=20)
    head = world.repository.branches["main"]
    world.at(1, lambda: world.apply("dev", head, "Degraded", since=world.clock.passed))

    events = run(world, seconds=60)

    assert [] == told(events)
    assert any("Degraded" in one.text for one in events)
    assert [(head, "stable")] == world.verdicts()


def test_killed_and_started_again(world: ArgoWorld) -> None:
    """A watcher that is killed in the middle of a soak goes on where it was, and writes one."""
    world.at(1, lambda: bump(world, "2.0", "prod"))
    run(world, "prod", seconds=30)
    assert [] == world.ledger("prod")

    run(world, "prod", seconds=45, session=world.session(intent="intent-2"))

    assert ["stable"] == [verdict for _, verdict in world.verdicts("prod")]
    assert world.clock.passed < 100 + 30 + 45 + 5


def test_two_watchers(world: ArgoWorld) -> None:
    """Two watchers that see the same write one word."""
    head = world.repository.branches["main"]
    ours, theirs = ObserverState(), ObserverState()
    for number in range(8):
        run(world, "dev", seconds=1, known=ours, session=world.session(intent=f"a{number}"))
        run(world, "dev", seconds=1, known=theirs, session=world.session(intent=f"b{number}"))

    assert [(head, "stable")] == world.verdicts()


def test_once(world: ArgoWorld) -> None:
    """`--once` takes the two readings that it needs, writes what is due, and ends."""
    head = world.repository.branches["main"]
    events = run(world, once=True)

    assert ["dev stable"] == told(events)
    assert [(head, "stable")] == world.verdicts()
    assert world.clock.passed < 105


def test_once_has_nothing_to_wait_for(world: ArgoWorld) -> None:
    """`--once` does not wait for what is not due yet."""
    world.push("1.1")
    world.takes = 1000
    world.refreshed("shop-dev")

    events = run(world, "dev", once=True)

    assert [] == told(events)
    assert world.clock.passed < 105


def test_once_again_and_again(world: ArgoWorld) -> None:
    """A cron job writes what a watcher would have written, once."""
    bump(world, "2.0", "prod")
    for number in range(6):
        run(world, once=True, session=world.session(intent=f"cron-{number}"))
        world.clusters.bell.wait(20)

    assert ["stable"] == [verdict for _, verdict in world.verdicts("prod")]


def test_named_environments(world: ArgoWorld) -> None:
    """Only the named ones are looked at; a name that does not exist is an error at once."""
    events = run(world, "prod", seconds=10)

    assert {"prod"} == {one.overlay.label for one in events if one.overlay}
    with pytest.raises(NotFound, match="no environment 'staging'"):
        run(world, "staging")


def test_git_away(world: ArgoWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Git server that cannot be reached is told once, and once that it works again."""
    snapshot = world.repository.snapshot

    def away(branch: str | None = None) -> Any:
        if 130 < world.clock.passed < 170:
            raise Unavailable("git cannot be reached")
        return snapshot(branch)

    monkeypatch.setattr(world.repository, "snapshot", away)

    events = run(world, seconds=120)

    alone = [one.text for one in events if one.overlay is None]
    assert ["git cannot be reached", "works again"] == alone


def test_a_cluster_away(world: ArgoWorld) -> None:
    """A cluster that cannot be reached is told, once for each environment, and looked at again."""
    away = Unavailable("fake cannot be reached")
    world.at(10, lambda: setattr(world.cluster, "trouble", away))
    world.at(60, lambda: setattr(world.cluster, "trouble", None))

    events = run(world, "dev", seconds=120)

    texts = [one.text for one in events]
    assert 1 == texts.count("not known: fake cannot be reached")
    assert any(one.is_trouble for one in events)
    assert "Healthy" in texts[-1]


def test_expired_credentials(world: ArgoWorld) -> None:
    """Credentials that expire do not end a watcher: they are told, and tried again."""
    expired = Denied("fake does not accept the credentials")
    world.at(10, lambda: setattr(world.cluster, "trouble", expired))
    world.at(100, lambda: setattr(world.cluster, "trouble", None))

    events = run(world, "dev", seconds=200)

    assert any("credentials" in one.text for one in events)
    assert "Healthy" in events[-1].text


def test_a_ledger_that_cannot_be_written(world: ArgoWorld) -> None:
    """A word that cannot be written is told, and written when that works again."""
    world.repository.trouble = Denied("the branch is protected")

    events = run(world, "dev", seconds=150)

    assert any("could not be written" in one.text for one in events)
    assert ["stable"] == [verdict for _, verdict in world.verdicts()]


def test_what_is_live_is_judged(world: ArgoWorld) -> None:
    """A newer commit that Argo CD is not at yet does not keep what runs from its word."""
    first = world.repository.branches["main"]
    world.push("1.1")

    run(world, "dev", seconds=20)

    assert [(first, "stable")] == world.verdicts()


def test_applications_at_different_releases(world: ArgoWorld) -> None:
    """While the Applications of an overlay are at two releases, nothing is said of either."""
    told_ = world.plane.get("shop-dev")
    world.push("1.1")
    second = {**told_, "metadata": {"name": "shop-dev-eu", "namespace": "argocd"}}
    world.refreshed("shop-dev")
    world.plane.put(second)

    events = run(world, "dev", seconds=30)

    assert [] == world.ledger()
    assert "its Applications are not at one release of the branch" in [one.text for one in events]


def test_argo_cd_ahead_of_git(world: ArgoWorld) -> None:
    """A commit that was not read from Git yet is looked for soon."""
    run(world, "dev", seconds=10)
    world.at(1, lambda: bump(world, "1.1"))

    run(world, "dev", seconds=18)

    assert ["stable", "stable"] == [verdict for _, verdict in world.verdicts()]


def test_holds_are_shown(world: ArgoWorld) -> None:
    """A hold that was made elsewhere is shown on the Application, and taken away with it."""
    hold = b"by: Bo\nsince: '2026-03-01T12:00:00Z'\nreason: INC-42\n"
    world.repository.commit({".gitops/holds/dev.yaml": hold})
    run(world, once=True)
    shown = world.plane.annotations("shop-dev")[NOTICE]
    world.repository.commit({".gitops/holds/dev.yaml": None})
    run(world, once=True)

    assert "gitops: held by Bo since 2026-03-01 12:00 UTC: INC-42" in shown
    assert NOTICE not in world.plane.annotations("shop-dev")
    assert NOTICE not in world.plane.annotations("shop-prod")


def test_notices_that_are_not_allowed(world: ArgoWorld) -> None:
    """Without the right to write, a watcher only watches."""
    world.repository.commit({".gitops/holds/dev.yaml": b"by: Bo\nreason: INC-42\n"})
    world.cluster.read_only = Denied("may not patch")

    events = run(world, "dev", seconds=20)

    assert ["dev stable"] == told(events)


def test_inherited_trouble_is_not_written(world: ArgoWorld) -> None:
    """What was Degraded before the release that is live gets no word."""
    commit = world.push("1.1")
    operation = a_sync(commit, started=95, finished=96)
    world.put("dev", revision=commit, health="Degraded", since=80, operation=operation)

    run(world, "dev", seconds=60)

    assert [] == world.ledger()
