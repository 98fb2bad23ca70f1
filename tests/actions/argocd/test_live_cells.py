"""What clusters say of all overlays, moved on by what changed: as if all were asked again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from applications import OTHER
from argo_world import CONFIG, ArgoWorld, overlay
from fake_cluster import FakeCluster
from gitops.actions.argocd import commit_index, overlay_paths
from gitops.actions.argocd.branch_line import BranchLine
from gitops.actions.argocd.live_cells import LiveCells, _without_revisions
from gitops.actions.context.view import OverlayView
from gitops.actions.index.state import IndexState, read_state
from gitops.actions.releases.history import releases_of
from gitops.actions.status import status
from gitops.core.argocd.application import Application
from gitops.core.argocd.reports import Live
from gitops.core.releases.release import Release
from gitops.errors import Unavailable
from gitops.ports import Reading


class Kept(FakeCluster):
    """A control plane that hands out the same value while nothing changed: as a followed one."""

    def __init__(self, world: ArgoWorld) -> None:
        super().__init__(world.plane)
        self._kept: dict[str, Application] = {}
        self.silent: str | None = None

    def applications(self) -> Reading:
        """See `ports.Cluster`."""
        reading = super().applications()
        self._kept = {
            one.ref.name: before if (before := self._kept.get(one.ref.name)) == one else one
            for one in reading.applications
        }
        return replace(reading, applications=tuple(self._kept.values()), silent=self.silent)


class Watched:
    """A world that is looked at as the server does it, beside `status` that asks everything."""

    def __init__(self, config: str = CONFIG) -> None:
        self.world = ArgoWorld(config)
        self.cluster = Kept(self.world)
        self.world.cluster = self.cluster
        self.world.clusters.clusters["*"] = (self.cluster,)
        self.cells = LiveCells()
        self.state: IndexState | None = None

    def look(self) -> None:
        """Look at Git and the clusters."""
        session = self.world.session()
        self.state = read_state(session, self.state)
        self.cells.look(session, self.state)

    def asked(self) -> dict[str, Live]:
        """Return what everybody says who is asked now."""
        rows = status(self.world.session()).overlays
        lives = {row.overlay.label: row.live for row in rows}
        return {name: _without_revisions(live) for name, live in lives.items() if live is not None}

    def state_of(self, name: str) -> str:
        """Return what is known of the one Application of an overlay."""
        return self.cells.lives[name].applications[0].state


@pytest.fixture
def watched() -> Watched:
    """dev and prod run 1.0, and that was seen."""
    made = Watched()
    made.look()
    return made


def degrade(world: ArgoWorld) -> None:
    """Let what runs in dev turn Degraded."""
    world.apply("dev", world.repository.branches["main"], "Degraded", since=60)


def test_a_story_looks_the_same_as_asking(watched: Watched) -> None:
    """After each step, known by a look or by listening alone, it is what `status` says."""
    world, first = watched.world, watched.world.repository.branches["main"]
    assert watched.cells.lives == watched.asked()
    degrade(world)
    watched.cells.listen()
    assert (watched.state_of("dev"), watched.cells.lives) == ("degraded", watched.asked())

    second = world.push("1.1")
    watched.look()
    assert (watched.state_of("dev"), watched.cells.lives) == ("unseen", watched.asked())
    world.apply("dev", second, "Progressing", since=70)
    world.compare("prod", second)
    watched.cells.listen()
    assert watched.cells.lives == watched.asked()
    assert watched.cells.lives["prod"].applications[0].release == first
    world.apply("dev", second, "Healthy", since=72)
    watched.cells.listen()
    assert (watched.state_of("dev"), watched.cells.lives) == ("healthy", watched.asked())

    world.put("dev", since=80, revision=OTHER)  # ahead of what was read of Git, or from nowhere
    watched.cells.listen()
    assert watched.cells.lives == watched.asked()
    world.plane.drop("shop-prod")
    watched.cells.listen()
    assert watched.cells.lives["prod"] == Live(problem="no Application follows it")
    assert watched.cells.lives == watched.asked()


def test_nothing_new_is_the_same_value(watched: Watched) -> None:
    """Where nothing is said anew nobody is told, and only what changed is judged again."""
    before, mark = watched.cells.lives, watched.cells.mark
    watched.cells.listen()
    watched.look()
    watched.world.compare("dev", watched.world.repository.branches["main"])  # reconciled again
    watched.cells.listen()
    assert watched.cells.lives is before

    degrade(watched.world)
    watched.cells.listen()
    assert watched.cells.lives["prod"] is before["prod"]
    assert watched.cells.mark != mark
    watched.world.apply("dev", watched.world.repository.branches["main"], "Healthy", since=70)
    watched.cells.listen()
    assert watched.state_of("dev") == "healthy"


def test_git_alone_can_end_a_state(watched: Watched) -> None:
    """Argo CD was ahead of what was read of Git; when Git is read, the release is known."""
    second = watched.world.push("1.1")
    watched.world.apply("dev", second, "Healthy", since=60)
    watched.cells.listen()
    assert watched.state_of("dev") == "unseen"

    watched.look()
    assert (watched.state_of("dev"), watched.cells.lives) == ("healthy", watched.asked())


def test_a_commit_of_another_overlay_ends_it_too(watched: Watched) -> None:
    """Argo CD is at a commit that was not read yet, and that changes nothing for this overlay."""
    other = watched.world.push("1.1", "prod")
    watched.world.compare("dev", other)
    watched.cells.listen()
    assert watched.state_of("dev") == "unseen"

    watched.look()
    assert (watched.state_of("dev"), watched.cells.lives) == ("healthy", watched.asked())


def test_what_argo_cd_has_not_seen_yet_costs_no_history(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of overlays may be behind: where their commit stands was found when it was new."""
    walks: list[str] = []

    def walked(view: OverlayView) -> Iterator[Release]:
        walks.append(view.label)
        return releases_of(view)

    monkeypatch.setattr(commit_index, "releases_of", walked)
    for tag in ("1.1", "1.2"):
        watched.world.push(tag)
        watched.look()
        assert watched.state_of("dev") == "unseen"
        assert watched.cells.lives["dev"].applications[0].release is not None
    assert walks == []
    assert watched.cells.lives == watched.asked()


