"""The server's writer: a crowd in few pushes, beside one push for each commit, on one repository.

The callers are threads of this process, so that Git and the writer are measured and no client. The
last rows are whole processes: `gitops deploy` by a server, beside a warm one that pushes itself.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alert_back import measure_alerts
from figures import Figure, figures_table
from measure import Wire
from page_server import PageProcess
from single import say

_CALLERS = 32
_CONFIG = """apiVersion: gitops/v1
kind: Config
branch: main
environments:
  - {name: dev, overlay: "apps/{app}/overlays/dev", accepts: [main]}
"""
_WHO = {
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.com",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GITOPS_AUTHOR": "Bench <bench@example.com>",
}


def measure_server(root: Path, gitops: Sequence[str], runs: int, *, quick: bool) -> dict[str, Any]:
    """Measure both sizes; `runs`: deploys of each caller."""
    os.environ.update(_WHO)
    os.environ["GITOPS_CACHE"] = str(root / "cache")
    sizes = [20] if quick else [100, 2000]
    with Wire(root) as wire:
        rows = [_writer(root, wire.url, apps, runs) for apps in sizes]
        client = _client(root, gitops, wire.url, runs)
        say("server: alerts")
        alert = measure_alerts(root, gitops, wire.url)
    return {"rows": rows, "client": client, "alert": alert, "missing": []}


def _built(root: Path, apps: int) -> str:
    """Make a repository of so many apps; return its name."""
    name = f"apps-{apps}.git"
    lines = ["commit refs/heads/main", "committer B <b@example.com> 1700000000 +0000"]
    lines += ["data 5", "begin"]
    files = {"gitops.yaml": _CONFIG}
    for number in range(apps):
        path = f"apps/a{number}/overlays/dev/kustomization.yaml"
        files[path] = f"images:\n  - name: shop/a{number}\n    newTag: '1'\n"
    for path, text in files.items():
        lines += [f"M 100644 inline {path}", f"data {len(text)}", text]
    where = root / name
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(where)], check=True)
    subprocess.run(["git", "-C", str(where), "config", "http.receivepack", "true"], check=True)
    command = ["git", "-C", str(where), "fast-import", "--quiet"]
    subprocess.run(command, input="\n".join([*lines, ""]).encode(), check=True)
    return name


def _cpu() -> float:
    """CPU seconds of this process and what it has waited for."""
    both = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in both)


def _writer(root: Path, base: str, apps: int, runs: int) -> dict[str, Any]:
    from gitops.actions.deploy import DeployRequest, deploy
    from gitops.core.git.commit import timed_id
    from gitops.server.writer.order import CallOrder
    from gitops.server.writer.writer import Writer
    from gitops.wiring import open_kept
    from gitops.wiring.kept import open_door

    say(f"server: {apps} apps")
    url = f"{base}/{_built(root, apps)}"

    def request(number: int, tag: str) -> DeployRequest:
        return DeployRequest(images=(f"shop/a{number % apps}:{tag}",), to=("dev",))

    with open_kept(url) as begin:
        deploy(begin(), request(0, "warm"))
        began, cpu = time.perf_counter(), _cpu()
        for number in range(_CALLERS):
            deploy(begin(), request(number, f"one{number}"))
        alone = (time.perf_counter() - began) / _CALLERS
        alone_cpu = (_cpu() - cpu) / _CALLERS
    latencies: list[float] = []
    with open_door(url) as door:
        writer = Writer(door)

        def call(number: int, tag: str) -> None:
            body = request(number, tag)
            order = CallOrder(
                timed_id(time.time(), os.urandom(10)),
                "deploy",
                tag,
                lambda session: deploy(session, body),
            )
            sent = time.perf_counter()
            outcome = writer.submit(order).wait(120)
            if outcome is None or outcome.report is None:
                raise SystemExit(f"a deploy did not land: {outcome and outcome.error}")
            latencies.append(time.perf_counter() - sent)

        call(0, "warm2")
        latencies.clear()
        pushes = writer.figures.pushes
        began, cpu = time.perf_counter(), _cpu()
        _crowd(lambda caller: [call(caller, f"c{caller}r{turn}") for turn in range(runs)])
        wall, used = time.perf_counter() - began, _cpu() - cpu
        pushes = writer.figures.pushes - pushes
        writer.drain()
    landed = len(latencies)
    p99 = sorted(latencies)[max(int(landed * 0.99) - 1, 0)]
    return {
        "apps": apps,
        "alone": alone,
        "alone_cpu": alone_cpu,
        "each": wall / landed,
        "speedup": alone / (wall / landed),
        "pushes": pushes / landed,
        "p99": p99,
        "p99_pushes": p99 / (wall / pushes),
        "cpu": used / landed,
    }


def _crowd(work: Callable[[int], object]) -> None:
    threads = [threading.Thread(target=work, args=(caller,)) for caller in range(_CALLERS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def _client(root: Path, gitops: Sequence[str], base: str, runs: int) -> dict[str, Any]:
    """Return CPU, wall and requests of `gitops deploy`, by a server and by itself, warm."""
    say("server: gitops deploy by a server, and by itself")
    url = f"{base}/{_built(root, 101)}"
    with PageProcess(root, list(gitops), url, os.environ) as served:
        here = {"GITOPS_SERVER": f"http://127.0.0.1:{served.port}"}
        before = served.requests("/v1")
        by_server = _calls(gitops, ["--to", "dev"], here, "s", runs)
        requests = (served.requests("/v1") - before) / (runs + 2)
        by_itself = _calls(gitops, ["--to", "dev", "--repo", url], {}, "d", runs)
    return {
        "server_cpu": by_server[0],
        "server_wall": by_server[1],
        "direct_cpu": by_itself[0],
        "direct_wall": by_itself[1],
        "requests": requests,
    }


def _calls(
    gitops: Sequence[str], words: Sequence[str], more: Mapping[str, str], tag: str, runs: int
) -> tuple[float, float]:
    """Return the median CPU and wall seconds of a deploy; the first two warm up."""
    cpus, walls = [], []
    for turn in range(runs + 2):
        command = [*gitops, "deploy", f"shop/a7:{tag}{turn}", *words]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, env={**os.environ, **more}, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - began)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(cpus[2:]), statistics.median(walls[2:])


def server_figures(results: Mapping[str, Any]) -> list[Figure]:
    """Return the figures that are wanted of the server."""
    rows, client = results["rows"], results["client"]
    small, large = rows[0], rows[-1]
    ratio = client["server_cpu"] / client["direct_cpu"]
    return [
        Figure(
            f"{_CALLERS} callers, a commit each: time of one, beside one push per commit",
            1 / 4,
            1 / 6,
            small["each"] / small["alone"],
        ),
        Figure("pushes per landed change", 0.2, 0.1, small["pushes"], ""),
        Figure("p99 of an answer, in pushes", 8, 5, small["p99_pushes"], ""),
        Figure(
            f"own CPU per deploy in a batch, {large['apps']} apps",
            10,
            3,
            large["cpu"] * 1000,
            " ms",
        ),
        Figure("`gitops deploy` by a server: CPU beside a warm direct one", 0.7, 0.5, ratio),
        Figure("`gitops deploy` by a server: requests", 1, 1, client["requests"], ""),
        Figure("an alert's POST to the commit that goes back", 2, 0.5, results["alert"], " s"),
    ]


def server_text(results: Mapping[str, Any]) -> str:
    """Return the tables."""
    lines = [figures_table(server_figures(results)), ""]
    lines += ["| apps | one by one | in a crowd | CPU one by one | CPU in a crowd | p99 |"]
    lines += ["|---|---|---|---|---|---|"]
    for row in results["rows"]:
        lines.append(
            f"| {row['apps']} | {row['alone'] * 1000:.0f} ms | {row['each'] * 1000:.0f} ms | "
            f"{row['alone_cpu'] * 1000:.1f} ms | {row['cpu'] * 1000:.1f} ms | {row['p99']:.2f} s |"
        )
    client = results["client"]
    lines += [
        "",
        f"`gitops deploy`: by a server {client['server_cpu'] * 1000:.0f} ms CPU, "
        f"{client['server_wall'] * 1000:.0f} ms; by itself, warm, "
        f"{client['direct_cpu'] * 1000:.0f} ms CPU, {client['direct_wall'] * 1000:.0f} ms.",
    ]
    return "\n".join(lines)
