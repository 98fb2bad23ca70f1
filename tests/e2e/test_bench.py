"""scripts/bench: a number is only shown for what was really done.

`GITOPS_TEST_BENCHES=all` plays the long ones, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "scripts" / "bench"
LONG = pytest.mark.skipif(
    os.environ.get("GITOPS_TEST_BENCHES") != "all", reason="GITOPS_TEST_BENCHES is not all"
)
PUSH = r"""#!/bin/sh
[ "$1" = deploy ] || exit 0
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
git clone -q --depth 1 "$URL" "$dir/r"; cd "$dir/r"
f=overlays/$ENVIRONMENT/kustomization.yaml
sed "\|name: $IMAGE\$|{n;s|newTag: .*|newTag: $TAG|;}" "$f" >"$f.new"; mv "$f.new" "$f"
git commit -q -a -m "dev: $IMAGE $TAG"
"""
TWICE = 'git commit -q --allow-empty -m "again: $TAG"\n'
INTENT = 'git push -q origin "HEAD:refs/gitops/intents/measured-$TAG"\n'


def bench(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Run the command, and return its results."""
    kept = tmp_path / "results.json"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHON": sys.executable}
    command = [str(BENCH), "--quick", "--runs", "1", *arguments, "--json", str(kept)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    results: dict[str, Any] = json.loads(kept.read_text())
    return results


def crowd_of_one(tmp_path: Path, script: str) -> dict[str, Any]:
    """Measure a command that claims to be gitops, alone; return its row."""
    tool = tmp_path / "tool"
    tool.write_text(script)
    tool.chmod(0o755)
    rows = bench(tmp_path, "crowd", "--writers", "1", "--gitops", str(tool))["rows"]
    row: dict[str, Any] = next(row for row in rows if row["peer"] == "gitops")
    return row


def fate(row: dict[str, Any]) -> tuple[int, int, int, int, int]:
    """What became of the changes of one row."""
    return row["landed"], row["lost"], row["doubled"], row["failed"], row["left"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (PUSH + "git push -q origin main\n", (1, 0, 0, 0, 0)),
        ("#!/bin/sh\nexit 0\n", (0, 1, 0, 0, 0)),
        ("#!/bin/sh\nexit 75\n", (0, 0, 0, 1, 0)),
        (PUSH + TWICE + "git push -q origin main\n", (0, 0, 1, 0, 0)),
        (PUSH + INTENT + "git push -q origin main\n", (1, 0, 0, 0, 2)),
    ],
    ids=["honest", "liar", "gives-up", "twice", "leaves-refs"],
)
def test_the_branch_is_looked_at(
    tmp_path: Path, script: str, expected: tuple[int, int, int, int, int]
) -> None:
    """What a writer says is compared with what stands on the branch."""
    row = crowd_of_one(tmp_path, script)

    assert fate(row)[:4] == expected[:4]
    assert (row["left"] > 0) is (expected[4] > 0)


@pytest.mark.slow
def test_who_cannot_take_part_is_named(tmp_path: Path) -> None:
    """A command that is not installed is left out by name, and the recipes are still measured."""
    results = bench(tmp_path, "crowd", "--writers", "2", "--gitops", "no-such-gitops")

    assert results["missing"] == [
        "gitops: `no-such-gitops` is not installed (--gitops names another)"
    ]
    assert [(row["landed"], row["lost"], row["doubled"]) for row in results["rows"]] == [(2, 0, 0)]


TOOL = f"{sys.executable} -m gitops"


@LONG
@pytest.mark.slow
def test_a_long_way_is_measured_by_requests(tmp_path: Path) -> None:
    """Behind a long round trip a warm cache makes one request, and no run is short of its way."""
    results = bench(tmp_path, "far", "--rtt", "50", "--gitops", TOOL)
    rows = {(row["case"], row["peer"]): row for row in results["rows"]}

    assert {"small +50 ms", "large +50 ms"} == {case for case, _ in rows}
    assert [0] * len(rows) == [row["failures"] for row in rows.values()]
    assert 3 == rows["small +50 ms", "gitops"]["requests"]
    assert 1 == rows["small +50 ms", "gitops, warm cache"]["requests"]
    # One connection, with a round trip before its first request.
    assert rows["small +50 ms", "gitops"]["wall"] > 4 * 0.050
    assert rows["small +50 ms", "gitops, warm cache"]["wall"] > 2 * 0.050