def test_what_stands_elsewhere_after_a_rewrite_is_looked_for(watched: Watched) -> None:
    """A commit that another history took over, and what gitops.yaml says now, are asked anew."""
    world = watched.world
    first = world.repository.branches["main"]
    world.push("1.1")
    watched.look()
    world.repository.branches["main"] = first
    world.push("1.3")
    watched.look()
    assert watched.cells.lives == watched.asked()


def test_the_order_of_a_branch(watched: Watched) -> None:
    """Which of two commits came first, whatever was asked before; after a rewrite too."""
    world, line = watched.world, BranchLine()
    commits = [world.repository.branches["main"], *(world.push(f"2.{one}") for one in range(4))]
    assert not line.move(world.session(), commits[2])
    assert line.contains(commits[2], commits[0])
    assert line.contains(commits[1], commits[0])
    assert line.move(world.session(), commits[4])
    assert not line.contains(commits[1], commits[2])

    for at, commit in enumerate(commits):
        found = [line.contains(commit, one) for one in commits]
        assert found == [one <= at for one in range(len(commits))]
        older = [line.is_older(commit, one) for one in commits]
        assert older == [at < one for one in range(len(commits))]
    assert line.is_older(OTHER, commits[0]) is None
    assert not line.contains(OTHER, commits[0])
    assert line.is_foreign(OTHER)
    assert not line.is_foreign(commits[1])
    assert not line.move(world.session(), commits[1])  # a branch that was set back
    assert line.contains(commits[1], commits[0])


def test_a_silent_cluster_keeps_what_it_said(watched: Watched) -> None:
    """The word on since when stands beside it; a cluster that nobody ever read has only a word."""
    watched.cluster.silent = "fake is silent since 12:00:00 UTC: no connection"
    watched.cells.listen()
    assert watched.cells.lives["dev"].problem == watched.cluster.silent
    assert watched.state_of("dev") == "healthy"
    assert watched.cells.silent == (watched.cluster.silent,)

    watched.cluster.silent, watched.cluster.trouble = None, Unavailable("fake is away")
    watched.cells.listen()
    assert watched.cells.lives["dev"] == Live(problem="fake is away")
    watched.cluster.trouble = None
    watched.cells.listen()
    assert (watched.cells.lives, watched.cells.silent) == (watched.asked(), ())


