"""A crowd at the page: so many people look and follow what lands, some of them act all the time.

Whoever looks has a stream of events, and gets their page anew when it says so, as a browser does.
Whoever acts looks at a preview, presses, and presses once more now and then. What the branch says
afterwards is compared with what they were told.

Memory is read all the time, and told for stages of equally many acts: a first one in which threads,
connections and caches come to be, and three that may not differ.
"""

from __future__ import annotations

import re
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from estates import Estate, build_estate
from figures import Figure, figures_table
from measure import Wire
from page_server import PageProcess, form_of
from repositories import git
from single import say

_PAGES = ("/", "/?show=bad", "/e/dev/a{number}", "/a/a{number}", "/audit?environment=dev", "/holds")
_TWICE = 3  # every so manieth press is made twice
_STAGES = 4  # of the acts; the first one warms up


def measure_load(root: Path, gitops: list[str], acts: int, *, quick: bool) -> dict[str, Any]:
    """Return what a crowd saw, and what is on the branch; `acts`: of each who acts."""
    looking, acting = (20, 4) if quick else (200, 20)
    estate = Estate(20 if quick else 100, 60 if quick else 400)
    repository = build_estate(root, estate)
    before = git(repository, "rev-parse", "refs/heads/main").strip()
    say(f"page: {looking} people look, {acting} act")
    with (
        Wire(root) as wire,
        PageProcess(root, gitops, f"{wire.url}/{repository.name}") as served,
    ):
        crowd = _Crowd(served, estate.apps)
        cpu, begun = served.used(), time.monotonic()
        crowd.run(looking, acting, acts)
        wall = time.monotonic() - begun
        cpu = served.used() - cpu
        memory = served.memory()
        crowd.settle()
    subjects = git(repository, "log", "--format=%s", f"{before}..refs/heads/main")
    there = Counter(re.findall(r"-> (L\S+)", subjects))
    return {
        "looking": looking,
        "acting": acting,
        "told": len(crowd.landed),
        "lost": len([tag for tag in crowd.landed if not there[tag]]),
        "doubled": len([tag for tag, times in there.items() if times > 1]),
        "unasked": len(there.keys() - set(crowd.landed)),
        "failed": crowd.failed,
        "busy": crowd.busy,
        "pages": len(crowd.pages),
        "behind": crowd.behind,
        "page": sorted(crowd.pages)[int(len(crowd.pages) * 0.99) - 1],
        "press": sorted(crowd.presses)[int(len(crowd.presses) * 0.99) - 1],
        "stages": _by_stage(crowd.memory, acting * acts),
        "memory": memory,
        "wall": wall,
        "cpu": cpu,
    }