@LONG
@pytest.mark.slow
def test_everything_in_one_call(tmp_path: Path) -> None:
    """Without words all parts are measured, and the figures that were asked for come last.

    A peer that does nothing gets no figure; requests and bytes of the recipe are counted.
    """
    kept = tmp_path / "results.json"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHON": sys.executable}
    command = [str(BENCH), "--quick", "--runs", "1", "--gitops", "no-such-gitops", "--rtt", "1"]
    run = subprocess.run(
        [*command, "--writers", "1", "--peer", "idle=true {url}", "--json", str(kept)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    results = json.loads(kept.read_text())
    rows = {(row["case"], row["peer"]): row for row in results["single"]["rows"]}

    assert ["single", "far", "crowd"] == list(results)
    assert {case for case, _ in rows} == {"small", "large", "deep", "crowded", "wide"}
    assert all("wall" not in row for (_, peer), row in rows.items() if peer == "idle")
    shell = rows["small", "shell recipe"]
    assert (shell["runs"], shell["failures"], shell["requests"]) == (1, 0, 5)
    assert shell["down"] > shell["up"] > 0
    figures = run.stdout.partition("Figures to show:")[2]
    assert "| what | at least | aim | measured | met |" in figures
    assert "| large beside our own small, warm cache | 1.30x | 1.10x | - | - |" in figures


def _run(code: str) -> str:
    """Run code beside the modules of scripts/benchmarks."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "scripts" / "benchmarks")}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_the_plot_is_a_drawing_with_a_bar_for_each_peer() -> None:
    """The SVG is well formed, whatever characters names have, and shows who has a time."""
    text = _run(
        "from plot import svg\n"
        "rows = [{'case': 'a', 'peer': 'gitops', 'wall': 0.1, 'low': 0.09, 'high': 0.2},\n"
        "        {'case': 'a', 'peer': '<b> & c', 'wall': 4.0, 'low': 3.0, 'high': 5.0},\n"
        "        {'case': 'a', 'peer': 'failed'}]\n"
        "print(svg(rows, {'a': 'one & all'}))"
    )
    drawing = ElementTree.fromstring(text)
    words = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")]

    assert {"gitops", "<b> & c", "one & all", "100 ms", "4 s"} <= set(words)
    assert "failed" not in words


@pytest.mark.parametrize(
    ("least", "aim", "seen", "unit", "expected"),
    [
        (1.3, 1.1, 1.104, "x", "1.30x 1.10x 1.10x aim"),
        (1.3, 1.1, 1.106, "x", "1.30x 1.10x 1.11x yes"),
        (1.3, 1.1, 1.31, "x", "1.30x 1.10x 1.31x **no**"),
        (5, 4, 5.0, "", "5 4 5 yes"),
        (120, 80, 120.4, " MB", "120 MB 80 MB 120 MB yes"),
        (20, None, 25.0, " ms", "20 ms - 25 ms **no**"),
        (1.3, 1.1, None, "x", "1.30x 1.10x - -"),
        (None, None, 3.0, "x", "- - 3.00x -"),
    ],
)
def test_a_figure_is_met_as_it_is_shown(
    least: float | None, aim: float | None, seen: float | None, unit: str, expected: str
) -> None:
    """What is printed is what is compared, with what was wanted and with the aim."""
    code = f"from figures import Figure as F; print(*F('x', {least}, {aim}, {seen}, {unit!r})"

    assert expected == _run(f"{code}.cells()[1:])").strip()


def test_a_connection_starts_slowly() -> None:
    """Ten packets travel in the first round trip, twice as many in each one after it."""
    text = _run(
        "from distance import Way\n"
        "way = Way(1.0, 10.0)\n"
        "print(way.arrival(0.0, 14600), way.arrival(0.0, 1), way.arrival(0.0, 29200))\n"
        "way = Way(1.0, 0.0)\n"
        "print(way.arrival(0.0, 14600 * 7), way.arrival(9.0, 14600), way.arrival(9.0, 90000))"
    )

    assert ["10.5 11.5 12.5", "2.5 9.5 10.5"] == text.splitlines()


def test_only_what_stands_between_the_markers_is_replaced(tmp_path: Path) -> None:
    """Prose by hand around the generated part stays, byte for byte, in every run."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench:one -->\nold\n<!-- bench:one end -->\nafter\n")
    code = f"from pathlib import Path; from report import put_between as p; p(Path({str(page)!r}), "

    _run(code + "'one', 'new')")
    _run(code + "'one', 'newer')")

    assert page.read_text() == (
        "before\n<!-- bench:one -->\nnewer\n<!-- bench:one end -->\nafter\n"
    )


def test_the_page_has_the_markers() -> None:
    """docs/explanation/performance.md can take all generated parts."""
    text = (ROOT / "docs" / "explanation" / "performance.md").read_text()
    parts = ("single", "far", "crowd")

    assert [1, 1, 1] == [text.count(f"<!-- bench:{name} -->") for name in parts]
    assert [1, 1, 1] == [text.count(f"<!-- bench:{name} end -->") for name in parts]


@pytest.mark.slow
def test_house_counts_what_one_call_does(tmp_path: Path) -> None:
    """One real deploy and one approve are counted: no text is parsed twice, few processes run."""
    results = bench(tmp_path, "house")

    assert "gitops.actions.deploy" in dict(results["doors"])
    assert results["hops"] >= 2 * results["modules"] > 0
    # Where git talks to the remote, each branch of ours is a process of its own.
    assert 0 < results["git"] <= 10
    assert 0 < results["over_http"]["git"] <= 6
    assert results["parses"] == results["blobs"] > 0
    assert results["circles"] == 0


@pytest.mark.slow
def test_a_crowd_at_the_page(tmp_path: Path) -> None:
    """Whatever people were told had landed is on the branch, once; all are shown the newest."""
    results = bench(tmp_path, "load", "--runs", "3", "--gitops", TOOL)

    assert 12 == results["told"]
    assert [0, 0, 0, 0] == [results[name] for name in ("lost", "doubled", "unasked", "behind")], (
        results
    )
    assert [] == results["failed"]
    assert results["pages"] >= 20
