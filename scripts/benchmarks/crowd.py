"""Many writers at once on one branch: what landed, what was lost, and how long it took."""

from __future__ import annotations

import random
import re
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from measure import Cost, Running, Wire
from peers import CACHE_OF_A_RUN, KEYED, Bump, Peer, crowd_peers
from repositories import Served, Shape, build, image_name
from single import say

_PUT = re.compile(r"-> (8\.\d+)")
_CROWDED = 32  # writers; beyond that only the ones that combine take part in every trial


@dataclass
class Trials:
    """All trials of one peer with one number of writers.

    Attributes:
        landed: per trial, writers that reported success and whose change stands there, once.
        lost: in all trials, writers that reported success and whose change does not.
        doubled: in all trials, changes that were committed more than once.
        failed: in all trials, writers that gave up.
        stray: in all trials, changes of writers that gave up, landed all the same.
        pushes: per trial, pushes of the branch that were tried.
        intents: per trial, pushes that only published something for others.
        left: refs of gitops' own that were left over, in all trials.
        unsound: trials after which `git fsck` complained.
        latencies: seconds, of every writer in all trials.
    """

    peer: str
    writers: int
    landed: list[int] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    pushes: list[int] = field(default_factory=list)
    intents: list[int] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    failed: int = 0
    stray: int = 0
    left: int = 0
    unsound: int = 0
    words: str = ""

    def add(self, costs: Sequence[Cost], counts: Mapping[str, int], served: Served) -> None:
        """Note what one trial cost, and whether it left the repository sound."""
        self.cpus.append(sum(cost.cpu for cost in costs))
        self.latencies += [cost.wall for cost in costs]
        intents = counts.get("intents", 0)
        self.intents.append(intents)
        self.pushes.append(max(counts.get("adverts", 0), counts.get("posts", 0)) - intents)
        self.unsound += not served.sound()

    def summary(self) -> dict[str, object]:
        """What the tables show."""
        latencies = sorted(self.latencies)
        landed = sum(self.landed)
        return {
            "peer": self.peer,
            "writers": self.writers,
            "trials": len(self.landed),
            "landed": min(self.landed),
            "lost": self.lost,
            "doubled": self.doubled,
            "failed": self.failed,
            "stray": self.stray,
            "left": self.left,
            "unsound": self.unsound,
            "wall": statistics.median(self.walls),
            "low": min(self.walls),
            "high": max(self.walls),
            "cpu": statistics.median(self.cpus),
            "pushes": statistics.median(self.pushes),
            "intents": statistics.median(self.intents),
            "per_landed": sum(self.pushes) / landed if landed else None,
            "p50": _quantile(latencies, 0.50),
            "p99": _quantile(latencies, 0.99),
            "words": self.words,
        }


def measure_crowd(
    root: Path,
    shapes: Mapping[str, Shape],
    gitops: Sequence[str],
    sizes: Sequence[int],
    trials: int,
) -> dict[str, object]:
    """Return the summaries, and who was left out."""
    peers, missing = crowd_peers(gitops)
    home = root / "home"
    home.mkdir(exist_ok=True)
    served = build(root, "crowd", shapes["crowd"])
    order = random.Random(1)
    rows: list[Trials] = []
    with Wire(root) as wire:
        url = f"{wire.url}/{served.path.name}"
        for size in sizes:
            # Who only retries takes minutes in a large crowd, and it is known how that ends.
            few = trials if size <= _CROWDED else min(trials, 2)
            most = {peer.name: trials if peer.name == KEYED else few for peer in peers}
            made = {peer.name: Trials(peer.name, size) for peer in peers}
            for number in range(trials):
                turn = [peer for peer in peers if number < most[peer.name]]
                for peer in order.sample(turn, len(turn)):
                    _trial(peer, made[peer.name], f"{size}.{number}", url, served, home, wire)
                say(f"{size} writers: trial {number + 1} of {trials}")
            rows += made.values()
    key = [row for row in rows if row.peer == KEYED]
    if key and not any(sum(row.intents) for row in key):
        rows = [row for row in rows if row.peer != KEYED]
        missing.append(f"{KEYED}: no writer published an intent")
    return {"rows": [row.summary() for row in rows], "missing": missing}


