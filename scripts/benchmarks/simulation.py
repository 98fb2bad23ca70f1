"""2,000 services, six environments, 50 clusters, three replicas: what it takes, and what it bears.

The clusters are stand-ins: one process that answers for each of them with its part of the
Applications. Git, the servers and the callers are real processes and real requests.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from typing import Any

from estates import Estate, build_estate, commit
from kill import new_id
from measure import Wire
from page_server import PageProcess
from repositories import fast_import, git
from single import say

_REPLICAS = 3
_CALLERS = 48
_IDLE = 30.0  # seconds


def measure_simulation(root: Path, gitops: Sequence[str], *, quick: bool) -> dict[str, Any]:
    """Return what it cost; `quick`: a tenth of it, to see that it works."""
    clusters = 5 if quick else 50
    full = Estate(200 if quick else 2000, 300 if quick else 3000, load=True)
    seen = Estate(30 if quick else 330, 300, load=True)
    with ExitStack() as stack:
        found = _full(stack, root, gitops, full, clusters, 4 if quick else 6)
    with ExitStack() as stack:
        found["health"] = _with_health(stack, root, gitops, seen, clusters)
    return found


def _full(
    stack: ExitStack,
    root: Path,
    gitops: Sequence[str],
    estate: Estate,
    clusters: int,
    deploys: int,
) -> dict[str, Any]:
    repository = build_estate(root, estate)
    url = f"{stack.enter_context(Wire(root)).url}/{repository.name}"
    environment = _clusters(stack, root, estate, clusters, repository, url)
    say(f"simulation: {_REPLICAS} servers start")
    begun = time.monotonic()
    served = [PageProcess(root, list(gitops), url, environment) for _ in range(_REPLICAS)]
    for one in served:
        stack.enter_context(one)
    found: dict[str, Any] = {
        "size": [estate.apps, len(estate.environments), clusters, _REPLICAS],
        "start": time.monotonic() - begun,
        "start_cpu": statistics.median(one.used() for one in served),
    }
    say("simulation: nobody does anything")
    found["idle"] = _idle(served)
    say(f"simulation: {_CALLERS} callers")
    found |= _crowd(served, estate, repository, deploys)
    found["memory"] = max(one.memory("VmHWM") for one in served)
    found["page"] = _page(served[0])
    return found


def _with_health(
    stack: ExitStack, root: Path, gitops: Sequence[str], estate: Estate, clusters: int
) -> dict[str, Any]:
    """Return what a server costs that asks all clusters: as large as one may be that does."""
    say("simulation: one server that asks all clusters")
    repository = build_estate(root, estate)
    url = f"{stack.enter_context(Wire(root)).url}/{repository.name}"
    environment = _clusters(stack, root, estate, clusters, repository, url)
    with PageProcess(root, list(gitops), url, environment) as served:
        start = served.ready
        idle = _idle([served])
        told = "Healthy" in served.page("/e/dev/a0")
        return {
            "apps": estate.apps,
            "start": start,
            "idle": idle,
            "told": told,
            "memory": served.memory("VmHWM"),
        }


def _clusters(
    stack: ExitStack, root: Path, estate: Estate, clusters: int, repository: Path, url: str
) -> dict[str, str]:
    """Set clusters up, and return the environment in which they are known."""
    _name_clusters(repository, estate, clusters)
    head = git(repository, "rev-parse", "main").strip()
    planes = _planes(root, estate, clusters, url, head)
    stack.callback(_end, planes)
    return {"KUBECONFIG": str(root / "kubeconfig")}


def _planes(
    root: Path, estate: Estate, clusters: int, url: str, head: str
) -> subprocess.Popen[str]:
    """Start what answers for the clusters, and write a kubeconfig that leads there."""
    script = Path(__file__).with_name("planes.py")
    names = ",".join(estate.environments)
    words = [str(estate.apps), names, str(clusters), url, head]
    planes = subprocess.Popen(
        [sys.executable, str(script), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert planes.stdout is not None
    port = planes.stdout.readline().strip()
    told: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "users": [], "preferences": {}}
    told["users"] = [{"name": "me", "user": {"token": "t"}}]
    told["clusters"] = [
        {"name": f"c{number}", "cluster": {"server": f"http://127.0.0.1:{port}/c{number}"}}
        for number in range(clusters)
    ]
    told["contexts"] = [
        {"name": f"c{number}", "context": {"cluster": f"c{number}", "user": "me"}}
        for number in range(clusters)
    ]
    told["current-context"] = "c0"
    (root / "kubeconfig").write_text(json.dumps(told), encoding="utf-8")
    return planes


def _end(planes: subprocess.Popen[str]) -> None:
    assert planes.stdin is not None
    planes.stdin.close()
    planes.wait(30)


def _name_clusters(repository: Path, estate: Estate, clusters: int) -> None:
    """Say in gitops.yaml where each environment runs: on every sixth cluster."""
    config = git(repository, "show", "main:gitops.yaml")
    if "clusters:" in config:
        return
    names = estate.environments
    rows = "".join(
        f"  - {{environments: [{names[number % len(names)]}], context: c{number}}}\n"
        for number in range(clusters)
    )
    files = {"gitops.yaml": f"{config}clusters:\n{rows}"}
    tip = git(repository, "rev-parse", "main").strip()
    fast_import(repository, [commit("main", estate.commits + 1, "Name clusters", files, tip)])


def _idle(served: Sequence[PageProcess]) -> float:
    """Return the share of a core that one of them takes that nobody asks."""
    before = [one.used() for one in served]
    time.sleep(_IDLE)
    used = [one.used() - old for one, old in zip(served, before, strict=True)]
    return statistics.median(used) / _IDLE


def _crowd(
    served: Sequence[PageProcess], estate: Estate, repository: Path, deploys: int
) -> dict[str, Any]:
    """Let callers deploy by all replicas; return how fast, and whether all of it is there."""
    sent: list[tuple[str, float, str]] = []
    cpu = sum(one.used() for one in served)

    def caller(number: int) -> None:
        chance = random.Random(number)
        for turn in range(deploys):
            app, name = chance.randrange(estate.apps), new_id()
            body = {"images": [f"shop/a{app}:9.{number}.{turn}"], "to": ["dev"]}
            begun = time.monotonic()
            outcome = ""
            for again in range(100):
                try:
                    one = served[(number + again) % len(served)]
                    status, answer = one.call("/v1/deploy", body, name)
                except (OSError, HTTPException):
                    continue
                if status not in (202, 502, 503, 504):
                    outcome = str(answer.get("outcome") or answer)
                    break
                time.sleep(0.2)
            sent.append((name, time.monotonic() - begun, outcome))

    begun = time.monotonic()
    with ThreadPoolExecutor(_CALLERS) as pool:
        list(pool.map(caller, range(_CALLERS)))
    wall = time.monotonic() - begun
    cpu = sum(one.used() for one in served) - cpu
    words = git(repository, "log", "--format=%(trailers:key=Gitops-Id,valueonly)", "main").split()
    times = [words.count(name) for name, _, _ in sent]
    seconds = sorted(took for _, took, _ in sent)
    head = git(repository, "rev-parse", "main").strip()
    caught = time.monotonic()
    for one in served:
        while f'commit="{head[:7]}' not in one.page("/metrics") and head[:7] not in one.page("/"):
            if time.monotonic() - caught > 60:
                break
            time.sleep(0.5)
    return {
        "deploys": len(sent),
        "committed": sum(outcome == "committed" for _, _, outcome in sent),
        "other": sorted({outcome for _, _, outcome in sent} - {"committed"})[:3],
        "lost": times.count(0),
        "doubled": sum(one > 1 for one in times),
        "each": wall / len(sent),
        "each_cpu": cpu / len(sent),
        "p50": seconds[len(seconds) // 2],
        "p99": seconds[int(len(seconds) * 0.99)],
        "caught": time.monotonic() - caught,
    }


def _page(served: PageProcess) -> float:
    before = served.used()
    for _ in range(5):
        served.page("/")
    return (served.used() - before) / 5


def simulation_text(found: dict[str, Any]) -> str:
    """Return what was seen."""
    apps, environments, clusters, replicas = found["size"]
    health = found["health"]
    rows = [
        (
            "start of all replicas at once, until they are ready",
            f"{found['start']:.0f} s, {found['start_cpu']:.1f} s CPU each",
        ),
        ("a replica that nobody asks", f"{found['idle'] * 100:.0f} % of a core"),
        ("most memory of a replica", f"{found['memory'] / 1e6:.0f} MB"),
        ("a page of the board", f"{found['page'] * 1000:.0f} ms CPU"),
        (
            f"{found['deploys']} deploys of {_CALLERS} callers, by all replicas",
            f"{1 / found['each']:.0f} a second, {found['each_cpu'] * 1000:.0f} ms CPU each; half "
            f"within {found['p50']:.1f} s, 99 % within {found['p99']:.1f} s",
        ),
        (
            "of them committed; lost; twice",
            f"{found['committed']}; {found['lost']}; {found['doubled']}",
        ),
        ("until every board shows the last one", f"{found['caught']:.1f} s"),
        (
            f"one server for {health['apps']} services that asks all clusters: start, idle, memory",
            f"{health['start']:.0f} s, {health['idle'] * 100:.0f} % of a core, "
            f"{health['memory'] / 1e6:.0f} MB",
        ),
    ]
    lines = [
        f"{apps:,} services, {environments} environments, {clusters} clusters, {replicas} replicas "
        f"on {os.cpu_count()} cores, all in one machine:",
        "",
        "| what | seen |",
        "|---|---|",
        *(f"| {what} | {seen} |" for what, seen in rows),
    ]
    return "\n".join(lines + [f"- {one}" for one in found["other"]])
