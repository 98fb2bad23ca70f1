"""Applications kept in memory: listed once, moved on by streams, and what a silence leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from applications import an_application
from fake_cluster import Plane
from gitops.actions.argocd.tracking import rollouts_of
from gitops.adapters.argocd import watches
from gitops.adapters.argocd.clusters import ArgoClusters
from gitops.adapters.argocd.collection import CollectionChange, CollectionPage, _lines
from gitops.adapters.argocd.followed import Followed, FollowedCluster
from gitops.config import load_config
from gitops.core.argocd.application import Application, briefly, read_application
from gitops.core.argocd.health import leftovers
from gitops.errors import Denied, GitopsError, TimedOut, Unavailable
from gitops.ports import Cluster, Reading
from servers.kube_api import CLUSTER_CONFIG, TOKEN, ArgoStub, KubeStub, _Stub, kubeconfig


@pytest.fixture
def cluster(stub: KubeStub, tmp_path: Path) -> Iterator[FollowedCluster]:
    """The control plane, followed as the server does it."""
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig(stub.url))
    with ArgoClusters({"KUBECONFIG": str(path)}, "https://x/y", lambda: None) as clusters:
        config = load_config(CLUSTER_CONFIG)
        (made,) = clusters.of(config, config.environments[0], within=5)
        assert isinstance(made, FollowedCluster)
        assert clusters.of(config, config.environments[0], within=5) == (made,)
        yield made


def until(question: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 60
    while not question():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def seen(cluster: FollowedCluster) -> Reading | None:
    """Return what is known, None before anything is."""
    try:
        return cluster.applications()
    except Unavailable:
        return None


def healths(cluster: FollowedCluster) -> dict[str, str]:
    """Return name -> health, as it is known."""
    reading = seen(cluster)
    return {one.ref.name: one.health for one in reading.applications} if reading else {}


def lists(stub: KubeStub) -> list[str]:
    """Return the lists that were asked for."""
    return [one for one in stub.requests if "watch=true" not in one]


def test_all_are_listed_in_pages(
    stub: KubeStub, plane: Plane, request: pytest.FixtureRequest
) -> None:
    """A page has 500 at most; whoever asks before the first list is told so."""
    stub.behaviour.status = 503  # before it is followed: the first list may come at any moment
    cluster: FollowedCluster = request.getfixturevalue("cluster")
    with pytest.raises(Unavailable):
        cluster.applications()
    stub.behaviour.page_size = 2
    for number in range(4):
        plane.put(an_application(f"more-{number}"))
    stub.behaviour.status = None

    until(lambda: len(healths(cluster)) == 5)
    pages = [one for one in lists(stub) if "continue=" in one]
    assert ["continue=2", "continue=4"] == [one.rpartition("&")[2] for one in pages[-2:]]
    assert all("limit=500" in one for one in lists(stub))


def test_changes_come_by_the_stream(cluster: FollowedCluster, stub: KubeStub, plane: Plane) -> None:
    """What changes, comes and goes is known at once, and nothing is listed again for it."""
    until(lambda: healths(cluster))
    asked = len(lists(stub))

    plane.put(an_application(health="Degraded"))
    until(lambda: healths(cluster) == {"shop-dev": "Degraded"})
    plane.put(an_application("shop-new"))
    until(lambda: healths(cluster) == {"shop-dev": "Degraded", "shop-new": "Healthy"})
    plane.drop("shop-dev")
    until(lambda: healths(cluster) == {"shop-new": "Healthy"})

    assert asked == len(lists(stub))
    (stream,) = [one for one in stub.requests if "watch=true" in one]
    assert "allowWatchBookmarks=true" in stream


def test_a_stream_goes_on_from_the_last_version(
    cluster: FollowedCluster, stub: KubeStub, plane: Plane
) -> None:
    """What happened between two streams is not lost, and nothing is listed again for it."""
    until(lambda: healths(cluster) and stub.streams)
    asked = len(lists(stub))
    stub.behaviour.short_streams = True
    until(lambda: stub.streams >= 2)
    plane.put(an_application(health="Degraded"))

    until(lambda: healths(cluster) == {"shop-dev": "Degraded"})
    assert asked == len(lists(stub))


def test_a_version_that_is_forgotten(
    cluster: FollowedCluster, stub: KubeStub, plane: Plane
) -> None:
    """After a 410 all are listed again, and what was deleted meanwhile is gone."""
    plane.put(an_application("shop-old"))
    until(lambda: len(healths(cluster)) == 2 and stub.streams)
    stub.behaviour.status, stub.behaviour.short_streams = 503, True
    until(lambda: cluster.applications().silent)
    plane.drop("shop-old")
    plane.log.clear()  # no stream can tell
    stub.behaviour.gone = True
    stub.behaviour.status, stub.behaviour.short_streams = None, False

    until(lambda: healths(cluster) == {"shop-dev": "Healthy"})


def test_a_silent_cluster_says_since_when(
    cluster: FollowedCluster, stub: KubeStub, plane: Plane
) -> None:
    """What was seen stays, with the time of it; when somebody answers, that word goes."""
    until(lambda: healths(cluster))
    assert cluster.applications().silent is None
    stub.behaviour.status = 503
    stub.behaviour.short_streams = True

    until(lambda: cluster.applications().silent)
    silent = cluster.applications().silent
    assert silent is not None
    assert silent.startswith("the current cluster is silent since ")
    assert "answers 503" in silent
    assert healths(cluster) == {"shop-dev": "Healthy"}
    stub.behaviour.status, stub.behaviour.short_streams = None, False
    until(lambda: cluster.applications().silent is None)
    plane.put(an_application(health="Degraded"))
    until(lambda: healths(cluster) == {"shop-dev": "Degraded"})


class _Streams:
    """A collection of which every stream is open once, and then breaks; `gone`: none opens."""

    def __init__(self) -> None:
        self.opened = 0
        self.gone = False

    def listed(self) -> Iterator[CollectionPage[str]]:
        yield CollectionPage(datetime(2026, 1, 1, tzinfo=UTC), "1", ((("argocd", "shop"), "good"),))

    def changes(self, version: str) -> Iterator[CollectionChange[str]]:
        assert version == "1"
        if self.gone:
            raise Unavailable("it cannot be reached")
        self.opened += 1
        yield CollectionChange()
        yield CollectionChange(("argocd", "shop"), "good")  # as a replay tells it
        raise TimedOut("it did not answer in time")


@pytest.mark.parametrize("lasted", [True, False])
def test_a_good_stream_that_breaks_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch, lasted: bool
) -> None:
    """Proxies cut streams: where each one lasts, nothing is new; where none opens, that is told."""
    monkeypatch.setattr(watches, "_LONG_ENOUGH", -1.0 if lasted else 1000.0)
    streams = _Streams()
    followed = Followed(streams, lambda: None)

    def follow() -> int:
        """Follow one stream; return how often there was something to see."""
        told = 0
        with suppress(GitopsError):
            for _ in followed._follow():
                told += 1
        return told

    assert follow() == 1
    _, values, silent = followed.read()
    assert (silent is None) == lasted
    assert follow() == (0 if lasted else 1)
    assert followed.read()[1] is values
    streams.gone = True
    follow()
    assert "it cannot be reached" in str(followed.read()[2])
    assert streams.opened == 2


def test_who_may_not_list_is_told_so(stub: KubeStub, tmp_path: Path) -> None:
    """A refusal is the one that a question would meet; once the rights are there, all is known."""
    stub.behaviour.deny = frozenset({"GET"})
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig(stub.url))
    with ArgoClusters({"KUBECONFIG": str(path)}, "https://x/y", lambda: None) as clusters:
        config = load_config(CLUSTER_CONFIG)
        (made,) = clusters.of(config, config.environments[0], within=5)

        until(lambda: isinstance(trouble(made), Denied))
        stub.behaviour.deny = frozenset()
        until(lambda: trouble(made) is None)


def trouble(cluster: Cluster) -> GitopsError | None:
    """Return why nothing is known."""
    try:
        cluster.applications()
    except GitopsError as error:
        return error
    return None


def test_no_argo_cd(tmp_path: Path) -> None:
    """An API server that knows no Applications is no Argo CD."""
    with _Stub(Plane()) as empty:
        path = tmp_path / "kubeconfig"
        path.write_text(kubeconfig(empty.url))
        with ArgoClusters({"KUBECONFIG": str(path)}, "https://x/y", lambda: None) as clusters:
            config = load_config(CLUSTER_CONFIG)
            (made,) = clusters.of(config, config.environments[0], within=5)

            until(lambda: "has no Argo CD" in str(trouble(made)))


def test_argo_cds_own_api_is_followed_too(plane: Plane) -> None:
    """Its stream brings whole objects as well; what it missed is found by the next list."""
    with ArgoStub(plane) as stub:
        environ = {"ARGOCD_SERVER": stub.url, "ARGOCD_AUTH_TOKEN": TOKEN}
        with ArgoClusters(environ, "https://x/y", lambda: None) as clusters:
            config = load_config(CLUSTER_CONFIG)
            (made,) = clusters.of(config, config.environments[0], within=5)
            assert isinstance(made, FollowedCluster)
            until(lambda: healths(made) and stub.streams)
            plane.put(an_application(health="Degraded"))
            until(lambda: healths(made) == {"shop-dev": "Degraded"})
            assert () == made.rollouts(Application(made.applications().applications[0].ref))


def test_lines_come_whole() -> None:
    """However an answer is cut into chunks; half a line at the end is none."""
    assert [b"ab", b"cd"] == list(_lines([b"a", b"b\nc", b"", b"d\n\n", b"half"]))


def test_what_is_kept_of_an_application_says_the_same() -> None:
    """Its leftovers, its Rollouts; nothing of an object of any size but what is looked at."""
    extra = [{"kind": "Job", "name": f"j{one}", "status": "OutOfSync"} for one in range(80)]
    differing = {"kind": "Deployment", "name": "api", "status": "OutOfSync"}
    rest = [{"kind": "Service", "name": f"s{one}", "status": "Synced"} for one in range(80)]
    rollout = {"kind": "Rollout", "name": "web", "status": "Synced"}
    for one in extra:
        one["requiresPruning"] = True
    for resources in ([*extra, *rest, rollout], [*extra, differing, *rest], [*extra, differing]):
        whole = read_application(
            an_application(sync="OutOfSync", status={"resources": resources}), "it"
        )
        kept = briefly(whole)
        assert bool(leftovers(kept)) == bool(leftovers(whole))
        assert rollouts_of(kept) == rollouts_of(whole)
        assert len(kept.resources) <= 52