def measure_steady(
    root: Path, shapes: Mapping[str, Shape], gitops: Sequence[str], workers: int, deploys: int
) -> list[dict[str, object]]:
    """Return the summaries of so many workers that deploy again and again.

    Each waits for nobody else: who has landed begins anew at once, beside those who still try.
    """
    peers = [peer for peer in crowd_peers(gitops)[0] if peer.name.startswith("gitops")]
    home = root / "home"
    home.mkdir(exist_ok=True)
    served = build(root, "crowd", shapes["crowd"])
    rows: list[Trials] = []
    with Wire(root) as wire:
        url = f"{wire.url}/{served.path.name}"
        for peer in peers:
            trials = Trials(peer.name, workers)
            _steady(peer, trials, url, served, home, wire, deploys)
            rows.append(trials)
            say(f"steady: {peer.name}")
    return [row.summary() | {"deploys": deploys} for row in rows]


def _steady(
    peer: Peer, trials: Trials, url: str, served: Served, home: Path, wire: Wire, deploys: int
) -> None:
    served.reset()
    images = min(served.shape.images, trials.writers)
    bumps = [
        Bump(url, "dev", image_name(number % images), f"8.{number}") for number in range(deploys)
    ]
    waiting = list(reversed(bumps))
    done: list[tuple[Bump, Cost]] = []

    def work(_: int) -> None:
        while True:
            try:
                bump = waiting.pop()
            except IndexError:
                return
            done.append((bump, Running(peer.words(bump), peer.environment(bump, home)).wait()))

    wire.counts()
    started = time.perf_counter()
    with ThreadPoolExecutor(trials.writers) as pool:
        list(pool.map(work, range(trials.writers)))
    trials.walls.append(time.perf_counter() - started)
    trials.add([cost for _, cost in done], wire.counts(), served)
    # A tag is also named where it is replaced.
    put = [tag for message in served.messages() for tag in set(_PUT.findall(message))]
    landed = [bump for bump, cost in done if cost.status == 0]
    times = [put.count(bump.tag) for bump in landed]
    trials.failed += len(done) - len(landed)
    trials.lost += sum(1 for one in times if one == 0)
    trials.doubled += sum(1 for one in times if one > 1)
    trials.landed.append(sum(1 for one in times if one == 1))
    trials.words = next((cost.words for _, cost in done if cost.status != 0), "")
    shutil.rmtree(home / CACHE_OF_A_RUN, ignore_errors=True)


def _trial(
    peer: Peer, trials: Trials, label: str, url: str, served: Served, home: Path, wire: Wire
) -> None:
    served.reset()
    bumps = [
        Bump(url, "dev", image_name(number % served.shape.images), f"7.{label}.{number}")
        for number in range(trials.writers)
    ]
    wire.counts()
    begun = [Running(peer.words(bump), peer.environment(bump, home)) for bump in bumps]
    with ThreadPoolExecutor(len(begun)) as pool:
        costs: list[Cost] = list(pool.map(Running.wait, begun))
    counts = wire.counts()
    ends = [running.started + cost.wall for running, cost in zip(begun, costs, strict=True)]
    trials.walls.append(max(ends) - begun[0].started)
    trials.add(costs, counts, served)
    trials.left += len(served.left_refs())
    _judge(trials, bumps, costs, served)
    shutil.rmtree(home / CACHE_OF_A_RUN, ignore_errors=True)


def _judge(trials: Trials, bumps: Sequence[Bump], costs: Sequence[Cost], served: Served) -> None:
    """Compare what the writers said with what stands on the branch."""
    overlay = served.overlay("dev").replace('"', "")
    words = [word for message in served.messages() for word in set(message.split())]
    landed = 0
    for bump, cost in zip(bumps, costs, strict=True):
        stands = f"name: {bump.image}\n    newTag: {bump.tag}\n" in overlay
        times = words.count(bump.tag)
        trials.doubled += times > 1
        if cost.status == 0:
            landed += stands and times == 1
            trials.lost += not (stands and times)
        else:
            trials.failed += 1
            trials.stray += stands
            trials.words = f"exit {cost.status}: {cost.words}"
    trials.landed.append(landed)


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, round(share * (len(values) - 1)))]
