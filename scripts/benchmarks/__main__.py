"""`scripts/bench`: measure, and write docs/explanation/performance.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crowd import measure_crowd
from network import run_inside, why_not
from plot import svg
from report import crowd_text, put_between, single_text
from repositories import QUICK, SHAPES
from single import first_words, measure_single, say

_PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "performance.md"
_TEMPLATE = "NAME=TEMPLATE"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures gitops beside its peers, as whole processes over HTTP on loopback, "
        "and writes the tables and the plot of docs/explanation/performance.md.",
    )
    parser.add_argument("what", nargs="?", choices=("single", "crowd"), default="single")
    parser.add_argument("--gitops", default="gitops", help="the command (default: %(default)s)")
    parser.add_argument("--runs", type=int, help="runs each (default 15; crowd: 10 trials)")
    parser.add_argument("--quick", action="store_true", help="a smoke run; writes no page")
    parser.add_argument("--writers", help="crowd: numbers of writers (1,8,32,64)")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar=_TEMPLATE,
        help="another tool; {url}, {environment}, {image}, {tag} and {file} are filled in",
    )
    parser.add_argument("--rtt", default="", help="also with these round-trip times, in ms: 20,100")
    parser.add_argument("--no-page", action="store_true", help="print, and leave the page alone")
    parser.add_argument("--work", type=Path, help="where to build (default: a temporary directory)")
    parser.add_argument("--json", type=Path, help="also write the results here")
    return parser.parse_args()


def main() -> None:
    """Measure what the command line asks for."""
    options = _options()
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
        _measure(options, options.work.resolve())
        return
    with tempfile.TemporaryDirectory(prefix="gitops-bench-") as made:
        _measure(options, Path(made))


def _measure(options: argparse.Namespace, root: Path) -> None:
    crowd = options.what == "crowd"
    shapes = QUICK if options.quick else SHAPES
    gitops = shlex.split(options.gitops)
    runs = options.runs or (2 if options.quick else 10 if crowd else 15)
    home = root / "home"
    home.mkdir(exist_ok=True)
    if crowd:
        words = options.writers or ("1,8" if options.quick else "1,8,32,64")
        sizes = [int(word) for word in words.split(",")]
        results = measure_crowd(root, shapes, gitops, sizes, runs)
    else:
        results = measure_single(root, shapes, gitops, options.peer, runs)
        _far(options, root, results)
    results |= {
        "crowd": crowd,
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
        },
    }
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    text = crowd_text(results) if crowd else single_text(results)
    print(text)
    if not options.quick and not options.no_page:
        _write_page(results, text)


def _far(options: argparse.Namespace, root: Path, results: dict[str, Any]) -> None:
    """Add the rows with a longer round trip, or the reason why there are none."""
    for word in filter(None, options.rtt.split(",")):
        reason = why_not()
        if reason is None:
            say(f"round trip of {word} ms")
            kept = root / f"rtt-{word}.json"
            again = ["single", "--gitops", options.gitops, "--no-page", "--work", str(root)]
            again += ["--json", str(kept), *(["--quick"] if options.quick else [])]
            again += [part for peer in options.peer for part in ("--peer", peer)]
            again += ["--runs", str(options.runs)] if options.runs else []
            if run_inside(int(word), again):
                reason = "the run failed"
            else:
                more = json.loads(kept.read_text(encoding="utf-8"))["rows"]
                results["rows"] += [
                    row | {"case": f"{row['case']} +{word} ms"}
                    for row in more
                    if row["case"] != "start"
                ]
        if reason is not None:
            results["missing"].append(f"a round trip of {word} ms: {reason}")


def _write_page(results: dict[str, Any], text: str) -> None:
    put_between(_PAGE, "crowd" if results["crowd"] else "single", text)
    if not results["crowd"]:
        titles = {row["case"]: row["case"] for row in results["rows"]}
        drawing = svg(results["rows"], titles)
        _PAGE.with_suffix(".svg").write_text(drawing, encoding="utf-8")
    say(f"{_PAGE.name} is written")


def _git_version() -> str:
    run = subprocess.run(["git", "--version"], check=True, capture_output=True, text=True)
    return run.stdout.split()[2]


main()
