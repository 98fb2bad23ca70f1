"""Running one whole process and writing down what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO

_SAMPLE = 0.004  # seconds between two looks at the memory
_LONGEST = 300.0  # seconds after which a run is given up


@dataclass(frozen=True)
class Cost:
    """What one run cost.

    Attributes:
        wall: seconds from start to exit.
        cpu: seconds of user and system time, its children included.
        memory: largest resident set of any one of its processes, bytes.
        status: exit status; negative: the signal that ended it.
        words: end of what it printed.
    """

    wall: float
    cpu: float
    memory: int
    status: int
    words: str


class Running:
    """A process that has been started, and is waited for together with its children's costs."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 closed by wait()
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    def wait(self) -> Cost:
        """Wait for its end."""
        guard = threading.Timer(_LONGEST, os.killpg, (self.process.pid, 9))
        guard.daemon = True
        guard.start()
        _, status, usage = os.wait4(self.process.pid, 0)
        wall = time.perf_counter() - self.started
        guard.cancel()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self._output.seek(0)
        words = self._output.read().decode(errors="replace").strip()[-400:]
        self._output.close()
        unit = 1 if sys.platform == "darwin" else 1024
        cpu = usage.ru_utime + usage.ru_stime
        return Cost(wall, cpu, usage.ru_maxrss * unit, self.process.returncode, words)


def run(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run one command to its end."""
    return Running(command, environment).wait()


def run_watched(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run one command to its end, and see how much memory its largest process takes.

    What the kernel tells at the end is at least what the process had that started it, before it
    was another program: nothing, where that is this one. So the peaks are read while it runs.
    """
    running = Running(command, environment)
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLE):
            peak[0] = max(peak[0], *(_peak(one) for one in _family(running.process.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    cost = running.wait()
    done.set()
    watcher.join()
    return replace(cost, memory=peak[0]) if peak[0] else cost


def _family(root: int) -> list[int]:
    """Return a process and all below it."""
    found = [root]
    for one in found:
        with suppress(OSError):
            text = Path(f"/proc/{one}/task/{one}/children").read_text()
            found += map(int, text.split())
    return found


def _peak(process: int) -> int:
    """Return the most bytes that one process had of its own since it is what it is."""
    with suppress(OSError, StopIteration):
        text = Path(f"/proc/{process}/status").read_text()
        lines = (line.split() for line in text.splitlines())
        return next(int(words[1]) * 1024 for words in lines if words[0] == "VmHWM:")
    return 0


def memory_of_all(command: Sequence[str], environment: Mapping[str, str]) -> int | None:
    """Run once more, looking at all its processes; return the most memory that they had at once.

    A page that several of them share counts once (the kernel's Pss). None where it is not told.
    """
    if not Path("/proc/self/smaps_rollup").exists():
        return None
    running = Running(command, environment)
    done = threading.Event()
    peak = 0

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, _memory(running.process.pid))
            done.wait(_SAMPLE)

    watcher = threading.Thread(target=watch)
    watcher.start()
    running.wait()
    done.set()
    watcher.join()
    return peak


def _memory(root: int) -> int:
    """Bytes of the process `root` and all below it; sessions and groups may be their own."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                after_name = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            children.setdefault(int(after_name[1]), []).append(int(entry.name))
    total, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        total += _share(process)
        waiting += children.get(process, ())
    return total


def _share(process: int) -> int:
    """Bytes of one process, of what it shares with others only its part."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in text.splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[0] == "Pss:"), 0)


class Wire:
    """The HTTP server in a process of its own, and its counters."""

    def __init__(self, root: Path) -> None:
        script = Path(__file__).with_name("server.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise SystemExit("the HTTP server did not start")
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def counts(self) -> dict[str, int]:
        """Counters since the last call: requests, adverts, posts, intents; up, down in bytes."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/-/counts") as answer:
            counted: dict[str, int] = json.load(answer)
        return counted
