"""Child processes with names and logs, which end with us, also when we are killed."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class CannotStartError(Exception):
    """A process ended, or did not get ready; holds the end of its log."""


@dataclass
class _Child:
    command: list[str]
    environ: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes]


class Processes:
    """Starts processes below one folder: the output of NAME goes to `logs/NAME.log`.

    To be used from the main thread of a process only: Linux kills the children when the *thread*
    that started them is gone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self._children: dict[str, _Child] = {}

    def run(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> str:
        """Run a command to its end; return what it printed. CannotStartError when it fails."""
        done = subprocess.run(
            command, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        with (self.logs / f"{name}.log").open("a", encoding="utf-8") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode != 0:
            raise CannotStartError(f"{name} failed ({done.returncode}):\n{done.stderr[-2000:]}")
        return done.stdout

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start a process and return at once."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with(os.getpid()),
            )
        self._children[name] = _Child(list(command), dict(environ), log, process)

    def again(self, name: str) -> None:
        """Start a process that was stopped, with the same command and environment."""
        child = self._children[name]
        if child.process.poll() is None:
            raise CannotStartError(f"{name} runs already")
        self.start(name, child.command, child.environ)

    def wait(self, name: str, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until a process is ready; CannotStartError when it ends before, or time is up."""
        give_up = time.monotonic() + seconds
        while not ready():
            status = self._children[name].process.poll()
            if status is not None:
                raise CannotStartError(f"{name} ended with {status}:\n{self.tail(name)}")
            if time.monotonic() > give_up:
                raise CannotStartError(f"{name} was not ready in {seconds} s:\n{self.tail(name)}")
            time.sleep(0.05)

    def wait_for(self, what: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for something that is no process of ours; CannotStartError when time is up."""
        give_up = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > give_up:
                raise CannotStartError(f"{what} not ready in {seconds:.0f} s")
            time.sleep(0.5)

    def tail(self, name: str, size: int = 3000) -> str:
        """Return the end of a process's log."""
        return self._children[name].log.read_bytes()[-size:].decode(errors="replace")

    def pids(self) -> dict[str, int]:
        """Return the running processes, name -> id, in the order in which they were started."""
        return {
            name: child.process.pid
            for name, child in self._children.items()
            if child.process.poll() is None
        }

    def stop(self, *names: str, seconds: float = 10, kill: bool = False) -> None:
        """Ask processes to end, all at once, wait, and kill those that don't.

        `kill` gives them no chance to end by themselves.
        """
        children = [self._children[name] for name in names]
        for child in children:
            with suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        give_up = time.monotonic() + seconds
        for child in children:
            try:
                child.process.wait(max(0.0, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()

    def stop_all(self, *, seconds: float = 10, last: Sequence[str] = ()) -> None:
        """Stop everything; the processes named in `last` after the others, in that order."""
        names = [name for name in self._children if name not in last]
        self.stop(*names, seconds=seconds)
        for name in last:
            if name in self._children:
                self.stop(name, seconds=seconds)


def _end_with(parent: int) -> Callable[[], None]:
    """Return what a child does before it becomes the program: bind its life to ours."""

    def prepare() -> None:
        # A Ctrl-C on the terminal is for the one who stops us in order, not for each of us.
        os.setsid()
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # gone before the line above
                os._exit(1)

    return prepare


def free_port(taken: set[int]) -> int:
    """Return a TCP port of the loopback that nobody uses, add it to `taken`.

    Ports that the system gives to outgoing connections (from 32768 on Linux) are left out: one of
    those may be gone between this call and the server's start.
    """
    while True:
        port = random.randrange(20000, 32000)
        if port in taken:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            taken.add(port)
            return port
