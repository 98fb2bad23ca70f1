"""The cluster lane itself: who provides it, how it is left out, what a failure shows, its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.handle import ClusterHandle
from servers.runs import ROOT, lives, run, start_run, until

STORY = "tests/cluster/test_cluster.py::test_a_new_application_goes_live"


def test_a_lane_left_out_is_named(tmp_path: Path) -> None:
    """Without a cluster its tests are skipped, and the summary says which lane and why."""
    code, output = run(tmp_path, STORY, "--cluster-provider=none", "-n", "0")

    assert 0 == code
    assert "LEFT OUT lane cluster: --cluster-provider=none (1 test)" in output


def test_a_demanded_lane_is_no_skip(tmp_path: Path) -> None:
    """With GITOPS_REQUIRE_CLUSTER=1 the missing cluster is a failure, also in a worker."""
    env = {"GITOPS_REQUIRE_CLUSTER": "1"}
    code, output = run(tmp_path, STORY, "--cluster-provider=none", "-n", "1", env=env)

    assert 1 == code
    assert "GITOPS_REQUIRE_CLUSTER is set" in output


def test_two_workers_have_the_cluster(tmp_path: Path) -> None:
    """They wait most of the time, so all other tests are for the others."""
    more = [
        str(ROOT / path) for path in ("tests/cluster/test_trouble.py", "tests/test_isolation.py")
    ]
    options = ("--cluster-provider=none", "-n", "3", "-v", *more)
    _, output = run(tmp_path, "tests/cluster/test_handle.py", *options)
    lines = [line for line in output.splitlines() if line.startswith("[gw")]
    of_cluster = {line[:5] for line in lines if "tests/cluster/" in line}
    others = {line[:5] for line in lines if "tests/test_isolation" in line}

    assert len(lines) > 5
    assert 2 == len(of_cluster)
    assert others - of_cluster


def test_what_is_not_built_is_named(tmp_path: Path) -> None:
    """Where nothing is built yet, the summary says what to run."""
    env = {"GITOPS_SERVERS_CACHE": str(tmp_path / "empty")}
    options = ("--cluster-provider=processes", "-n", "0")
    code, output = run(tmp_path, STORY, *options, env=env)

    assert 0 == code
    assert "LEFT OUT lane cluster: " in output
    assert "scripts/servers build control-plane" in output or "not installed" in output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cluster-kubeconfig=/nowhere"], "no kubeconfig (/nowhere)"),
        (["--cluster-kubeconfig={kubeconfig}"], "needs --cluster-git-host"),
    ],
)
def test_an_existing_cluster_must_be_described(
    tmp_path: Path, options: list[str], words: str
) -> None:
    """What is missing to use an existing cluster is said by the name of the option."""
    (tmp_path / "config").write_text("{}")
    given = [one.format(kubeconfig=tmp_path / "config") for one in options]
    _, output = run(tmp_path, STORY, "--cluster-provider=existing", *given, "-n", "0")

    assert words in output


def test_an_existing_cluster_is_enough(cluster: ClusterHandle, tmp_path: Path) -> None:
    """A kubeconfig with Argo CD behind it runs the same story, and nothing is installed there."""
    cluster.needs("any-image")
    code, output = run(
        tmp_path,
        STORY,
        "--cluster-provider=existing",
        f"--cluster-kubeconfig={cluster.kubeconfig}",
        f"--cluster-git-host={cluster.git_host}",
        *("-n", "0"),
    )

    assert 0 == code, output
    assert "1 passed" in output


def test_a_failed_test_shows_the_logs_of_every_component(
    cluster: ClusterHandle, tmp_path: Path
) -> None:
    """The report of a failure holds what each component said, and afterwards nothing runs.

    The cluster ends with the last test that needs it.
    """
    cluster.needs("components")
    later = str(ROOT / "tests/test_isolation.py::test_home_and_git_are_our_own")
    options = ("--cluster-provider=processes", "-n", "0", later)
    code, output = run(tmp_path, STORY, *options, plugin="spoil")

    assert 1 == code
    assert "spoilt beside ['control-plane']" in output
    assert "spoilt beside []" in output
    for name in ("kube-apiserver", "argocd-repo-server", "argocd-application-controller", "etcd"):
        assert f"log of {name}" in output
    assert [] == list(tmp_path.glob("tmp/gitops-test-home-*"))


def test_a_killed_run_leaves_no_component(cluster: ClusterHandle, tmp_path: Path) -> None:
    """SIGKILL to pytest ends every process of the control plane, and its folder goes."""
    cluster.needs("components")
    held = start_run(tmp_path, STORY, "--cluster-provider=processes", "-n", "0", plugin="hold")
    ready = "tmp/gitops-test-home-*/servers/control-plane/ready.json"
    until(lambda: list(tmp_path.glob(ready)) or held.poll() is not None, seconds=100)
    (found,) = tmp_path.glob(ready)
    pids = json.loads(found.read_text())["pids"]
    alive = [name for name, pid in pids.items() if lives(pid)]

    held.kill()
    held.wait()

    assert list(pids) == alive
    until(lambda: not any(map(lives, pids.values())) and not found.parent.exists())
