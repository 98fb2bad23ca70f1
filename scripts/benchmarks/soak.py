"""A long load on one server: callers of all verbs, boards and streams that come and go.

Memory, file handles, threads, processes below it and the files that it keeps are read every few
seconds. What grows and never stops growing shows between the second quarter of the time and the
last one.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException
from itertools import pairwise
from pathlib import Path
from typing import Any

from kill import built, drawn, new_id, releases
from measure import Wire
from page_server import PageProcess, opened_streams
from repositories import git
from single import say

_CALLERS = 8
_PAUSE = 0.05  # seconds between two calls of a caller,
_LONG_PAUSE = 1.0  # and where it takes so many minutes that others want to use the machine, too
_LONG = 20.0
_SPAN = 5.0  # minutes of a line of the table then
_STREAMS = 10  # opened and closed again, all the time
_LOOK = 2.0  # seconds between two looks at the process
_GROWTH = {
    "memory": (1.10, 16e6),
    "handles": (1.0, 8),
    "threads": (1.0, 8),
    "processes": (1.0, 2),
    "disk": (1.5, 32e6),
}
"""What may be more in the last quarter than in the second: so many times, and so much on top."""


def measure_soak(root: Path, gitops: Sequence[str], minutes: float) -> dict[str, Any]:
    """Load one server for so long; return what was read of it, part by part of the time."""
    repository = built(root / "soaked.git")
    over = threading.Event()
    answers: Counter[str] = Counter()
    looks: list[dict[str, float]] = []
    pause = _LONG_PAUSE if minutes >= _LONG else _PAUSE
    with (
        Wire(root) as wire,
        PageProcess(root, list(gitops), f"{wire.url}/{repository.name}") as served,
    ):
        works = [
            threading.Thread(target=_write, args=(served, repository, over, answers, number, pause))
            for number in range(_CALLERS)
        ]
        works += [
            threading.Thread(target=_look, args=(served, over, answers)),
            threading.Thread(target=_listen, args=(served, over, answers)),
        ]
        for one in works:
            one.start()
        end, told = time.monotonic() + minutes * 60, time.monotonic()
        while time.monotonic() < end:
            kept = _size_below(root / "tmp")
            looks.append({"memory": served.memory(), **served.held(), "disk": kept})
            if time.monotonic() - told > 60:
                told = time.monotonic()
                say(f"soak: {sum(answers.values())} answers, {looks[-1]['memory'] / 1e6:.0f} MB")
            time.sleep(_LOOK)
        over.set()
        for one in works:
            one.join()
    parts = max(int(minutes / _SPAN), 4)
    told = {"commits": len(git(repository, "rev-list", "--all").split()), "answers": dict(answers)}
    return {
        "minutes": minutes,
        **told,
        "quarters": _parts(looks, 4),
        "spans": _parts(looks, parts),
    }


def _size_below(folder: Path) -> float:
    """Return bytes in files; what goes while it is counted counts for nothing."""
    size = 0.0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(f"{place}/{name}").st_size
    return size


def _write(
    served: PageProcess,
    repository: Path,
    over: threading.Event,
    answers: Counter[str],
    number: int,
    pause: float,
) -> None:
    chance, turn = random.Random(number), 0
    heads = releases(repository)
    while not over.wait(pause):
        turn += 1
        if turn % 20 == 0:
            heads = releases(repository)
        told = drawn(chance, heads, f"{number + 2}.{turn}")
        try:
            told.status, told.answer = served.call(told.path, told.body, new_id())
        except (OSError, HTTPException) as error:
            answers[f"none: {type(error).__name__}"] += 1
            continue
        answers[f"{told.verb} {told.outcome}"] += 1


def _look(served: PageProcess, over: threading.Event, answers: Counter[str]) -> None:
    pages = ("/", "/e/dev/a0", "/audit", "/v1/environments/a1/dev/history", "/metrics")
    turn = 0
    while not over.wait(0.2):
        turn += 1
        try:
            status, _ = served.get(pages[turn % len(pages)])
            answers[f"page {status}"] += 1
        except (OSError, HTTPException) as error:
            answers[f"page: {type(error).__name__}"] += 1


def _listen(served: PageProcess, over: threading.Event, answers: Counter[str]) -> None:
    while not over.wait(0.5):
        with opened_streams(served.port, _STREAMS) as streams:
            answers["stream"] += len(streams)
            over.wait(1.0)


def _parts(looks: Sequence[dict[str, float]], number: int) -> list[dict[str, float]]:
    """Return the middle values in each of so many parts of the time."""
    edges = [len(looks) * at // number for at in range(number + 1)]
    return [
        {name: statistics.median(one[name] for one in looks[start:end]) for name in _GROWTH}
        for start, end in pairwise(edges)
        if looks[start:end]
    ]


def grown(results: dict[str, Any]) -> list[str]:
    """Return what is more in the last quarter than it may be."""
    before, last = results["quarters"][1], results["quarters"][-1]
    return [
        name for name, (times, more) in _GROWTH.items() if last[name] > before[name] * times + more
    ]


def soak_text(results: dict[str, Any]) -> str:
    """Return the table."""
    number, spans = sum(results["answers"].values()), results["spans"]
    lines = [
        f"{results['minutes']:.0f} minutes, {number:,} answers of all verbs, pages and streams, "
        f"{results['commits']:,} commits:",
        "",
        "| minutes | memory | handles | threads | processes | files |",
        "|---|---|---|---|---|---|",
    ]
    for at, one in enumerate(spans, 1):
        lines.append(
            f"| {results['minutes'] * at / len(spans):.0f} | {one['memory'] / 1e6:.0f} MB | "
            f"{one['handles']:.0f} | {one['threads']:.0f} | {one['processes']:.0f} | "
            f"{one['disk'] / 1e6:.0f} MB |"
        )
    bad = grown(results)
    lines += ["", f"It grows: {', '.join(bad)}." if bad else "Nothing grows."]
    lines += [f"- {count} {word}" for word, count in sorted(results["answers"].items())]
    return "\n".join(lines)
