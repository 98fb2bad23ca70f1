"""Nothing that tests start stays behind: not after the end, a SIGKILL, or a start that failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from servers.gitea import GiteaServer, gitea_options
from servers.processes import CannotStartError
from servers.sharing import TESTS, await_ready, end, launch

ROOT = TESTS.parent

# Holds a test until the run is killed.
HOLD = "import signal\n\ndef pytest_runtest_call(item):\n    signal.pause()\n"


def until(question: Callable[[], object], *, seconds: float = 60) -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < give_up, "not so in time"
        time.sleep(0.05)


def lives(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def a_run(tmp_path: Path, test: str, *options: str) -> subprocess.Popen[bytes]:
    """Start pytest with one test that never ends, its temporary files below `tmp_path`."""
    (tmp_path / "hold.py").write_text(HOLD)
    (tmp_path / "tmp").mkdir()
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml")),
            *("--rootdir", str(ROOT), "-p", "no:cacheprovider", "--import-mode=importlib"),
            *("-p", "hold", *options, str(ROOT / test)),
        ],
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        stdout=(tmp_path / "output").open("wb"),
        stderr=subprocess.STDOUT,
    )


GITEA = "tests/servers/test_gitea.py::test_everybody_can_sign_in"


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_killed_run_leaves_nothing(gitea: GiteaServer, tmp_path: Path, workers: str) -> None:
    """SIGKILL to pytest ends the servers that it started, and their folder goes."""
    run = a_run(tmp_path, GITEA, "-n", workers)
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
