"""Nothing that tests start stays behind: not after the end, a SIGKILL, or a start that failed."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from servers.gitea import GiteaServer, gitea_options
from servers.processes import CannotStartError
from servers.runs import lives, start_run, until
from servers.sharing import await_ready, end, launch

GITEA = "tests/servers/test_gitea.py::test_everybody_can_sign_in"


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_killed_run_leaves_nothing(gitea: GiteaServer, tmp_path: Path, workers: str) -> None:
    """SIGKILL to pytest ends the servers that it started, and their folder goes."""
    run = start_run(tmp_path, GITEA, "-n", workers, plugin="hold")
    ready = "tmp/gitops-test-home-*/servers/gitea/ready.json"
    until(lambda: list(tmp_path.glob(ready)) or run.poll() is not None)
    (found,) = tmp_path.glob(ready)
    pids = json.loads(found.read_text())["pids"].values()
    alive = [lives(pid) for pid in pids]

    run.kill()
    run.wait()

    assert alive
    assert all(alive)
    until(lambda: not any(lives(pid) for pid in pids) and not found.parent.exists())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_killed_keeper_takes_its_servers_along(gitea: GiteaServer, tmp_path: Path) -> None:
    """When nobody is left to stop a server, the kernel does."""
    folder = tmp_path / "gitea"
    folder.mkdir()
    launch(folder, os.getpid(), "servers.gitea", gitea_options())
    pids = await_ready(folder)["pids"].values()

    os.kill(int((folder / "keeper.pid").read_text()), signal.SIGKILL)

    until(lambda: not any(lives(pid) for pid in pids))


def test_the_end_is_in_order(gitea: GiteaServer, tmp_path: Path) -> None:
    """`end` comes back when the servers have stopped and their folder is gone."""
    folder = tmp_path / "gitea"
    folder.mkdir()
    launch(folder, os.getpid(), "servers.gitea", gitea_options())
    pids = await_ready(folder)["pids"].values()

    end(folder)

    assert not any(lives(pid) for pid in pids)
    assert not folder.exists()


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    """Whoever waits for servers gets the program's own words, at once."""
    folder = tmp_path / "gitea"
    program = tmp_path / "built" / "bin" / "gitea"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 'no space left on device' >&2\nexit 7\n")
    program.chmod(0o755)
    folder.mkdir()
    launch(folder, os.getpid(), "servers.gitea", {"built": str(tmp_path / "built")})

    with pytest.raises(CannotStartError, match=r"failed \(7\)[\s\S]*no space left on device"):
        await_ready(folder)

    end(folder)
