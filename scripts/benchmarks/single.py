"""One bump at a time, every peer in turn, on every repository."""

from __future__ import annotations

import random
import shlex
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from distance import Distance
from measure import Cost, Wire, memory_of_all, run
from peers import CACHE_OF_A_RUN, Bump, Peer, base_environment, single_peers
from repositories import ENVIRONMENTS, Served, Shape, build, image_name

_COLUMNS = {
    "wall": "walls",
    "cpu": "cpus",
    "requests": "requests",
    "connections": "connections",
    "up": "up",
    "down": "down",
}
_SMALL = 1000  # files that the lower bound reads
_MEMORY_RUNS = 3  # each sees its processes only now and then; the largest counts


@dataclass
class Row:
    """All runs of one peer in one case."""

    case: str
    peer: str
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)
    memory: int | None = None  # of all processes at once
    largest: int = 0  # of the largest one
    failures: int = 0
    words: str = ""

    def add(self, cost: Cost, counts: Mapping[str, int]) -> None:
        """Write down one run that did what it should."""
        self.walls.append(cost.wall)
        self.cpus.append(cost.cpu)
        self.requests.append(counts.get("requests", 0))
        self.connections.append(counts.get("connections", 0))
        self.up.append(counts.get("up", 0))
        self.down.append(counts.get("down", 0))
        self.largest = max(self.largest, cost.memory)

    def summary(self) -> dict[str, object]:
        """Medians and extremes: seconds and bytes."""
        made: dict[str, object] = {"case": self.case, "peer": self.peer, "runs": len(self.walls)}
        made |= {"failures": self.failures, "words": self.words}
        made["memory"] = self.memory
        if self.walls:
            made |= {"low": min(self.walls), "high": max(self.walls)}
            columns = asdict(self)
            for name, column in _COLUMNS.items():
                made[name] = statistics.median(columns[column])
        return made


@dataclass(frozen=True)
class Job:
    """One thing to run again and again: how, and how to see that it was done."""

    case: str
    peer: Peer
    bump: Callable[[str], Bump]
    served: Served | None
    done: Callable[[Bump], bool]


def measure_single(
    root: Path, shapes: Mapping[str, Shape], gitops: Sequence[str], added: Sequence[str], runs: int
) -> dict[str, Any]:
    """Return the summaries of all rows, and who was left out."""
    peers, missing = single_peers(gitops, added, least=interpreter_of(gitops))
    home = root / "home"
    home.mkdir(exist_ok=True)
    jobs: list[Job] = []
    with Wire(root) as wire:
        for name in ("small", "large", "deep", "crowded", "wide"):
            say(f"{name}: building")
            served = build(root, name, shapes[name])
            url = f"{wire.url}/{served.path.name}"
            fits = served.shape.files <= _SMALL and served.shape.refs == 0
            jobs += [_bump_job(name, peer, url, served) for peer in peers if fits or not peer.small]
            if peers[0].name == "gitops":
                jobs += _gitops_jobs(name, gitops, url, served)
        if peers[0].name == "gitops":
            jobs += _start_jobs(gitops)
        # All of them take turns: figures of different repositories are compared, too.
        rows = _rounds(jobs, home, wire, runs)
        if peers[0].name == "gitops":
            rows += _editing(gitops, home)
    return {"rows": [row.summary() for row in rows], "missing": missing}


def measure_far(
    root: Path,
    shapes: Mapping[str, Shape],
    gitops: Sequence[str],
    added: Sequence[str],
    runs: int,
    times: Sequence[int],
) -> dict[str, Any]:
    """The same for some repositories, behind round trips of so many milliseconds."""
    peers, missing = single_peers(gitops, added, far=True, least=interpreter_of(gitops))
    home = root / "home"
    home.mkdir(exist_ok=True)
    rows: list[Row] = []
    with Wire(root) as wire:
        for milliseconds in times:
            with Distance(wire.url, milliseconds / 1000) as distance:
                for name in ("small", "large"):
                    served = build(root, name, shapes[name])
                    url = f"{distance.url}/{served.path.name}"
                    case = f"{name} +{milliseconds} ms"
                    # A large work tree takes seconds, wherever the server is: told elsewhere.
                    mine = [peer for peer in peers if name == "small" or "gitops" in peer.name]
                    jobs = [_bump_job(case, peer, url, served) for peer in mine]
                    rows += _rounds(jobs, home, wire, runs, memory=False)
    return {"rows": [row.summary() for row in rows], "missing": missing}


def _rounds(
    jobs: Sequence[Job], home: Path, wire: Wire, runs: int, *, memory: bool = True
) -> list[Row]:
    """Run all jobs in every round, in an order that is drawn anew; the first round is not kept."""
    rows = {(job.case, job.peer.name): Row(job.case, job.peer.name) for job in jobs}
    order = random.Random(1)
    for number in range(runs + 1):
        for job in order.sample(list(jobs), len(jobs)):
            row = rows[(job.case, job.peer.name)]
            if row.failures and not row.walls:
                continue  # it cannot do this at all
            _one(job, row, f"2.{number}.{order.randrange(10**6)}", home, wire, keep=number > 0)
        say(f"round {number} of {runs}")
    for job in jobs:
        row = rows[(job.case, job.peer.name)]
        for number in range(_MEMORY_RUNS if row.walls and memory else 0):
            bump = job.bump(f"3.0.{number}")
            words, environment = _make_ready(job, bump, home)
            row.memory = max(row.memory or 0, memory_of_all(words, environment) or row.largest)
    return list(rows.values())


