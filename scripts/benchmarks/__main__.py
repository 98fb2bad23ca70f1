"""`scripts/bench`: measure, and write docs/explanation/performance.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from control_plane import cluster_text, measure_cluster
from crowd import measure_crowd, measure_steady
from figures import Figure, crowd_figures, figures_table, single_figures
from forge import forge_text, measure_forge
from house import house_text, measure_house
from kill import kill_text, measure_kill
from libraries import libraries_text, measure_libraries
from one_writer import measure_server, server_text
from page import measure_page, page_text
from page_load import load_text, measure_load
from peers import build_kustomize
from plot import growth_svg, svg
from report import crowd_text, far_text, put_between, single_text
from repositories import QUICK, SHAPES
from scale import lines_of, measure_scale, scale_figures, scale_text
from simulation import measure_simulation, simulation_text
from single import first_words, measure_far, measure_single, say
from soak import measure_soak, soak_text
from teams import measure_teams, teams_text

from images import images_text, measure_images

_PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "performance.md"
_TEXTS = {
    "single": single_text,
    "far": far_text,
    "forge": forge_text,
    "crowd": crowd_text,
    "cluster": cluster_text,
    "house": house_text,
    "scale": scale_text,
    "images": images_text,
    "page": page_text,
    "load": load_text,
    "teams": teams_text,
    "libraries": libraries_text,
}
_ROOM = 2 << 30  # bytes: a clone of the large repository for each run of a round, and some more
_NOBODY: dict[str, Any] = {"rows": [], "missing": []}
_ALL = ("single", "far", "crowd")
_FIGURES: dict[str, Callable[[Any], list[Figure]]] = {
    "single": single_figures,
    "crowd": crowd_figures,
    "scale": scale_figures,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures gitops beside its peers, as whole processes over HTTP on loopback, "
        "and writes the tables and the plot of docs/explanation/performance.md. Takes about 25 "
        "minutes on a quiet machine.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("all", *_TEXTS, "server"),
        default="all",
        help="single: one bump at a time; far: behind a long round trip; crowd: many writers; "
        "forge: beside the contents API of a real Gitea; "
        "cluster: wait and rollback on a real Argo CD; house: what one deploy and one approve walk "
        "through, and how large it all is; scale: how costs grow with apps, commits and lines; "
        "images: pinned deploys and a cleanup's plan; page: the board, its start, clicks, streams; "
        "load: 200 people who look at it, and 20 who act; "
        "server: its one writer, and the command line that calls it; teams: the first deploy, the "
        "action, a followed workflow; libraries: GitPython and the newest typer; all leaves these "
        "ten out",
    )
    parser.add_argument("--gitops", default="gitops", help="the command (default: %(default)s)")
    parser.add_argument(
        "--runs",
        type=int,
        help="runs each (default 15; crowd: 10 trials; load: acts of each who acts, 20)",
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run; writes no page")
    parser.add_argument(
        "--writers", help="crowd: numbers of writers (1,8,32,64,128); 0: only the steady load"
    )
    parser.add_argument(
        "--kill",
        type=int,
        metavar="ROUNDS",
        help="server: kill -9 of one of two replicas at a random moment, so many times",
    )
    parser.add_argument(
        "--soak",
        type=float,
        metavar="MINUTES",
        help="server: load for so long, and whether memory, handles, threads and processes stay",
    )
    parser.add_argument(
        "--simulate",
        action="store_true",
        help="server: 2,000 services in 6 environments on 50 clusters, by several replicas",
    )
    parser.add_argument("--rtt", help="far, forge: round-trip times in ms (20,100)")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=TEMPLATE",
        help="another tool; {url}, {environment}, {image}, {tag} and {file} are filled in",
    )
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="house: compare the CPU with this checkout"
    )
    parser.add_argument("--no-page", action="store_true", help="print, and leave the page alone")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="TEXT",
        help="scale: commands with this text in their name (deploy, qa, status with refs, …); may "
        "be given several times; writes no page",
    )
    parser.add_argument(
        "--resume", action="store_true", help="scale: go on with what an earlier run left in --work"
    )
    parser.add_argument("--work", type=Path, help="where to build (default: a temporary directory)")
    parser.add_argument("--json", type=Path, help="also write the results here")
    options = parser.parse_args()
    if options.resume and options.work is None:
        parser.error("--resume needs the --work of the run that goes on")
    options.no_page |= bool(options.only)
    return options


def main() -> None:
    """Measure what the command line asks for."""
    options = _options()
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
        _measure_all(options, options.work.resolve())
        return
    with tempfile.TemporaryDirectory(prefix="gitops-bench-", dir=_memory_disk()) as made:
        _measure_all(options, Path(made))


def _memory_disk() -> str | None:
    """Return a disk in memory with room for everybody's work trees, None where there is none.

    What one run deletes on a journalled disk the next ones pay for, whoever they are; where there
    is no such disk the work trees are kept till the end.
    """
    place = "/dev/shm"
    try:
        room = shutil.disk_usage(place).free
    except OSError:
        return None
    return place if room > _ROOM and os.access(place, os.W_OK) else None


def _work_apart(root: Path) -> None:
    """Let every measured process work below `root`, and keep its trees if that costs later runs."""
    (root / "tmp").mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(root / "tmp")
    if not str(root).startswith("/dev/shm/"):
        os.environ["WORK_KEPT"] = "yes"


def _measure_all(options: argparse.Namespace, root: Path) -> None:
    begun = time.monotonic()
    _work_apart(root)
    if not options.quick and options.what not in (
        "cluster",
        "forge",
        "house",
        "scale",
        "images",
        "page",
        "load",
        "server",
        "teams",
        "libraries",
    ):
        build_kustomize(root)
    parts = _ALL if options.what == "all" else (options.what,)
    kept: dict[str, dict[str, Any]] = {}
    figures: list[Figure] = []
    for part in parts:
        results = kept[part] = _measure(options, root, part)
        text = _server_text(results) if part == "server" else _TEXTS[part](results)
        print(f"\n{text}\n", flush=True)
        unwritten = ("house", "images", "page", "load", "server", "teams", "libraries")
        if not options.quick and not options.no_page and part not in unwritten:
            put_between(_PAGE, part, text)
            say(f"{_PAGE.name}: {part} is written")
        if part in _FIGURES:
            figures += _FIGURES[part]([*results["rows"], *results.get("steady", [])])
    if options.json is not None:
        content = kept[parts[0]] if len(parts) == 1 else kept
        options.json.write_text(json.dumps(content, indent=1), encoding="utf-8")
    if not options.quick and not options.no_page and "single" in kept:
        rows = [*kept["single"]["rows"], *kept.get("far", {}).get("rows", [])]
        drawing = svg(rows, {row["case"]: row["case"] for row in rows})
        _PAGE.with_suffix(".svg").write_text(drawing, encoding="utf-8")
    if not options.quick and not options.no_page and "scale" in kept:
        drawing = growth_svg(lines_of(kept["scale"]["rows"]))
        _PAGE.with_name("growth.svg").write_text(drawing, encoding="utf-8")
    if figures:
        print(f"Figures to show:\n\n{figures_table(figures)}\n")
    say(f"done in {(time.monotonic() - begun) / 60:.0f} minutes")


def _measure(options: argparse.Namespace, root: Path, part: str) -> dict[str, Any]:
    shapes = QUICK if options.quick else SHAPES
    gitops = shlex.split(options.gitops)
    runs = options.runs or _usual_runs(part, quick=options.quick)
    home = root / "home"
    home.mkdir(exist_ok=True)
    if part == "cluster":
        results = measure_cluster(root, runs)
    elif part == "house":
        results = measure_house(root, options.against, options.runs)
    elif part == "scale":
        results = measure_scale(
            root, gitops, runs, quick=options.quick, only=options.only, resume=options.resume
        )
    elif part == "server":
        results = _measure_server(options, root, gitops, min(runs, 4))
    elif part == "teams":
        results = measure_teams(root, runs, quick=options.quick)
    elif part == "libraries":
        results = measure_libraries(root, runs)
    elif part == "images":
        results = measure_images(root, gitops, runs, quick=options.quick)
    elif part == "page":
        results = measure_page(root, gitops, runs, quick=options.quick)
    elif part == "load":
        acts = options.runs or (4 if options.quick else 20)
        results = measure_load(root, gitops, acts, quick=options.quick)
    elif part == "crowd":
        words = options.writers or ("1,8" if options.quick else "1,8,32,64,128")
        sizes = [int(word) for word in words.split(",")]
        results = measure_crowd(root, shapes, gitops, sizes, runs) if sizes != [0] else _NOBODY
        workers, deploys = (4, 12) if options.quick else (32, 400)
        steady = measure_steady(root, shapes, gitops, workers, deploys)
        results = {**results, "steady": steady}
    elif part == "forge":
        times = [int(word) for word in (options.rtt or "0,20,100").split(",")]
        results = measure_forge(root, gitops, runs, times)
    elif part == "far":
        times = [int(word) for word in (options.rtt or "20,100").split(",")]
        results = measure_far(root, shapes, gitops, options.peer, runs, times)
    else:
        results = measure_single(root, shapes, gitops, options.peer, runs)
    return results | {
        "part": part,
        "quick": options.quick,
        "runs": runs,
        "date": datetime.now(UTC).date().isoformat(),
        "shapes": {name: asdict(shape) for name, shape in shapes.items()},
        "machine": {
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "git": _git_version(),
            "python": platform.python_version(),
            "gitops": first_words(gitops, home),
            "disk": "memory" if str(root).startswith("/dev/shm/") else "kept",
        },
    }


def _measure_server(
    options: argparse.Namespace, root: Path, gitops: list[str], runs: int
) -> dict[str, Any]:
    if options.kill is not None:
        return {"kill": measure_kill(root, gitops, options.kill)}
    if options.soak is not None:
        return {"soak": measure_soak(root, gitops, options.soak)}
    if options.simulate:
        return {"simulation": measure_simulation(root, gitops, quick=options.quick)}
    return measure_server(root, gitops, runs, quick=options.quick)


def _server_text(results: dict[str, Any]) -> str:
    texts = {"kill": kill_text, "soak": soak_text, "simulation": simulation_text}
    for part, text in texts.items():
        if part in results:
            return text(results[part])
    return server_text(results)


def _usual_runs(part: str, *, quick: bool) -> int:
    if part == "scale":
        return 1  # its figures are CPU and requests, and large
    return 2 if quick else 10 if part in ("crowd", "cluster") else 15


def _git_version() -> str:
    run = subprocess.run(["git", "--version"], check=True, capture_output=True, text=True)
    return run.stdout.split()[2]


main()
