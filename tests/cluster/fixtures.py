"""A pytest plugin: the cluster, a shop that Argo CD follows in it, logs of a failed test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster.wanted import PROVIDERS, NoClusterError, Wanted
from servers.lanes import leave_out
from servers.processes import CannotStartError

# The client of Kubernetes costs every worker a third of a second: only who needs it loads it.
if TYPE_CHECKING:
    from cluster.handle import ClusterHandle
    from cluster.shop import Shop

_LOG_LINES = 40


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose the cluster."""
    group = parser.getgroup("cluster", "the cluster of tests/cluster")
    group.addoption("--cluster-provider", choices=PROVIDERS, default="auto", help="who provides it")
    group.addoption("--cluster-kubeconfig", default="", help="existing: default $KUBECONFIG")
    group.addoption("--cluster-context", default="", help="existing: default the current one")
    group.addoption("--cluster-namespace", default="argocd", help="existing: where Argo CD is")
    group.addoption("--cluster-git-host", default="", help="existing: this machine as it sees us")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep what the environment says before tests/conftest.py swaps it; workers inherit it."""
    if hasattr(config, "workerinput"):
        return
    home = os.environ.get("HOME", "")
    named = (
        config.option.cluster_kubeconfig or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    )
    config.option.cluster_kubeconfig = os.path.abspath(
        named or os.path.join(home, ".kube", "config")
    )
    config.option.cluster_environ = dict(os.environ)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all tests of the cluster to one worker: some stop its components for a while."""
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("cluster"))


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> ClusterHandle:
    """A cluster with Argo CD that the whole run shares."""
    from cluster.providers import open_cluster

    option = request.config.option
    wanted = Wanted(
        provider=option.cluster_provider,
        kubeconfig=option.cluster_kubeconfig,
        context=option.cluster_context,
        namespace=option.cluster_namespace,
        git_host=option.cluster_git_host,
        environ=option.cluster_environ,
    )
    try:
        return open_cluster(wanted)
    except NoClusterError as error:
        leave_out("cluster", str(error))
    except CannotStartError as error:
        pytest.fail(f"lane cluster: it did not start: {error}", pytrace=False)


@pytest.fixture
def shop(cluster: ClusterHandle, manifests_template: Path, tmp_path: Path) -> Iterator[Shop]:
    """The sample on a Git server, with names of its own; no Application follows it yet."""
    from cluster.shop import open_shop

    with open_shop(cluster, manifests_template, tmp_path) as opened:
        yield opened


@pytest.fixture
def rollout_shop(
    cluster: ClusterHandle, manifests_template: Path, tmp_path: Path
) -> Iterator[Shop]:
    """The same, with a Rollout in place of the Deployment `api`: a canary that waits at 50 %."""
    from cluster.shop import open_shop

    cluster.needs("rollouts")
    with open_shop(cluster, manifests_template, tmp_path, rollout=True) as opened:
        yield opened


@pytest.fixture
def open_another_shop(
    cluster: ClusterHandle, manifests_template: Path, tmp_path: Path
) -> Iterator[Callable[[str], Shop]]:
    """Open further shops, each in a folder of this name."""
    from cluster.shop import open_shop

    with ExitStack() as stack:

        def another(name: str) -> Shop:
            (tmp_path / name).mkdir()
            return stack.enter_context(open_shop(cluster, manifests_template, tmp_path / name))

        yield another


@pytest.fixture(autouse=True)
def _logs_of_the_cluster(request: pytest.FixtureRequest) -> Iterator[None]:
    """Attach what every component logged during a test, for when that fails."""
    if "cluster" not in request.fixturenames:
        yield
        return
    handle: ClusterHandle = request.getfixturevalue("cluster")
    before = {name: path.stat().st_size for name, path in handle.logs().items()}
    yield
    for name, path in handle.logs().items():
        text = path.read_bytes()[before.get(name, 0) :].decode(errors="replace")
        lines = text.splitlines()[-_LOG_LINES:]
        if lines:
            request.node.add_report_section("call", f"log of {name}", "\n".join(lines))