def _one(job: Job, row: Row, tag: str, home: Path, wire: Wire, *, keep: bool) -> None:
    bump = job.bump(tag)
    words, environment = _make_ready(job, bump, home)
    wire.counts()
    cost = run(words, environment)
    counts = wire.counts()
    if cost.status != 0 or not job.done(bump):
        row.failures += 1
        row.words = f"exit {cost.status}: {cost.words}"
        say(f"{job.case}, {job.peer.name}: {row.words}")
    elif keep:
        row.add(cost, counts)


def _make_ready(job: Job, bump: Bump, home: Path) -> tuple[list[str], dict[str, str]]:
    """Put everything back, let happen what comes before, and return command and variables."""
    shutil.rmtree(home / CACHE_OF_A_RUN, ignore_errors=True)
    peer = job.peer
    if job.served is not None:
        job.served.reset()
        if peer.primed:
            before = replace(bump, tag=f"1.{bump.tag}")
            run(peer.words(before), peer.environment(before, home))
        for number in range(peer.behind):
            job.served.commit_of_another(number)
    return peer.words(bump), peer.environment(bump, home)


def _bump_job(case: str, peer: Peer, url: str, served: Served) -> Job:
    commits = 1 + peer.primed + peer.behind

    def done(bump: Bump) -> bool:
        new = served.messages()
        return len(new) == commits and f"newTag: {bump.tag}\n" in _plain(served.overlay("dev"))

    return Job(case, peer, lambda tag: Bump(url, "dev", image_name(3), tag), served, done)


def _plain(text: str) -> str:
    return text.replace('"', "").replace("'", "")


def _gitops_jobs(case: str, gitops: Sequence[str], url: str, served: Served) -> list[Job]:
    """What only gitops can be asked for."""

    def gone_back(bump: Bump) -> bool:
        return len(served.messages()) == 1

    def all_set(bump: Bump) -> bool:
        text = "".join(_plain(served.overlay(name)) for name in ENVIRONMENTS)
        wanted = len(ENVIRONMENTS) * served.shape.images
        return len(served.messages()) == 1 and text.count(f"newTag: {bump.tag}\n") == wanted

    def job(name: str, words: Sequence[str], done: Callable[[Bump], bool]) -> Job:
        peer = Peer(name, (*gitops, *words, "--repo", "{url}"), {"GITOPS_CACHE": "{cache}"})
        return Job(case, peer, lambda tag: Bump(url, "dev", image_name(3), tag), served, done)

    if case == "deep":
        return [
            job("gitops rollback, the release before", ["rollback", "dev", "--yes"], gone_back),
            job("gitops rollback, 90 % of history ago", ["rollback", "prod", "--yes"], gone_back),
            job("gitops history", ["history", "dev"], lambda bump: True),
            job("gitops status", ["status"], lambda bump: True),
        ]
    if case == "wide":
        images = [f"{image_name(number)}:{{tag}}" for number in range(served.shape.images)]
        to = [word for name in ENVIRONMENTS for word in ("--to", name)]
        count = f"{served.shape.images} images in {len(ENVIRONMENTS)} environments"
        return [job(f"gitops, {count}", ["deploy", *images, *to], all_set)]
    return []


def _start_jobs(gitops: Sequence[str]) -> list[Job]:
    nothing = Bump("", "", "", "")
    commands = {
        "gitops --help": (*gitops, "--help"),
        "gitops --version": (*gitops, "--version"),
        "python -c pass": (interpreter_of(gitops), "-c", "pass"),
    }
    return [
        Job("start", Peer(name, words), lambda tag: nothing, None, lambda bump: True)
        for name, words in commands.items()
    ]


def _editing(gitops: Sequence[str], home: Path) -> list[Row]:
    """The edit of an overlay with 1,000 images, without process, network and Git."""
    script = Path(__file__).with_name("editing.py")
    cost = run([interpreter_of(gitops), str(script), "1000"], base_environment(home))
    if cost.status != 0:
        say(f"editing: {cost.words}")
        return []
    row = Row("editing", "an overlay with 1,000 images, all set")
    row.add(replace(cost, wall=float(cost.words), cpu=float(cost.words)), {})
    return [row]


def interpreter_of(gitops: Sequence[str]) -> str:
    """Return the Python that runs `gitops`: its first word, or what its first line names."""
    path = shutil.which(gitops[0]) or gitops[0]
    if Path(path).name.startswith("python"):
        return path
    try:
        first = Path(path).read_bytes().partition(b"\n")[0].decode()
    except (OSError, UnicodeDecodeError):
        return sys.executable
    words = shlex.split(first.removeprefix("#!")) if first.startswith("#!") else []
    return words[-1] if words and "python" in words[-1] else sys.executable


def first_words(gitops: Sequence[str], home: Path) -> str:
    """Return what `gitops --version` prints, or nothing."""
    if shutil.which(gitops[0]) is None:
        return ""
    cost = run([*gitops, "--version"], base_environment(home))
    return cost.words if cost.status == 0 else ""


def say(text: str) -> None:
    """Tell whoever waits."""
    print(f"… {text}", file=sys.stderr, flush=True)