class _Crowd:
    """The people, a thread each.

    Attributes:
        landed: the tags that somebody was told had landed.
        failed: what else they were told, in words.
        busy: how often they were asked to come again.
        pages, presses: seconds of each.
        behind: who still showed an older board when all was over.
        memory: (acts done, memory of the server in bytes), as it went.
    """

    def __init__(self, served: PageProcess, apps: int) -> None:
        self._served = served
        self._apps = apps
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._marks: dict[int, str] = {}
        self._lookers: list[threading.Thread] = []
        self.landed: list[str] = []
        self.failed: list[str] = []
        self.busy = 0
        self.pages: list[float] = []
        self.presses: list[float] = []
        self.behind = 0
        self.memory: list[tuple[int, float]] = []

    def run(self, looking: int, acting: int, acts: int) -> None:
        """Let them come, and wait until all acts are done."""
        self._lookers = [
            threading.Thread(target=self._look, args=(number,)) for number in range(looking)
        ]
        actors = [
            threading.Thread(target=self._act, args=(number, acts)) for number in range(acting)
        ]
        for one in (*self._lookers, *actors):
            one.start()
        while any(one.is_alive() for one in actors):
            self.memory.append((len(self.landed), self._served.memory()))
            time.sleep(0.1)

    def settle(self) -> None:
        """Wait until everybody has seen the newest board, and let them go."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            newest = self._mark()
            self.behind = sum(one != newest for one in self._marks.values())
            if not self.behind and len(self._marks) == len(self._lookers):
                break
            time.sleep(0.2)
        self._over.set()
        for one in self._lookers:
            one.join(30)

    def _mark(self) -> str:
        found = re.search(r"/events\?mark=([^\"&]+)", self._served.page("/"))
        assert found is not None
        return found[1]

    def _look(self, number: int) -> None:
        path = _PAGES[number % len(_PAGES)].format(number=number % self._apps)
        port = self._served.port
        with socket.create_connection(("127.0.0.1", port), timeout=120) as stream:
            stream.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            stream.settimeout(0.5)
            while not self._over.is_set():
                try:
                    told = stream.recv(65_536)
                except TimeoutError:
                    continue
                if not told:
                    self._fail("a stream ended")
                    return
                marks = re.findall(rb"event: board\ndata: (\S+)", told)
                if marks and self._get(path):
                    self._marks[number] = marks[-1].decode()

    def _get(self, path: str) -> bytes:
        """Return a page, asked for again where the server is too busy."""
        while not self._over.is_set():
            begun = time.perf_counter()
            status, body = self._served.get(path, {})
            if status == 200:
                self.pages.append(time.perf_counter() - begun)
                return body
            if status != 503:
                self._fail(f"{path}: {status}")
                return b""
            self._again()
        return b""

    def _act(self, number: int, acts: int) -> None:
        app = f"a{number % self._apps}"
        for turn in range(acts):
            tag = f"L{number}.{turn}"
            page = self._get(f"/e/dev/{app}/deploy?image=shop/{app}&tag={tag}")
            form = {**form_of(page.decode()), "reason": f"load {number}"}
            told = self._press(f"/e/dev/{app}/deploy", form)
            if turn % _TWICE == 0 and told != self._press(f"/e/dev/{app}/deploy", form):
                self._fail(f"{tag}: the second press was told something else")
            if told:
                self.landed.append(tag)

    def _press(self, path: str, form: dict[str, str]) -> str:
        while True:
            status, told, seconds = self._served.press(path, form)
            if status == 303:
                self.presses.append(seconds)
                return told
            if status != 503:
                self._fail(f"{path}: {status}: {told[-500:]}")
                return ""
            self._again()

    def _again(self) -> None:
        with self._lock:
            self.busy += 1
        time.sleep(1)

    def _fail(self, words: str) -> None:
        self.failed.append(words)


def _by_stage(seen: Sequence[tuple[int, float]], acts: int) -> list[float]:
    """Return the median memory of each stage, bytes."""
    stages: list[list[float]] = [[] for _ in range(_STAGES)]
    for done, memory in seen:
        stages[min(done * _STAGES // acts, _STAGES - 1)].append(memory)
    return [statistics.median(one) for one in stages if one]


def load_figures(results: dict[str, Any]) -> list[Figure]:
    """Return what is wanted of a crowd."""
    looking, acting = results["looking"], results["acting"]
    astray = results["lost"] + results["doubled"] + results["unasked"] + len(results["failed"])
    stages = results["stages"]
    grown = stages[-1] / stages[1] if len(stages) == _STAGES else None
    return [
        Figure(f"{acting} act, {looking} look: lost, twice, failed", 0, 0, astray, ""),
        Figure("people who were not shown the newest board", 0, 0, results["behind"], ""),
        Figure("memory in the last third beside the first, once warm", 1.1, 1.05, grown),
        Figure("a press, 99 %", None, None, results["press"], " s"),
        Figure("a page, 99 %", None, None, results["page"], " s"),
    ]


def load_text(results: dict[str, Any]) -> str:
    """Return the table, and what else was seen."""
    told = ", ".join(f"{one / 1e6:.0f}" for one in results["stages"])
    lines = [
        figures_table(load_figures(results)),
        "",
        f"{results['told']} deploys and {results['pages']:,} pages in {results['wall']:.0f} s, "
        f"{results['cpu']:.0f} s CPU, {results['memory'] / 1e6:.0f} MB; asked to come again "
        f"{results['busy']} times.",
        f"Memory while it warms up and in each third after that: {told} MB.",
    ]
    return "\n".join(lines + results["failed"][:5])
