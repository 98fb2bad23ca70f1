"""`scripts/cluster`: the playground comes up as it says, works, and goes without a trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cluster.handle import ClusterHandle
from servers.runs import lives
from servers.sharing import TESTS


def script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/cluster with this interpreter, from an unrelated folder."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "cluster", "--folder", str(folder / "play"), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
    )


def test_up_status_and_down(cluster: ClusterHandle, tmp_path: Path) -> None:
    """Five Applications are Healthy, gitops works as printed, and `down` leaves nothing."""
    cluster.needs("any-image")
    up = script(tmp_path, "up")
    status = script(tmp_path, "status")
    record = json.loads((tmp_path / "play" / "plane" / "ready.json").read_text())
    deployed = subprocess.run(
        [sys.executable, "-m", "gitops", "deploy", "shop/api:1.5.0", "--to", "dev"],
        cwd=tmp_path,
        env={**os.environ, "GITOPS_REPO": record["repository"]},
        capture_output=True,
        text=True,
    )
    again = script(tmp_path, "up")
    down = script(tmp_path, "down")

    assert 0 == up.returncode, up.stderr
    for environment in ("local", "dev", "test", "stage", "prod"):
        assert f"shop-{environment} is Synced and Healthy" in up.stdout
    assert f"export GITOPS_REPO={record['repository']}" in status.stdout
    assert (0, "") == (deployed.returncode, deployed.stderr)
    assert "runs already" in again.stdout
    assert 0 == down.returncode
    assert not any(lives(pid) for pid in record["pids"].values())
    assert [] == list(tmp_path.iterdir())


def test_down_and_status_without_a_playground(tmp_path: Path) -> None:
    """Nothing to stop is no error; nothing to show is one, with the way to it."""
    status = script(tmp_path, "status")
    down = script(tmp_path, "down")

    assert 1 == status.returncode
    assert "scripts/cluster up" in status.stderr
    assert (0, "The playground did not run.\n") == (down.returncode, down.stdout)


def test_a_folder_with_other_things_is_left_alone(cluster: ClusterHandle, tmp_path: Path) -> None:
    """Neither `up` nor `down` deletes what is not the playground's."""
    cluster.needs("any-image")
    mine = tmp_path / "play" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("precious")
    up = script(tmp_path, "up")
    down = script(tmp_path, "down")

    assert (1, 0) == (up.returncode, down.returncode)
    assert "precious" == mine.read_text()
