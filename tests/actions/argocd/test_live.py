"""`status` with clusters: what is live, what drifts, and what cannot be reached."""

from __future__ import annotations

import threading

import pytest

from argo_world import CONFIG, ArgoWorld
from gitops.actions.argocd.live_cells import LiveCells, _without_revisions
from gitops.actions.index.state import read_state
from gitops.actions.status import status
from gitops.core.argocd.reports import Live
from gitops.core.report import StatusReport
from gitops.errors import NotFound, Unavailable


@pytest.fixture
def world() -> ArgoWorld:
    """dev and prod run 1.0."""
    return ArgoWorld()


def look(world: ArgoWorld) -> dict[str, Live | None]:
    """Return what is known of each environment."""
    return {entry.overlay.label: entry.live for entry in report(world).overlays}


def report(world: ArgoWorld) -> StatusReport:
    """Return the whole report."""
    return status(world.session())


def test_live_release(world: ArgoWorld) -> None:
    """Sync, health, since when, and the release that is live; a checkout has no cluster."""
    first = world.repository.branches["main"]
    live = look(world)

    assert live["dev"] is not None
    (one,) = live["dev"].applications
    assert ("shop-dev", "Synced", "Healthy", "healthy", first, first) == (
        one.ref.name,
        one.sync,
        one.health,
        one.state,
        one.revision,
        one.release,
    )
    assert one.since is not None
    assert None is live["local"]


def test_git_is_ahead(world: ArgoWorld) -> None:
    """What is live is told apart from what Git asks for."""
    first = world.repository.branches["main"]
    world.push("1.1")

    live = look(world)["dev"]

    assert live is not None
    assert (first, "unseen") == (live.applications[0].release, live.applications[0].state)


def test_drift(world: ArgoWorld) -> None:
    """Live images that Git does not ask for are told."""
    head = world.repository.branches["main"]
    world.put("dev", since=50, revision=head, images=("shop/api:1.0", "shop/api:hotfix"))

    live = look(world)["dev"]

    assert live is not None
    assert ("shop/api:hotfix",) == live.applications[0].drift


def test_unreachable_is_a_cell(world: ArgoWorld) -> None:
    """A cluster that is away is a word in its place; everything else is shown."""
    world.cluster.trouble = Unavailable("fake is away")

    found = report(world)

    live = {entry.overlay.label: entry.live for entry in found.overlays}
    assert live["dev"] == Live(problem="fake is away")
    assert all(entry.images for entry in found.overlays)


def test_a_cluster_that_hangs(world: ArgoWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that does not answer is given up."""
    gate = threading.Event()
    monkeypatch.setattr("gitops.actions.status.WITHIN", 0.05)
    monkeypatch.setattr(world.cluster, "applications", lambda: gate.wait(5))

    live = look(world)["dev"]
    gate.set()

    assert live == Live(problem="fake did not answer in time")


def test_a_client_that_is_missing(world: ArgoWorld) -> None:
    """A configured cluster that cannot be asked here says why."""
    world.clusters.refusal = NotFound("the Kubernetes client is not installed")

    assert look(world)["dev"] == Live(problem="the Kubernetes client is not installed")


def test_no_application(world: ArgoWorld) -> None:
    """An overlay that nothing follows says so, where a cluster was named for it."""
    world.plane.applications.clear()
    assert look(world)["dev"] == Live(problem="no Application follows it")

    world.repository.commit({"gitops.yaml": CONFIG.partition("clusters:")[0].encode()})
    assert look(world)["dev"] is None
    world.cluster.trouble = Unavailable("fake is away")
    assert look(world)["dev"] is None


def test_rollouts(world: ArgoWorld) -> None:
    """Where each Rollout stands is told."""
    healthy = {"phase": "Healthy", "stableRS": "x", "currentPodHash": "x"}
    world.add_rollout({"rollbackWindow": {"revisions": 3}}, healthy)

    live = look(world)["dev"]

    assert live is not None
    assert (
        "Rollout api: promoted in full",
        "Rollout api: a rollback within 3 revisions runs no steps: nothing yet",
    ) == live.applications[0].rollouts


def test_cells_of_the_index_are_told_the_same(world: ArgoWorld) -> None:
    """What `status` says of each overlay, by the name of its cell; a checkout has none."""
    session, cells = world.session(), LiveCells()
    cells.look(session, read_state(session))

    told = {name: live for name, live in look(world).items() if live is not None}
    assert cells.lives["dev"].applications[0].state == "healthy"
    assert cells.lives == {name: _without_revisions(live) for name, live in told.items()}


def test_cells_tell_of_a_cluster_that_is_away(world: ArgoWorld) -> None:
    """It is a word in its place, and no error."""
    world.cluster.trouble = Unavailable("fake is away")
    session, cells = world.session(), LiveCells()

    cells.look(session, read_state(session))
    assert cells.lives["dev"] == Live(problem="fake is away")
    assert cells.silent == ("fake is away",)
