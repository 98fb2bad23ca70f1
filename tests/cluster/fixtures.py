"""A pytest plugin: the cluster, a shop that Argo CD follows in it, logs of a failed test."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cluster.turns import MARK, count_one, turn
from cluster.wanted import PROVIDERS, STARTED, NoClusterError, Wanted, of_engines
from servers.fixtures import show_when_failed
from servers.lanes import leave_out
from servers.processes import CannotStartError
from servers.sharing import end, run_folder

# The client of Kubernetes costs every worker a third of a second: only who needs it loads it.
if TYPE_CHECKING:
    from cluster.handle import ClusterHandle
    from cluster.shop import Shop


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose the cluster."""
    group = parser.getgroup("cluster", "the cluster of tests/cluster")
    group.addoption("--cluster-provider", choices=PROVIDERS, default="auto", help="who provides it")
    group.addoption("--cluster-kubeconfig", default="", help="existing: default $KUBECONFIG")
    group.addoption("--cluster-context", default="", help="existing: default the current one")
    group.addoption("--cluster-namespace", default="argocd", help="existing: where Argo CD is")
    group.addoption("--cluster-git-host", default="", help="existing: this machine as it sees us")


FOLDER = "tests/cluster/"
"""Where tests of the cluster are: two workers run them."""

SECOND = ("test_story", "test_page_story", "test_trouble", "test_playground")
"""The modules of the second one, about half of the time. Tokens of Argo CD's accounts are asked for
by the first one only: they are all kept in one Secret, so two at once may clash."""

TOGETHER = ("tests/e2e/test_demo.py", "tests/test_sample.py")
"""Modules whose tests look at one thing that takes seconds to make: one worker makes it once."""

_WANTED = pytest.StashKey[Wanted]()
_TESTS = pytest.StashKey[int]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read what is wanted before tests/conftest.py swaps the environment; tell the workers."""
    if hasattr(config, "workerinput"):
        config.stash[_WANTED] = Wanted(**config.workerinput["cluster"])
        return
    option = config.option
    named = option.cluster_kubeconfig or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    kubeconfig = Path(named) if named else Path(os.environ.get("HOME", "/")) / ".kube" / "config"
    config.stash[_WANTED] = Wanted(
        provider=option.cluster_provider,
        kubeconfig=str(kubeconfig.absolute()),
        context=option.cluster_context,
        namespace=option.cluster_namespace,
        git_host=option.cluster_git_host,
        environ=of_engines(os.environ),
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass on to a worker of xdist what is wanted."""
    node.workerinput["cluster"] = asdict(node.config.stash[_WANTED])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Spread tests over workers as `--dist load` does, but keep those of the cluster on two.

    Those of a module of `TOGETHER` stay together.

    They mostly wait: what is spread over all workers would keep all of them waiting. (The marks of
    `--dist loadgroup` do nothing in xdist 3.8 with pytest 9.2.)
    """
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ClusterScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if FOLDER not in nodeid:
                module = nodeid.partition("::")[0]
                return module if module in TOGETHER else nodeid
            module = nodeid.partition(FOLDER)[2].partition(".")[0]
            return f"{FOLDER}{'second' if module in SECOND else 'first'}"

        def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
            """Forget what is done: xdist counts it again after each of thousands of tests."""
            nodeid = self.registered_collections[node][item_index]
            scope = self._split_scope(nodeid)
            unit = self.assigned_work[node][scope]
            unit[nodeid] = True
            if all(unit.values()):
                del self.assigned_work[node][scope]
            self._reschedule(node)

    return ClusterScheduling(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the tests after whose last one nobody needs the cluster."""
    session.config.stash[_TESTS] = sum(map(_is_of_cluster, session.items))


def _is_of_cluster(item: pytest.Item) -> bool:
    return "cluster" in getattr(item, "fixturenames", ()) and FOLDER in item.nodeid


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Run a test of the cluster when its turn has come: before its timeout begins to count.

    The last one ends the cluster, which would keep a fifth of a processor busy to the end of a run.
    """
    if not _is_of_cluster(item):
        return (yield)
    with turn(alone=item.get_closest_marker(MARK) is not None):
        ran = yield
    if count_one() == item.config.stash[_TESTS]:
        for name in STARTED:
            end(run_folder() / name)
    return ran


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> ClusterHandle:
    """A cluster with Argo CD that the whole run shares."""
    from cluster.providers import open_cluster

    try:
        return open_cluster(request.config.stash[_WANTED])
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
def _logs_of_the_cluster(request: pytest.FixtureRequest) -> None:
    """Have what every component logs during a test shown when that fails."""
    if "cluster" in request.fixturenames:
        handle = request.getfixturevalue("cluster")
        if hasattr(handle, "logs"):  # a test may have a fake one of this name
            assert FOLDER in request.node.nodeid, f"tests of the cluster are in {FOLDER}"
            show_when_failed(request.node, handle.logs())
