"""The page: what a board costs, how a large one starts, streams, a stop, a commit that comes in.

The server is a process of its own on an estate behind a real Git server; CPU and memory are the
kernel's own words on that process.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from estates import Estate, build_estate
from measure import Wire
from peers import base_environment
from repositories import fast_import, git

_TICK = os.sysconf("SC_CLK_TCK")
_LONGEST = 300.0  # seconds that a start may take
_BYTES = {"Accept-Encoding": "gzip"}


def measure_page(root: Path, gitops: list[str], runs: int, *, quick: bool) -> dict[str, Any]:
    """Return the rows that need neither a cluster nor a forge."""
    small, large = Estate(100, 400), Estate(60 if quick else 2_000, 100 if quick else 3_000)
    for estate in (small, large):
        build_estate(root, estate)
    number = 40 if quick else 500
    with Wire(root) as wire:
        with _Served(root, gitops, f"{wire.url}/{small.name}.git") as served:
            board = served.board(20 if quick else max(runs, 1) * 10)
        with _Served(root, gitops, f"{wire.url}/{large.name}.git") as served:
            start = served.start() | served.board(5)
        with _Served(root, gitops, f"{wire.url}/{small.name}.git") as served:
            streams = served.streams(root / f"{small.name}.git", number)
    return {"board": board, "start": start, "streams": streams, "estate": [large.apps, 6]}


class _Served:
    """`gitops serve` on one repository; a context manager that waits for its first board."""

    def __init__(self, root: Path, gitops: list[str], url: str) -> None:
        environment = base_environment(root) | {"GITOPS_CACHE": "off"}
        self._process = subprocess.Popen(
            [*gitops, "serve", "--repo", url, "--listen", "127.0.0.1:0"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> _Served:
        begun = time.monotonic()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r" at http://127\.0\.0\.1:(\d+)", line)
        assert found is not None, line
        self.port = int(found[1])
        while self._get("/readyz")[0] != 200:
            assert time.monotonic() - begun < _LONGEST
            time.sleep(0.05)
        self._wall = time.monotonic() - begun
        self._cpu = self._used()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    def start(self) -> dict[str, float]:
        """Return what it cost until the first board: CPU with what it ran, wall, memory."""
        return {"cpu": self._cpu, "wall": self._wall, "memory": self._memory("VmHWM")}

    def board(self, times: int) -> dict[str, float]:
        """Return what a page of the board costs."""
        self._get("/")  # templates are compiled once
        before = self._used()
        sizes = [len(self._get("/")[1]) for _ in range(times)]
        cpu = (self._used() - before) / times
        return {"bytes": float(max(sizes)), "page": cpu}

    def streams(self, repository: Path, number: int) -> dict[str, float]:
        """Return what streams cost, how fast an event comes to all, and how fast all end."""
        before = self._memory("VmRSS")
        with _opened(self.port, number) as opened:
            each = (self._memory("VmRSS") - before) / number
            landed = _commit(repository)
            arrivals = _arrivals(opened, landed)
            begun = time.monotonic()
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            stop = time.monotonic() - begun
        return {
            "number": number,
            "each": each,
            "seen": arrivals[0] - landed,
            "last": arrivals[-1] - arrivals[0],
            "middle": statistics.median(arrivals) - arrivals[0],
            "stop": stop,
        }

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers=_BYTES)
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        finally:
            connection.close()
        if status == 429 or (status == 503 and path == "/"):
            time.sleep(1)
            return self._get(path)
        return status, body

    def _used(self) -> float:
        """Return CPU seconds of the process and of what it ran and waited for."""
        text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8")
        fields = text.rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICK

    def _memory(self, name: str) -> float:
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024.0


@contextmanager
def _opened(port: int, number: int) -> Iterator[list[socket.socket]]:
    """Open streams, as slowly as one caller may."""
    opened: list[socket.socket] = []
    try:
        while len(opened) < number:
            one = socket.create_connection(("127.0.0.1", port), timeout=30)
            one.sendall(b"GET /events?mark=x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
            head = b""
            while b"event: board" not in head and b" 503 " not in head and b" 429 " not in head:
                head += one.recv(65_536)
            if b" 200 " in head.split(b"\r\n", 1)[0]:
                opened.append(one)
            else:
                one.close()
                time.sleep(1)
        yield opened
    finally:
        for one in opened:
            one.close()


def _commit(repository: Path) -> float:
    """Let something land, and return when: seconds of the monotonic clock."""
    tip = git(repository, "rev-parse", "refs/heads/main").strip()
    path = "apps/a0/overlays/dev/kustomization.yaml"
    content = git(repository, "show", f"{tip}:{path}")
    changed = re.sub(r"newTag: \S+", f"newTag: 9.9.{os.getpid()}", content, count=1)
    who = f"Ana <ana@example.com> {int(time.time())} +0000"
    text = f"commit refs/heads/main\ncommitter {who}\ndata 3\nit\nfrom {tip}\n"
    text += f"M 100644 inline {path}\ndata {len(changed)}\n{changed}\n"
    fast_import(repository, [text.encode()])
    return time.monotonic()


def _arrivals(opened: list[socket.socket], since: float) -> list[float]:
    """Return when the event came on each stream, in order."""
    waiting, arrived = set(opened), []
    while waiting and time.monotonic() - since < 60:
        for one in select.select(list(waiting), [], [], 1.0)[0]:
            if b"event: board" in one.recv(65_536):
                waiting.discard(one)
                arrived.append(time.monotonic())
    assert not waiting, f"{len(waiting)} streams were told nothing"
    return arrived


def page_text(results: dict[str, Any]) -> str:
    """Return the table."""
    board, start, streams = results["board"], results["start"], results["streams"]
    apps, environments = results["estate"]
    rows = [
        (
            "board of 100 rows: gzip, CPU of the server",
            "15 kB, 15 ms",
            f"{board['bytes'] / 1000:.1f} kB, {board['page'] * 1000:.1f} ms",
        ),
        (
            f"{apps:,} apps × {environments}: start to first page; most memory",
            "5 s CPU; 256 MB",
            f"{start['cpu']:.1f} s CPU ({start['wall']:.1f} s); {start['memory'] / 1e6:.0f} MB",
        ),
        (
            "its board, 100 of the rows",
            "",
            f"{start['bytes'] / 1000:.1f} kB, {start['page'] * 1000:.1f} ms",
        ),
        (
            f"{streams['number']} streams: memory each, event from the first to the last",
            "60 kB, 0.5 s",
            f"{streams['each'] / 1000:.0f} kB, {streams['last']:.2f} s",
        ),
        ("stop with all these streams open", "3 s", f"{streams['stop']:.2f} s"),
        ("a new commit on the boards, without a hook", "15 s + 1 s", f"{streams['seen']:.1f} s"),
    ]
    lines = ["| what | at least | seen |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])
