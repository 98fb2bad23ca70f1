"""A process that starts servers, keeps them while another process lives, and stops them in order.

    python -m servers.keeper FOLDER PID MODULE OPTIONS

calls `MODULE.start(processes, options)`, writes what it returns to `FOLDER/ready.json`, or why it
could not to `FOLDER/failed`, and waits: until process PID is gone (0: for ever), or for SIGTERM.
Then the servers are stopped and FOLDER is deleted. When the keeper itself is killed, the kernel
kills the servers (on Linux).

A port of the loopback takes one JSON line per connection, to stop and start single servers under
the tests: `{"do": "stop", "name": "kube-apiserver", "kill": true}`, `{"do": "start", "name": …}`.
The port, and the token that a line must have, stand in `ready.json` under `control`.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from servers.processes import CannotStartError, Processes

READY = "ready.json"
FAILED = "failed"


class _StopError(BaseException):
    """SIGTERM came."""


def main(arguments: list[str]) -> int:
    """Keep servers; return the exit code."""
    folder, watched, module, options = Path(arguments[0]), *arguments[1:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop)
    starter = importlib.import_module(module)
    processes = Processes(folder)
    kept = json.loads(options)
    try:
        with socket.create_server(("127.0.0.1", 0)) as control:
            token = secrets.token_urlsafe(16)
            told = {"port": control.getsockname()[1], "token": token}
            try:
                record = starter.start(processes, kept)
            except Exception as error:
                known = isinstance(error, CannotStartError)
                _write(folder / FAILED, str(error) if known else traceback.format_exc())
                return 1
            document = {**record, "pids": processes.pids(), "control": told}
            _write(folder / READY, json.dumps(document))
            _keep(int(watched), control, token, processes)
    except _StopError:
        pass
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        processes.stop_all(last=getattr(starter, "LAST", ()))
        # Why it failed is read by whoever waits for us; everything else may go.
        if not (folder / FAILED).exists():
            with suppress(Exception):
                getattr(starter, "stopped", lambda *_: None)(processes, kept)
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _stop(*_: object) -> None:
    raise _StopError


def _write(path: Path, text: str) -> None:
    """Write a file that is whole as soon as it is there."""
    draft = path.with_name(f"{path.name}.draft")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.rename(path)


def _keep(watched: int, control: socket.socket, token: str, processes: Processes) -> None:
    """Serve the port until the watched process is gone."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    gone = -1
    if watched and hasattr(os, "pidfd_open"):
        try:
            gone = os.pidfd_open(watched)
        except ProcessLookupError:
            return
        except OSError:  # an old kernel, or a sandbox
            gone = -1
        else:
            poll.register(gone, select.POLLIN)
    while True:
        found = [number for number, _ in poll.poll(1000)]
        if gone in found or (watched and gone < 0 and not _lives(watched)):
            return
        if control.fileno() in found:
            connection, _ = control.accept()
            with connection, suppress(OSError):
                connection.settimeout(5)
                request = connection.makefile("r").readline()
                connection.sendall(json.dumps(_answer(request, token, processes)).encode() + b"\n")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _answer(request: str, token: str, processes: Processes) -> dict[str, Any]:
    """Do what one line asks for."""
    try:
        asked = json.loads(request)
        if not secrets.compare_digest(asked["token"], token):
            return {"error": "this is not the token"}
        if asked["do"] == "stop":
            processes.stop(asked["name"], kill=bool(asked.get("kill")))
        elif asked["do"] == "start":
            processes.again(asked["name"])
        return {"pids": processes.pids()}
    except (ValueError, KeyError, CannotStartError) as error:
        return {"error": repr(error)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
