"""Keeps every test away from the machine: its HOME, its Git, its CI, its network, its tokens."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

import warm
from manifests import Manifests, copy_template, make_template
from servers import sharing
from servers.demands import REQUIRED_BY
from servers.network import is_allowed
from servers.store import CACHE_VARIABLE, program, store

pytest_plugins = ["servers.fixtures", "cluster.fixtures"]

settings.register_profile("fast", max_examples=50, deadline=None)
settings.register_profile(
    "ci", max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("fast")  # `--hypothesis-profile=ci` on the command line wins

GIT_CONFIG = """\
[user]
    name = Mona Test
    email = mona@example.com
[init]
    defaultBranch = main
    templateDir = {template}
[receive]
    autogc = false
[maintenance]
    auto = false
[gc]
    auto = 0
"""

FOREIGN = (
    *("GIT_", "GITOPS_", "GITHUB_", "GITLAB_", "GITEA_", "CI_", "BUILDKITE", "JENKINS_", "DRONE_"),
    *("BITBUCKET_", "CIRCLE", "TRAVIS", "TF_BUILD", "BUILD_", "SSH_", "GPG_"),
    *("ARGOCD_", "KUBE"),
)
FOREIGN_NAMES = {
    *("CI", "EMAIL", "XDG_CONFIG_HOME", "PYTHONPATH", "LANGUAGE", "LC_ALL", "NO_COLOR"),
    *("FORCE_COLOR", "VISUAL", "EDITOR", "TERM", "COLUMNS"),
}

OURS = {
    "GITOPS_TEST_BENCHES",
    "GITOPS_TEST_FUZZ",
    "GITOPS_TEST_STORM",
    "GITOPS_TEST_WHEEL",
    "GITOPS_RECORD",
    "GITOPS_TEST_HISTORIES",
    "GITOPS_TEST_ROUNDS",
    "GITOPS_TEST_SEED",
    CACHE_VARIABLE,
    sharing.RUN_VARIABLE,
    *REQUIRED_BY.values(),
}
"""What scripts/test and the process that the user started tell us and the workers."""

NOWHERE = {
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "no_proxy": "127.0.0.1,localhost,::1",
}
"""What a subprocess would fetch from anywhere else ends at a port that nobody listens on."""

LIVE = "GITOPS_LIVE_"
"""Names scratch repositories on real services (tests/forges/live.py), for those who have some."""

_KEPT = pytest.StashKey[tuple[dict[str, str], Path]]()


def _is_foreign(name: str) -> bool:
    """Say whether a variable of the machine could bend what is tested."""
    secret = any(word in name for word in ("TOKEN", "PASSWORD", "SECRET"))
    proxy = name.lower().endswith("_proxy")
    ours = name in OURS or name.startswith(LIVE)
    foreign = name.startswith(FOREIGN) or name in FOREIGN_NAMES or secret or proxy
    return foreign and not ours


def _path(machine: str) -> str:
    """Return PATH with the pinned kustomize before the machine's, where it is built.

    A build takes it a quarter of the time of a kubectl (decision 207).
    """
    kustomize = program("kustomize")
    return f"{kustomize.parent}{os.pathsep}{machine}" if kustomize.exists() else machine


def pytest_configure(config: pytest.Config) -> None:
    """Swap the environment before anything runs, session fixtures and subprocesses included."""
    home = Path(tempfile.mkdtemp(prefix="gitops-test-home-"))
    config.stash[_KEPT] = (dict(os.environ), home)
    # The store of built servers is the user's, whose HOME is about to go.
    os.environ[CACHE_VARIABLE] = str(store())
    for name in list(os.environ):
        if _is_foreign(name):
            del os.environ[name]
    # Fifteen samples of hooks in every repository would be most of the files that tests make.
    (home / "template" / "hooks").mkdir(parents=True)
    (home / "gitconfig").write_text(GIT_CONFIG.format(template=home / "template"))
    live = any(name.startswith(LIVE) for name in os.environ)
    nowhere = {} if live else NOWHERE
    os.environ |= nowhere | {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GITOPS_CACHE": "off",  # ports are used again, and another test's repository was there
        "LC_ALL": "C.UTF-8",
        "PATH": _path(os.environ["PATH"]),
    }
    if hasattr(config, "workerinput"):
        gc.disable()  # collecting makes a million objects, and hardly one that goes
    else:
        sharing.announce_run(home)


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make from now on."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: a worker that finds it at the end keeps the others waiting.

    Drawn examples go where the chosen ones went, hundreds of times: counting lines there finds none
    that are new, and takes twice as long as the tests.
    """
    items.sort(key=_allowed, reverse=True)  # stable: all else stays in its order
    for item in items:
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
            item.add_marker("no_cover")


def _allowed(item: pytest.Item) -> float:
    """Return the seconds that a slow test may take; others need not be told apart.

    Two workers have all of the cluster's, from the first to the last, in their own order.
    """
    if "tests/cluster/" in item.nodeid:
        return float("inf")
    limit = item.get_closest_marker("timeout")
    return float(limit.args[0]) if limit is not None and limit.args else 1.0 * _is_slow(item)


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the environment back and drop the temporary home."""
    environ, home = config.stash[_KEPT]
    if not hasattr(config, "workerinput"):
        sharing.end_all(home)
    os.environ.clear()
    os.environ.update(environ)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _warm_process() -> Iterator[None]:
    """End what gitops was run in, before coverage is counted."""
    yield
    warm.end()


@pytest.fixture(autouse=True)
def _uncovered(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test with the mark `no_cover` starts is not measured, as the test itself is not.

    The mark is for what does again and again what other tests have shown to be covered: crowds,
    scale, drawn histories, kills at every step. It costs as much again to count lines there.
    """
    if request.node.get_closest_marker("no_cover") is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("COV")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Fail a test that would talk to anything but this machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    if any(name.startswith(LIVE) for name in os.environ):
        yield
        return

    def check(address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "localhost"
        if not is_allowed(host):
            raise AssertionError(f"a test wants to connect to {address}")

    def guarded_connect(self: socket.socket, address: object) -> None:
        check(address)
        connect(self, address)  # type: ignore[arg-type]

    def guarded_connect_ex(self: socket.socket, address: object) -> int:
        check(address)
        return connect_ex(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        yield


@pytest.fixture(scope="session")
def manifests_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository and a clone of it, made once and copied for each test."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def manifests(manifests_template: Path, tmp_path: Path) -> Manifests:
    """A repository of the test's own, with the sample in it."""
    return copy_template(manifests_template, tmp_path)
