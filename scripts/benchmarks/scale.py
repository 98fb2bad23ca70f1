"""How costs grow: the verbs on large estates, as whole processes over HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from estates import Estate, build_estate, land, reset
from figures import Figure, by, figures_table, table
from measure import Wire, run, run_watched
from peers import base_environment
from single import say

_NEWEST = ("--pass", "--release", "newest")


@dataclass
class Sample:
    """What one command cost on one estate.

    Attributes:
        what: the command, for people.
        size: what grows: apps, commits or lines.
        cpu, memory, requests: seconds, bytes, and HTTP requests; medians.
    """

    what: str
    estate: str
    size: int
    cpu: float
    memory: float
    requests: float
    failed: int
    words: str


@dataclass
class Yard:
    """Where estates lie and commands run.

    Attributes:
        runs: of each command; 1 for what takes long.
        only: what is measured: commands that have one of these texts; none: all.
        kept: a file with what was measured already, which is not measured again; None: nowhere.
    """

    root: Path
    wire: Wire
    gitops: Sequence[str]
    runs: int
    samples: list[Sample] = field(default_factory=list)
    number: int = 0
    only: Sequence[str] = ()
    kept: Path | None = None

    def environment(self) -> dict[str, str]:
        """The variables of a call, with one cache."""
        made = base_environment(self.root / "home")
        return made | {"GITOPS_CACHE": str(self.root / "cache-of-scale")}

    def measure(
        self,
        what: str,
        estate: Estate,
        size: int,
        words: Sequence[str],
        *,
        warm: Sequence[str] = (),
        landed: bool = False,
        clone: Path | None = None,
        expect: tuple[int, ...] = (0,),
    ) -> None:
        """Measure a command; `warm`: what ran before it, `landed`: and a commit came since.

        `clone`: it runs in a clone, at this place.
        """
        if self.only and not any(text in what for text in self.only):
            return
        if any(
            (one.what, one.estate, one.size) == (what, estate.name, size) for one in self.samples
        ):
            return
        path = build_estate(self.root, estate)
        where = _cloned(path, clone) if clone is not None else f"{self.wire.url}/{path.name}"
        costs, requests, failed, told = [], [], 0, ""
        for _ in range(self.runs):
            shutil.rmtree(self.root / "cache-of-scale", ignore_errors=True)
            reset(path)
            if warm:
                run([*self.gitops, *warm, "--repo", where], self.environment())
            if landed:
                self.number += 1
                land(path, estate, self.number)
            self.wire.counts()
            cost = run_watched([*self.gitops, *words, "--repo", where], self.environment())
            requests.append(self.wire.counts().get("requests", 0))
            if cost.status not in expect:
                failed, told = failed + 1, cost.words
            costs.append(cost)
        made = Sample(
            what,
            estate.name,
            size,
            median(cost.cpu for cost in costs),
            max(cost.memory for cost in costs),
            median(requests),
            failed,
            told,
        )
        say(f"{what}, {size:,}: {made.cpu:.2f} s, {made.requests:.0f} requests")
        self.samples.append(made)
        if self.kept is not None:
            new = self.kept.with_suffix(".new")
            new.write_text(json.dumps([asdict(one) for one in self.samples]), encoding="utf-8")
            new.replace(self.kept)


def _cloned(path: Path, clone: Path) -> str:
    """Return a clone of the repository at `path`, without files: those of commits are read."""
    if not clone.exists():
        subprocess.run(["git", "clone", "-qn", str(path), str(clone)], check=True)
    return str(clone)


def measure_scale(
    root: Path,
    gitops: Sequence[str],
    runs: int,
    *,
    quick: bool,
    only: Sequence[str] = (),
    resume: bool = False,
) -> dict[str, Any]:
    """Return all samples: apps, commits, files and ledger lines grow.

    Each sample is kept in `root` when it is there: with `resume` an interrupted run goes on.
    """
    (root / "home").mkdir(exist_ok=True)
    apps, most = (30, 90) if quick else (1000, 3000)
    few, many = (20, 200) if quick else (1000, 100_000)
    lines = 1000 if quick else 100_000
    with Wire(root) as wire:
        yard = Yard(root, wire, gitops, runs, only=only, kept=root / "samples.json")
        if resume and yard.kept is not None and yard.kept.exists():
            yard.samples += [Sample(**one) for one in json.loads(yard.kept.read_text())]
        for count in (apps // 10, apps, most):
            _apps(yard, count, 100 if quick else 3000)
        for count in (few, many):
            _commits(yard, count)
        for count in (10, lines):
            yard.measure("qa", Estate(0, 20, ledger=count), count, ["qa", "dev", *_NEWEST])
        estate = Estate(0, 20, ledger=lines, old=True)
        yard.measure("qa, in one old file", estate, lines, ["qa", "dev", *_NEWEST])
        _files(yard, 2000 if quick else 100_000)
        _check(yard, apps, 20 if quick else 900)
        estate = Estate(apps // 5, 100 if quick else 10_000)
        yard.measure("insights", estate, estate.commits, ["insights", "--since", "3650d"])
        _crowded(yard, apps // 5, 2000 if quick else 100_000)
    return {"rows": [asdict(sample) for sample in yard.samples], "missing": []}


def _apps(yard: Yard, count: int, commits: int) -> None:
    """Measure what looks at all apps."""
    estate = Estate(count, commits)
    deploy = ["deploy", "shop/a1:9.9", "--to", "dev", "--app", "a1"]
    yard.measure("deploy", estate, count, deploy)
    yard.measure("deploy, one commit later", estate, count, deploy, warm=deploy, landed=True)
    yard.measure("status", estate, count, ["status"])
    yard.measure(
        "status, one commit later", estate, count, ["status"], warm=["status"], landed=True
    )
    validate = ["validate", "--no-build"]
    yard.measure("validate", estate, count, validate)
    yard.measure("validate, one commit later", estate, count, validate, warm=validate, landed=True)
    yard.measure("hold --all", estate, count, ["hold", "--all", "--reason", "INC-1"])
    hold = ["hold", "dev", "--reason", "INC-1"]
    yard.measure("hold of dev, after status", estate, count, hold, warm=["status"], landed=True)
    yard.measure("rollback of dev", estate, count, ["rollback", "dev", "--yes"])
    yard.measure(
        "promote", estate, count, ["promote", "--from", "dev", "--to", "test", "--app", "a1"]
    )
    yard.measure("history", estate, count, ["history", "dev", "--app", "a1"])


def _commits(yard: Yard, count: int) -> None:
    """Measure what has a long history behind it."""
    estate = Estate(10, count, proposed=1)
    environment = ["approve", "prod", "--app", "a0", "--yes"]
    yard.measure("approve", estate, count, environment)
    yard.measure("history to the root", estate, count, ["history", "dev", "--app", "a0", "-n", "0"])


def _check(yard: Yard, apps: int, commits: int) -> None:
    """Measure a check of many commits, in a clone."""
    estate = Estate(apps, commits + 10)
    clone = yard.root / f"{estate.name}-clone"
    span = f"HEAD~{commits}..HEAD"
    yard.measure("check of one commit", estate, 1, ["check"], clone=clone, expect=(0, 1))
    yard.measure("check", estate, commits, ["check", span], clone=clone, expect=(0, 1))


def _files(yard: Yard, count: int) -> None:
    """Measure what has many files beside the overlays."""
    estate = Estate(10, 100, files=count)
    deploy = ["deploy", "shop/a1:9.9", "--to", "dev", "--app", "a1"]
    clone = yard.root / f"{estate.name}-clone"
    yard.measure("deploy with files", estate, count, deploy)
    yard.measure("deploy with files, warm", estate, count, deploy, warm=["status"], landed=True)
    yard.measure("status with files", estate, count, ["status"])
    yard.measure("check with files", estate, count, ["check"], clone=clone, expect=(0, 1))


def _crowded(yard: Yard, held: int, refs: int) -> None:
    """Measure many holds, and many refs."""
    many = 5 * held
    yard.measure("status with holds", Estate(many, 100, holds=many), many, ["status"])
    estate = Estate(many, 300, proposed=held)
    yard.measure("status with proposals", estate, held, ["status"])
    yard.measure(
        "the same, one commit later", estate, held, ["status"], warm=["status"], landed=True
    )
    estate = Estate(10, 100, refs=refs)
    yard.measure("status with refs", estate, refs, ["status"])


def scale_figures(rows: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """The figures that were asked for, of the largest estate of each kind."""

    def value(what: str, place: int = -1, column: str = "cpu") -> float | None:
        found = sorted((row for row in rows if row["what"] == what), key=lambda row: row["size"])
        usable = [row for row in found if not row["failed"]]
        return usable[place][column] if len(usable) >= abs(place) else None

    def megabytes(what: str) -> float | None:
        found = value(what, column="memory")
        return found / 1e6 if found is not None else None

    def growth(what: str) -> float | None:
        return by(value(what), value(what, -2))

    old = "qa, in one old file"
    later = by(value("status, one commit later", -2), value("deploy, one commit later", -2))
    waiting = by(value("the same, one commit later"), value("status, one commit later", -2))
    return [
        Figure("status, 1,000 apps × 5, first time: CPU", 6, 2, value("status", -2), " s"),
        Figure("the same: requests", 12, 5, value("status", -2, "requests"), ""),
        Figure("again one commit later, beside a deploy there", 1.5, 1.0, later),
        Figure("the same with 200 proposals, beside one without", 2.0, 1.5, waiting),
        Figure("status, 3,000 beside 1,000 apps", 3.3, 3.0, growth("status")),
        Figure("`hold --all`: requests", 8, 5, value("hold --all", column="requests"), ""),
        Figure("rollback of 1,000 apps: CPU", 6, 2, value("rollback of dev", -2), " s"),
        Figure("approve, 100,000 beside 1,000 commits", 1.5, 1.1, growth("approve")),
        Figure("qa, 100,000 beside 10 ledger lines", 1.5, 1.1, growth("qa")),
        Figure("the same: memory", 80, 50, megabytes("qa"), " MB"),
        Figure("qa, the same in one old file", 1.5, 1.1, by(value(old), value("qa", -2))),
        Figure("the same: memory", 80, 50, megabytes(old), " MB"),
        Figure("deploy, 100,000 files: memory", 120, 80, megabytes("deploy with files"), " MB"),
        Figure("status, 100,000 files: memory", 120, 80, megabytes("status with files"), " MB"),
        Figure("check of 900 commits, 1,000 apps: CPU", 5, 2, value("check"), " s"),
        Figure("the same: memory", 150, 100, megabytes("check"), " MB"),
        Figure("insights, 10,000 commits, 1,000 overlays: CPU", 3, 2, value("insights"), " s"),
        Figure(
            *("validate, 3,000 apps, one commit later: CPU", 1.5, 0.7),
            *(value("validate, one commit later"), " s"),
        ),
    ]


def scale_text(results: Mapping[str, Any]) -> str:
    """The generated part about growth."""
    rows: Sequence[Mapping[str, Any]] = results["rows"]
    machine = results["machine"]
    quick = " **A smoke run on small estates: no figure of it means anything.**"
    head = (
        f"{results['date']}, {machine['cores']} cores, {machine['system']}, git {machine['git']}, "
        f"Python {machine['python']}; median of {results['runs']}; CPU of the process and its "
        f"children, memory of its largest one.{quick if results['quick'] else ''}"
    )
    lines = [
        (
            row["what"],
            f"{row['size']:,}",
            f"{row['cpu']:.2f}" if not row["failed"] else "failed",
            f"{row['memory'] / 1e6:.0f}",
            f"{row['requests']:.0f}",
        )
        for row in rows
    ]
    header = ("command", "apps, commits, lines, files or refs", "CPU s", "memory MB", "requests")
    return "\n\n".join([head, figures_table(scale_figures(rows)), table(header, lines)])


def lines_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Return command -> (size, CPU seconds), for the plot of growth."""
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if not row["failed"]:
            found.setdefault(row["what"], []).append((row["size"], row["cpu"]))
    return {what: sorted(points) for what, points in found.items() if len(points) > 1}