def test_while_it_rests_nothing_is_heard(watched: Watched) -> None:
    """Without the session of a look nothing can be placed in Git."""
    watched.cells.rest()
    degrade(watched.world)
    watched.cells.listen()
    assert watched.state_of("dev") == "healthy"
    watched.look()
    assert watched.state_of("dev") == "degraded"


@pytest.mark.parametrize("few", [500, 0])
def test_a_folder_that_builds_overlays_feeds_them(
    monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """An Application that renders another folder leads to what that brings in, as it is now."""
    monkeypatch.setattr(overlay_paths, "_FEW", few)
    watched = Watched()
    told = watched.world.plane.get("shop-dev")
    told["spec"]["source"]["path"] = "both"
    watched.world.plane.put(told)
    watched.look()
    assert watched.cells.lives["dev"] == Live(problem="no Application follows it")

    both = b"resources: [../overlays/dev]\n"
    watched.world.repository.commit({"both/kustomization.yaml": both}, "both\n")
    watched.look()
    assert (watched.state_of("dev"), watched.cells.lives) == ("healthy", watched.asked())


def test_builds_says_who_builds() -> None:
    """Where `builds:` names the folders, those feed it."""
    watched = Watched(CONFIG.replace("overlays/dev}", "overlays/dev, builds: ['render/*']}"))
    told = watched.world.plane.get("shop-dev")
    told["spec"]["source"]["path"] = "render/dev"
    watched.world.plane.put(told)
    watched.look()

    assert (watched.state_of("dev"), watched.cells.lives) == ("healthy", watched.asked())


def test_a_rollout_that_moves_is_heard(watched: Watched) -> None:
    """Where its Rollouts stand changes without a change of the Application."""
    managed = {"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout", "name": "api"}
    told = watched.world.plane.get("shop-dev")
    told["status"]["resources"] = [{**managed, "namespace": "shop-dev", "status": "Synced"}]
    watched.world.plane.put(told)
    rollout = {
        "metadata": {"name": "api", "namespace": "shop-dev"},
        "status": {"phase": "Progressing", "stableRS": "x", "currentPodHash": "y"},
    }
    watched.world.plane.add("Rollout", rollout)
    watched.cells.listen()
    assert watched.cells.lives["dev"].applications[0].rollouts == ("Rollout api: Progressing",)

    rollout["status"] = {"phase": "Healthy", "stableRS": "y", "currentPodHash": "y"}
    watched.world.plane.add("Rollout", rollout)
    watched.cells.listen()
    told_now = watched.cells.lives["dev"].applications[0].rollouts
    assert told_now == ("Rollout api: promoted in full",)


def test_an_overlay_comes_and_goes(watched: Watched) -> None:
    """gitops.yaml is read at every look: new overlays are found, gone ones forgotten."""
    more = CONFIG.replace("clusters:", "  - {name: qa, overlay: overlays/qa}\nclusters:")
    more = more.replace("[dev, prod]", "[dev, prod, qa]")
    files = {"gitops.yaml": more.encode(), "overlays/qa/kustomization.yaml": overlay("2").encode()}
    watched.world.repository.commit(files, "qa\n")
    watched.look()
    assert watched.cells.lives["qa"] == Live(problem="no Application follows it")

    watched.world.repository.commit({"gitops.yaml": CONFIG.encode()}, "no qa\n")
    watched.look()
    assert "qa" not in watched.cells.lives
    assert watched.cells.lives == watched.asked()

    watched.world.clusters.clusters["*"] = ()
    watched.look()
    assert (watched.cells.lives, watched.cells.hears) == ({}, False)
    assert watched.cells.mark == LiveCells().mark
    watched.world.clusters.clusters["*"] = (watched.cluster,)
    watched.look()
    assert watched.state_of("dev") == "healthy"
