"""Servers that all workers of one test run share: the first who asks starts them.

The run has a folder (`run_folder`), made by the process that the user started. Servers are kept by
a keeper, which watches that process: they end with it, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from servers.keeper import FAILED, READY
from servers.processes import CannotStartError

RUN_VARIABLE = "GITOPS_TEST_RUN"
PID = "keeper.pid"
TESTS = Path(__file__).parents[1]

# Kept from being collected, and complained about, while they run: they outlive a worker.
_LAUNCHED: list[subprocess.Popen[bytes]] = []


def announce_run(folder: Path) -> None:
    """Make this process the one that shared servers live with, and `folder` their place."""
    os.environ[RUN_VARIABLE] = f"{os.getpid()}:{folder}"


def run_folder() -> Path:
    """Return where the folders of this run's shared servers are, one for each."""
    return Path(os.environ[RUN_VARIABLE].split(":", 1)[1]) / "servers"


def share(
    name: str, module: str, options: Mapping[str, Any], *, seconds: float = 180
) -> dict[str, Any]:
    """Return what `module.start` returned for the servers `name`, started when they are not yet.

    Raises CannotStartError with the end of the log that says why.
    """
    pid = os.environ[RUN_VARIABLE].split(":", 1)[0]
    shared = run_folder()
    shared.mkdir(exist_ok=True)
    folder = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            folder.mkdir()
            launch(folder, int(pid), module, options)
        return await_ready(folder, seconds=seconds)


def launch(folder: Path, watched: int, module: str, options: Mapping[str, Any]) -> None:
    """Start a keeper in `folder`, which is there and empty; `watched` 0: until it is told.

    The keeper inherits a lock, which therefore says whether it lives: its number alone may one day
    be somebody else's.
    """
    with (folder / PID).open("w") as pid, (folder / "keeper.log").open("wb") as log:
        fcntl.flock(pid, fcntl.LOCK_EX)
        keeper = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "servers.keeper"),
                *(str(folder), str(watched), module, json.dumps(dict(options))),
            ],
            env=_keeper_environ(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[pid.fileno()],
        )
        pid.write(str(keeper.pid))
    _LAUNCHED.append(keeper)


def _keeper_environ() -> dict[str, str]:
    """Return our environment for a keeper, which is nothing to be measured for coverage."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return kept | {"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"}


def await_ready(folder: Path, *, seconds: float = 180) -> dict[str, Any]:
    """Wait for a keeper's servers and return what it wrote about them."""
    give_up = time.monotonic() + seconds
    while True:
        with suppress(FileNotFoundError):
            return json.loads((folder / READY).read_text(encoding="utf-8"))
        with suppress(FileNotFoundError):
            raise CannotStartError((folder / FAILED).read_text(encoding="utf-8"))
        if not folder.exists() or not keeper_lives(folder):
            log = folder / "keeper.log"
            words = log.read_text(encoding="utf-8")[-2000:] if log.exists() else "no log"
            raise CannotStartError(f"the keeper of {folder.name} is gone:\n{words}")
        if time.monotonic() > give_up:
            raise CannotStartError(f"{folder.name} was not ready in {seconds:.0f} s")
        time.sleep(0.05)


def command(folder: Path, **request: Any) -> dict[str, Any]:
    """Ask a keeper to stop or start one of its servers; return what runs then."""
    told = json.loads((folder / READY).read_text(encoding="utf-8"))["control"]
    with socket.create_connection(("127.0.0.1", told["port"]), timeout=30) as control:
        control.sendall(json.dumps({**request, "token": told["token"]}).encode() + b"\n")
        answer = json.loads(control.makefile("r").readline())
    if "error" in answer:
        raise CannotStartError(answer["error"])
    return answer


def keeper_lives(folder: Path) -> bool:
    """Say whether the keeper that was started in this folder runs."""
    try:
        with (folder / PID).open() as pid:
            fcntl.flock(pid, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def end(folder: Path, *, seconds: float = 30) -> None:
    """Tell a keeper to stop its servers, and wait until it has."""
    if keeper_lives(folder):
        pid = int((folder / PID).read_text())
        os.kill(pid, signal.SIGTERM)
        give_up = time.monotonic() + seconds
        while keeper_lives(folder) and time.monotonic() < give_up:
            time.sleep(0.05)
        if keeper_lives(folder):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def end_all(above: Path) -> None:
    """Stop what `share` started for the run in this folder."""
    for folder in (above / "servers").glob("*/"):
        end(folder)
