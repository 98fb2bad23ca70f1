"""The page: what a board costs, how a large one starts, clicks, streams, a stop, a commit that
comes in. The server is a process of its own behind a real Git server.
"""

from __future__ import annotations

import os
import re
import signal
import statistics
import time
from pathlib import Path
from typing import Any

from estates import Estate, build_estate
from figures import Figure, by, figures_table
from measure import Wire
from page_acts import measure_clicks, measure_healthy, measure_stop
from page_server import PageProcess, arrivals, opened_streams
from repositories import fast_import, git
from single import say


def measure_page(root: Path, gitops: list[str], runs: int, *, quick: bool) -> dict[str, Any]:
    """Return all rows; what needs a control plane says so where there is none."""
    small = Estate(100, 400)
    large = Estate(60 if quick else 2_000, 100 if quick else 3_000, load=True)
    lies = {estate: build_estate(root, estate) for estate in (small, large)}
    number = 40 if quick else 500
    results: dict[str, Any] = {"estate": [large.apps, len(large.environments)]}
    with Wire(root) as wire:
        url = f"{wire.url}/{small.name}.git"
        say("page: a board, and clicks")
        with PageProcess(root, gitops, url) as served:
            results["board"] = _board(served, 20 if quick else max(runs, 1) * 10)
            results["clicks"] = measure_clicks(served, root, url, runs)
        say(f"page: {large.apps} apps")
        with PageProcess(root, gitops, f"{wire.url}/{large.name}.git") as served:
            results["start"] = _start(served) | _board(served, 5)
        say(f"page: {number} streams")
        with PageProcess(root, gitops, url) as served:
            results["streams"] = _streams(served, lies[small], number)
        say("page: a stop")
        with PageProcess(root, gitops, url) as served:
            results["stop"] = measure_stop(served, lies[small])
    say("page: a click in a cluster")
    results["healthy"] = measure_healthy(root, gitops, runs)
    return results


def _start(served: PageProcess) -> dict[str, float]:
    """Return what it cost until the first page: CPU with what it ran, wall, memory."""
    begun = time.monotonic()
    served.page("/")
    wall = served.ready + time.monotonic() - begun
    return {"cpu": served.used(), "wall": wall, "memory": served.memory("VmHWM")}


def _board(served: PageProcess, times: int) -> dict[str, float]:
    """Return what a page of the board costs."""
    served.get("/")  # templates are compiled once
    before = served.used()
    sizes = [len(served.get("/")[1]) for _ in range(times)]
    return {"bytes": float(max(sizes)), "page": (served.used() - before) / times}


def _streams(served: PageProcess, repository: Path, number: int) -> dict[str, float]:
    """Return what streams cost, how fast an event comes to all, and how fast all end."""
    before = served.memory()
    with opened_streams(served.port, number) as opened:
        each = (served.memory() - before) / number
        landed = _commit(repository)
        came = arrivals(opened, landed)
        begun = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(60)
        stop = time.monotonic() - begun
    return {
        "number": number,
        "each": each,
        "seen": came[0] - landed,
        "last": came[-1] - came[0],
        "middle": statistics.median(came) - came[0],
        "stop": stop,
    }


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


def page_figures(results: dict[str, Any]) -> list[Figure]:
    """Return the figures that are wanted of the page."""
    board, start, clicks = results["board"], results["start"], results["clicks"]
    streams, stop, healthy = results["streams"], results["stop"], results["healthy"]
    apps, environments = results["estate"]
    large, many = f"{apps:,} apps × {environments}", f"{streams['number']} streams"

    def later(name: str) -> float | None:
        return healthy[name] - healthy["own"] if "own" in healthy else None

    return [
        Figure("a page of the board, 100 rows, gzip", 15, 8, board["bytes"] / 1e3, " kB"),
        Figure("the same: CPU of the server", 15, 5, board["page"] * 1e3, " ms"),
        Figure(f"{large}: start to first page, CPU", 5, 2, start["cpu"], " s"),
        Figure("the same: most memory", 256, 128, start["memory"] / 1e6, " MB"),
        Figure("click to commit, warm, beside a bare push", 2, 1.3, by(*clicks.values())),
        Figure("click to Healthy, after Argo CD's own time", 1.5, 0.5, later("cluster"), " s"),
        Figure("the same until the page says so", None, None, later("page"), " s"),
        Figure(f"{many}: memory of each", 60, 30, streams["each"] / 1e3, " kB"),
        Figure("the same: an event, first to last", 0.5, 0.1, streams["last"], " s"),
        Figure(f"stop with {stop['streams']} streams, after the push", 3, 1, stop["after"], " s"),
        Figure("a new commit on the boards, without a hook", 16, None, streams["seen"], " s"),
    ]


def page_text(results: dict[str, Any]) -> str:
    """Return the table, and what else was seen."""
    start, clicks, healthy = results["start"], results["clicks"], results["healthy"]
    lines = [
        figures_table(page_figures(results)),
        "",
        f"{results['estate'][0]:,} apps: ready for people after {start['wall']:.1f} s; a page of "
        f"100 rows {start['bytes'] / 1e3:.1f} kB, {start['page'] * 1e3:.1f} ms.",
        f"A click {clicks['click'] * 1e3:.0f} ms, a bare push {clicks['push'] * 1e3:.0f} ms.",
        f"A stop with {results['streams']['number']} streams: {results['streams']['stop']:.2f} s.",
    ]
    if "missing" in healthy:
        lines.append(f"Click to Healthy: not measured: {healthy['missing']}.")
    else:
        lines.append(f"Argo CD's own time after a refresh: {healthy['own']:.2f} s.")
    return "\n".join(lines)
